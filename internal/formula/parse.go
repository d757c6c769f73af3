package formula

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const operators = "+ - * / // % ** << < <= > >= == != and or if"

// What a token is.
const (
	end = iota
	numeral
	word
	sign
)

type token struct {
	kind int
	text string
	at   int // byte, from 1
}

// tokens is what a formula is made of, each at the start of what is left.
var tokens = []struct {
	kind int
	rule *regexp.Regexp
}{
	{numeral, regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?`)},
	{word, regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*`)},
	{sign, regexp.MustCompile(`^(?:\*\*|//|<<|<=|>=|==|!=|[-+*/%(),<>])`)},
}

// levels are the binary operators from those that bind least; each groups from
// the left.
var levels = [][]string{{"<<"}, {"+", "-"}, {"*", "/", "//", "%"}}

// comparisons say for which answers of cmp they hold.
var comparisons = map[string][]int{"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {1, 0}, "==": {0}, "!=": {-1, 1}}

// A parser reads a formula from left to right, with one token in hand. The first
// thing that is wrong ends it: from there on it sees the end of the text.
type parser struct {
	text  string
	pos   int
	tok   token
	depth int
	err   error
}

func (p *parser) wrong(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("byte %d: %s", p.tok.at, fmt.Sprintf(format, args...))
	}
	p.pos = len(p.text)
	p.tok = token{kind: end, at: p.tok.at}
}

// next takes the next token in hand.
func (p *parser) next() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	p.tok = token{kind: end, at: p.pos + 1}
	rest := p.text[p.pos:]
	if rest == "" {
		return
	}
	for _, t := range tokens {
		if s := t.rule.FindString(rest); s != "" {
			p.tok = token{t.kind, s, p.pos + 1}
			p.pos += len(s)
			return
		}
	}
	p.wrong("%s is not understood; write %s", quote(string([]rune(rest[:min(len(rest), 4)])[:1])), values())
}

// accept takes one of some words or signs, and says which.
func (p *parser) accept(texts ...string) (string, bool) {
	if got := p.tok; (got.kind == word || got.kind == sign) && slices.Contains(texts, got.text) {
		p.next()
		return got.text, true
	}
	return "", false
}

func (p *parser) expect(text string) {
	if _, ok := p.accept(text); !ok {
		p.wrong("%s is missing", quote(text))
	}
}

// nested reads what lies within something else.
func (p *parser) nested(read func() node) node {
	if p.depth++; p.depth > deepest {
		p.wrong("is nested more than %d deep", deepest)
	}
	n := read()
	p.depth--
	return n
}

// expression reads a if c else b, of which only one side is computed, or what
// binds more.
func (p *parser) expression() node {
	then := p.either()
	if _, ok := p.accept("if"); !ok {
		return then
	}
	cond := p.either()
	p.expect("else")
	other := p.nested(p.expression)
	return func(v *Vars) (number, error) {
		c, err := cond(v)
		switch {
		case err != nil:
			return number{}, err
		case c.zero():
			return other(v)
		}
		return then(v)
	}
}

func (p *parser) either() node { return p.logic("or", p.both, false) }
func (p *parser) both() node   { return p.logic("and", p.negation, true) }

// logic reads a chain of and, or of or: its value is the one that settled it.
func (p *parser) logic(op string, operand func() node, goOn bool) node {
	n := operand()
	for {
		if _, ok := p.accept(op); !ok {
			return n
		}
		left, right := n, operand()
		n = func(v *Vars) (number, error) {
			if l, err := left(v); err != nil || l.zero() == goOn {
				return l, err
			}
			return right(v)
		}
	}
}

func (p *parser) negation() node {
	if _, ok := p.accept("not"); !ok {
		return p.comparison()
	}
	n := p.nested(p.negation)
	return func(v *Vars) (number, error) {
		x, err := n(v)
		if err != nil {
			return number{}, err
		}
		return truth(x.zero())
	}
}

