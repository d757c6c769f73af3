package formula

import (
	"errors"
	"math"
	"math/big"
)

// widest is how many bits a whole number may have. A float64 ends at 1024; more
// is needed only on the way to a result.
const widest = 4096

var (
	errZero  = errors.New("divides by zero")
	errWhole = errors.New("needs whole numbers; write int(...) around what is not")
	errSign  = errors.New("cannot shift by less than nothing")
	errReal  = errors.New("has no real value for these numbers")
)

// A number is whole where i is set, else f. As in Python, an operation on two
// whole numbers is exact.
type number struct {
	i *big.Int
	f float64
}

// whole returns i, unless it is larger than anything needs.
func whole(i *big.Int) (number, error) {
	if i.BitLen() > widest {
		return number{}, ErrOverflow
	}
	return number{i: i}, nil
}

// finite returns f, unless it is no number.
func finite(f float64) (number, error) {
	switch {
	case math.IsNaN(f):
		return number{}, errReal
	case math.IsInf(f, 0):
		return number{}, ErrOverflow
	}
	return number{f: f}, nil
}

// given returns a variable, as whole if it has no fraction.
func given(f float64) (number, error) {
	if f == math.Trunc(f) && !math.IsInf(f, 0) {
		return truncated(f)
	}
	return finite(f)
}

// truncated returns the whole part of f.
func truncated(f float64) (number, error) {
	i, _ := big.NewFloat(f).Int(nil)
	return whole(i)
}

func truth(b bool) (number, error) {
	if b {
		return number{i: big.NewInt(1)}, nil
	}
	return number{i: new(big.Int)}, nil
}

func (n number) float() (float64, error) {
	if n.i == nil {
		return n.f, nil
	}
	f, _ := n.i.Float64()
	if math.IsInf(f, 0) {
		return 0, ErrOverflow
	}
	return f, nil
}

func (n number) zero() bool { return n.i == nil && n.f == 0 || n.i != nil && n.i.Sign() == 0 }

// cmp compares exactly, also a whole number with one that is not.
func (n number) cmp(m number) int { return n.exact().Cmp(m.exact()) }

func (n number) exact() *big.Float {
	if n.i != nil {
		return new(big.Float).SetPrec(widest).SetInt(n.i)
	}
	return big.NewFloat(n.f)
}

// A binary is the meaning of an operator: for whole numbers, and for others.
type binary struct {
	whole func(a, b *big.Int) (number, error) // nil where whole numbers are like others
	real  func(a, b float64) (number, error)  // nil where there must be whole numbers
}

func (op binary) apply(a, b number) (number, error) {
	if op.whole != nil && a.i != nil && b.i != nil {
		return op.whole(a.i, b.i)
	}
	if op.real == nil {
		return number{}, errWhole
	}
	x, err := a.float()
	if err != nil {
		return number{}, err
	}
	y, err := b.float()
	if err != nil {
		return number{}, err
	}
	return op.real(x, y)
}

var meaning = map[string]binary{
	"+": {
		func(a, b *big.Int) (number, error) { return whole(new(big.Int).Add(a, b)) },
		func(a, b float64) (number, error) { return finite(a + b) },
	},
	"-": {
		func(a, b *big.Int) (number, error) { return whole(new(big.Int).Sub(a, b)) },
		func(a, b float64) (number, error) { return finite(a - b) },
	},
	"*": {
		func(a, b *big.Int) (number, error) { return whole(new(big.Int).Mul(a, b)) },
		func(a, b float64) (number, error) { return finite(a * b) },
	},
	"/":  {quotient, divide},
	"//": {func(a, b *big.Int) (number, error) { d, _, err := floorDiv(a, b); return d, err }, floorDivReal},
	"%":  {func(a, b *big.Int) (number, error) { _, m, err := floorDiv(a, b); return m, err }, modulo},
	"**": {power, powerReal},
	"<<": {shift, nil},
}

// quotient is exact before it is rounded, once.
func quotient(a, b *big.Int) (number, error) {
	if b.Sign() == 0 {
		return number{}, errZero
	}
	f, _ := new(big.Rat).SetFrac(a, b).Float64()
	return finite(f)
}

func divide(a, b float64) (number, error) {
	if b == 0 {
		return number{}, errZero
	}
	return finite(a / b)
}

// floorDiv rounds down, so that the rest has the sign of b.
func floorDiv(a, b *big.Int) (div, mod number, err error) {
	if b.Sign() == 0 {
		return number{}, number{}, errZero
	}
	d, m := new(big.Int).QuoRem(a, b, new(big.Int))
	if m.Sign() != 0 && m.Sign() != b.Sign() {
		d.Sub(d, big.NewInt(1))
		m.Add(m, b)
	}
	return number{i: d}, number{i: m}, nil
}

func modulo(a, b float64) (number, error) {
	if b == 0 {
		return number{}, errZero
	}
	m := math.Mod(a, b)
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return finite(m)
}

// floorDivReal takes the rest away first: the quotient of two floats may already
// be rounded up to the next whole number.
func floorDivReal(a, b float64) (number, error) {
	m, err := modulo(a, b)
	if err != nil {
		return number{}, err
	}
	return finite(math.RoundToEven((a - m.f) / b))
}

func power(a, b *big.Int) (number, error) {
	switch {
	case b.Sign() < 0:
		return binary{real: powerReal}.apply(number{i: a}, number{i: b})
	case a.BitLen() > 1 && (!b.IsInt64() || b.Int64() > widest):
		return number{}, ErrOverflow
	case a.BitLen() > 1 && int64(a.BitLen()-1)*b.Int64() > widest:
		return number{}, ErrOverflow
	case a.BitLen() <= 1 && b.Sign() > 0: // 0, 1 and -1, to any power
		b = big.NewInt(int64(2 - b.Bit(0)))
	}
	return whole(new(big.Int).Exp(a, b, nil))
}

func powerReal(a, b float64) (number, error) {
	if a == 0 && b < 0 {
		return number{}, errZero
	}
	return finite(math.Pow(a, b))
}

func shift(a, b *big.Int) (number, error) {
	switch {
	case b.Sign() < 0:
		return number{}, errSign
	case a.Sign() == 0:
		return number{i: a}, nil
	case !b.IsInt64() || b.Int64() > widest:
		return number{}, ErrOverflow
	}
	return whole(new(big.Int).Lsh(a, uint(b.Int64())))
}
