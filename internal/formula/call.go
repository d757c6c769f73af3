package formula

import (
	"errors"
	"math"
	"math/big"
)

var errDomain = errors.New("has no value for this number")

// A function is one that a formula may call.
type function struct {
	name     string
	min, max int // how many arguments
	call     func(args []number) (number, error)
}

const several = longest // more arguments than a formula can have

// functions is what may be called, in the order in which people are told.
var functions = []function{
	{"float", 1, 1, func(args []number) (number, error) { return onReal(args, finite) }},
	{"int", 1, 1, func(args []number) (number, error) { return rounded(args, math.Trunc) }},
	{"round", 1, 1, func(args []number) (number, error) { return rounded(args, math.RoundToEven) }},
	{"abs", 1, 1, absolute},
	{"max", 2, several, func(args []number) (number, error) { return extreme(args, 1), nil }},
	{"min", 2, several, func(args []number) (number, error) { return extreme(args, -1), nil }},
	{"pow", 2, 2, func(args []number) (number, error) { return meaning["**"].apply(args[0], args[1]) }},
	{"math.exp", 1, 1, func(args []number) (number, error) {
		return onReal(args, func(x float64) (number, error) { return finite(math.Exp(x)) })
	}},
	{"math.log", 1, 2, logarithm},
	{"math.log2", 1, 1, func(args []number) (number, error) { return logOf(args[0], math.Log2) }},
	{"math.log10", 1, 1, func(args []number) (number, error) { return logOf(args[0], math.Log10) }},
	{"math.sqrt", 1, 1, func(args []number) (number, error) {
		return onReal(args, func(x float64) (number, error) { return finite(math.Sqrt(x)) })
	}},
	{"math.pow", 2, 2, func(args []number) (number, error) { return binary{real: powerReal}.apply(args[0], args[1]) }},
	{"math.floor", 1, 1, func(args []number) (number, error) { return rounded(args, math.Floor) }},
	{"math.ceil", 1, 1, func(args []number) (number, error) { return rounded(args, math.Ceil) }},
}

// names is what has a value, in the order in which people are told.
var names = []struct {
	name  string
	value node
}{
	{"ban.Time", func(v *Vars) (number, error) { return given(v.Time) }},
	{"ban.Count", func(v *Vars) (number, error) { return number{i: big.NewInt(int64(v.Count))}, nil }},
	{"banFactor", func(v *Vars) (number, error) { return given(v.Factor) }},
	{"math.e", func(*Vars) (number, error) { return number{f: math.E}, nil }},
	{"math.pi", func(*Vars) (number, error) { return number{f: math.Pi}, nil }},
	{"True", func(*Vars) (number, error) { return truth(true) }},
	{"False", func(*Vars) (number, error) { return truth(false) }},
}

func onReal(args []number, f func(float64) (number, error)) (number, error) {
	x, err := args[0].float()
	if err != nil {
		return number{}, err
	}
	return f(x)
}

// rounded gives a whole number, which is rounded already where it is one.
func rounded(args []number, round func(float64) float64) (number, error) {
	if args[0].i != nil {
		return args[0], nil
	}
	return truncated(round(args[0].f))
}

func absolute(args []number) (number, error) {
	if i := args[0].i; i != nil {
		return number{i: new(big.Int).Abs(i)}, nil
	}
	return number{f: math.Abs(args[0].f)}, nil
}

// extreme returns the first of the largest, or with sign -1 of the smallest.
func extreme(args []number, sign int) number {
	best := args[0]
	for _, n := range args[1:] {
		if n.cmp(best)*sign > 0 {
			best = n
		}
	}
	return best
}

func logOf(n number, log func(float64) float64) (number, error) {
	x, err := n.float()
	if err != nil {
		return number{}, err
	}
	if x <= 0 {
		return number{}, errDomain
	}
	return finite(log(x))
}

func logarithm(args []number) (number, error) {
	n, err := logOf(args[0], math.Log)
	if err != nil || len(args) == 1 {
		return n, err
	}
	base, err := logOf(args[1], math.Log)
	if err != nil {
		return number{}, err
	}
	return divide(n.f, base.f)
}
