// Package formula reads the arithmetic of fail2ban's bantime.formula, which is an
// expression of Python, and computes it with Python's meaning of each operator.
//
// It knows the three names that fail2ban gives such an expression and some
// functions, nothing else: a formula can do nothing but compute, in bounded time
// and memory.
package formula

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrOverflow is returned by Eval where the result, or a step to it, is too large
// for a number: what grows with every ban gets there.
var ErrOverflow = errors.New("is too large for a number")

const (
	longest = 2000 // bytes of a formula
	deepest = 50   // parentheses, signs and functions around each other
)

// Vars is what a formula may ask about.
type Vars struct {
	Time   float64 // ban.Time: the bantime of a first ban, in seconds
	Count  int     // ban.Count: how many bans there were
	Factor float64 // banFactor
}

// An Expr is a formula that was understood. It may be evaluated by several
// goroutines at once.
type Expr struct{ eval node }

// A node computes a part of a formula.
type node func(*Vars) (number, error)

// Parse reads a formula: ban.Time, ban.Count, banFactor, numbers, the operators
// + - * / // % ** <<, comparisons, and, or, not, a if c else b, and the
// functions that its errors list. The error names the byte, from 1, and what is
// allowed there.
func Parse(text string) (*Expr, error) {
	if len(text) > longest {
		return nil, fmt.Errorf("is %d bytes long; a formula has %d at most", len(text), longest)
	}
	p := &parser{text: text}
	p.next()
	n := p.expression()
	if p.tok.kind != end {
		p.wrong("%s does not fit here; write an operator, one of %s", quote(p.tok.text), operators)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{n}, nil
}

// Eval returns the formula's value. As in Python whole numbers are exact, and only
// they can be shifted; a Time and a Factor without a fraction count as whole. What
// has no value, such as a division by zero or the logarithm of nothing, is an
// error that names the byte; one of a number that is too large is ErrOverflow.
func (e *Expr) Eval(v Vars) (float64, error) {
	n, err := e.eval(&v)
	if err != nil {
		return 0, err
	}
	return n.float()
}

func quote(s string) string {
	const enough = 40
	if len(s) > enough {
		s = s[:enough] + "…"
	}
	return strconv.Quote(s)
}