// comparison reads a chain such as 1 < a <= b, which holds where all of it does.
func (p *parser) comparison() node {
	first := p.binary(0)
	var ops []string
	var others []node
	for {
		op, ok := p.accept("<", "<=", ">", ">=", "==", "!=")
		if !ok {
			break
		}
		ops, others = append(ops, op), append(others, p.binary(0))
	}
	if len(ops) == 0 {
		return first
	}
	return func(v *Vars) (number, error) {
		left, err := first(v)
		for i, op := range ops {
			if err != nil {
				return number{}, err
			}
			right, err := others[i](v)
			if err != nil || !slices.Contains(comparisons[op], left.cmp(right)) {
				no, _ := truth(false)
				return no, err
			}
			left = right
		}
		return truth(true)
	}
}

func (p *parser) binary(level int) node {
	if level == len(levels) {
		return p.unary()
	}
	n := p.binary(level + 1)
	for {
		at := p.tok.at
		op, ok := p.accept(levels[level]...)
		if !ok {
			return n
		}
		n = apply(op, at, n, p.binary(level+1))
	}
}

// apply returns the node of an operator that stands at a byte.
func apply(op string, at int, left, right node) node {
	return func(v *Vars) (number, error) {
		l, err := left(v)
		if err != nil {
			return number{}, err
		}
		r, err := right(v)
		if err != nil {
			return number{}, err
		}
		n, err := meaning[op].apply(l, r)
		return n, located(at, op, err)
	}
}

func located(at int, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("byte %d: %s %w", at, what, err)
}

// unary reads a sign, which binds more than * and less than **.
func (p *parser) unary() node {
	at := p.tok.at
	s, ok := p.accept("-", "+")
	if !ok {
		return p.power()
	}
	n := p.nested(p.unary)
	if s == "-" {
		n = apply("-", at, func(*Vars) (number, error) { return truth(false) }, n)
	}
	return n
}

// power reads a ** b, which groups from the right.
func (p *parser) power() node {
	n, at := p.atom(), p.tok.at
	if _, ok := p.accept("**"); ok {
		n = apply("**", at, n, p.nested(p.unary))
	}
	return n
}

func (p *parser) atom() node {
	t := p.tok
	switch {
	case t.kind == numeral:
		return p.numeral()
	case t.kind == sign && t.text == "(":
		p.next()
		n := p.nested(p.expression)
		p.expect(")")
		return n
	case t.kind == word:
		return p.word()
	case t.kind == end:
		p.wrong("a value is missing; write %s", values())
	default:
		p.wrong("%s stands where a value belongs; write %s", quote(t.text), values())
	}
	return nil
}

func (p *parser) numeral() node {
	text := p.tok.text
	var n number
	var err error
	if i, ok := new(big.Int).SetString(text, 10); ok {
		if text[0] == '0' && i.Sign() != 0 {
			p.wrong("%s begins with a zero; take it off", quote(text))
		}
		n, err = whole(i)
	} else {
		f, _ := strconv.ParseFloat(text, 64)
		n, err = finite(f)
	}
	if err != nil {
		p.wrong("%s %v", quote(text), err)
	}
	p.next()
	return func(*Vars) (number, error) { return n, nil }
}

// word reads a name or a call.
func (p *parser) word() node {
	t := p.tok
	for _, n := range names {
		if n.name == t.text {
			p.next()
			return n.value
		}
	}
	for _, f := range functions {
		if f.name == t.text {
			p.next()
			return p.call(t, f)
		}
	}
	p.wrong("%s is not known; write %s", quote(t.text), values())
	return nil
}

func (p *parser) call(t token, f function) node {
	p.expect("(")
	var args []node
	for p.err == nil {
		args = append(args, p.nested(p.expression))
		if _, more := p.accept(","); !more {
			break
		}
	}
	if p.err == nil && (len(args) < f.min || len(args) > f.max) {
		p.tok.at = t.at
		p.wrong("%s cannot take %d numbers", f.name, len(args))
	}
	p.expect(")")
	return func(v *Vars) (number, error) {
		numbers := make([]number, len(args))
		for i, arg := range args {
			n, err := arg(v)
			if err != nil {
				return number{}, err
			}
			numbers[i] = n
		}
		n, err := f.call(numbers)
		return n, located(t.at, f.name, err)
	}
}

// values lists what may stand for a value.
func values() string {
	all := []string{"a number", "( )"}
	for _, n := range names {
		all = append(all, n.name)
	}
	for _, f := range functions {
		all = append(all, f.name+"()")
	}
	return strings.Join(all, ", ")
}
