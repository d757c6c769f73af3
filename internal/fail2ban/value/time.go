package value

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// units are the words for a number of seconds. The m of minute is before that of
// month, which needs two letters.
var units = map[string]float64{
	"s": 1, "ss": 1, "se": 1, "sec": 1, "second": 1, "seconds": 1,
	"m": 60, "mm": 60, "mi": 60, "min": 60, "minute": 60, "minutes": 60,
	"h": 3600, "hh": 3600, "ho": 3600, "hou": 3600, "hour": 3600, "hours": 3600,
	"d": 86400, "dd": 86400, "da": 86400, "day": 86400, "days": 86400,
	"w": 7 * 86400, "ww": 7 * 86400, "we": 7 * 86400, "wee": 7 * 86400, "week": 7 * 86400, "weeks": 7 * 86400,
	"mo": 30.4375 * 86400, "mon": 30.4375 * 86400, "month": 30.4375 * 86400, "months": 30.4375 * 86400,
	"y": 365.25 * 86400, "yy": 365.25 * 86400, "ye": 365.25 * 86400, "yea": 365.25 * 86400, "year": 365.25 * 86400, "years": 365.25 * 86400,
}

// token is a number, a word or a sign, and the spaces before it.
var token = regexp.MustCompile(`^\s*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|([a-z]+)|([-+*/()]))`)

// Time reads a time as fail2ban writes it: seconds (600), units that add up
// (1d12h, 5min 30s, 1.5h), and a calculation with + - * / and parentheses
// (1h-10m). It may be negative. Fractions of a second are cut off. After a # may
// stand what people like: to Python it is a comment.
func Time(s string) (time.Duration, error) {
	v, err := Number(s)
	switch {
	case err != nil:
		return 0, err
	case math.Abs(v) > float64(math.MaxInt64/time.Second):
		return 0, fmt.Errorf("%s is longer than 292 years; write -1 for ever", Quote(s))
	}
	return time.Duration(v) * time.Second, nil
}

// Number is Time for a number that may be no time.
func Number(s string) (float64, error) {
	if len(s) > 200 {
		return 0, errors.New("a time of more than 200 letters; write one such as 10m, 1d12h or -1")
	}
	text, _, _ := strings.Cut(strings.ToLower(s), "#")
	c := calculation{rest: text}
	c.next()
	v := c.sum(0)
	if c.bad || c.number != "" || c.word != "" || c.sign != "" || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("%s is not a time; write one such as 10m, 1d12h or -1", Quote(s))
	}
	return v, nil
}

// A calculation reads a sum. Exactly one of number, word and sign is set, or none
// at the end.
type calculation struct {
	rest               string
	number, word, sign string
	bad                bool
}

func (c *calculation) next() {
	m := token.FindStringSubmatch(c.rest)
	if m == nil {
		c.bad = c.bad || strings.TrimSpace(c.rest) != ""
		c.rest, c.number, c.word, c.sign = "", "", "", ""
		return
	}
	c.rest, c.number, c.word, c.sign = c.rest[len(m[0]):], m[1], m[2], m[3]
}

func (c *calculation) sum(depth int) float64 {
	v := c.product(depth)
	for {
		switch {
		case c.sign == "+":
			c.next()
			v += c.product(depth)
		case c.sign == "-":
			c.next()
			v -= c.product(depth)
		case c.number != "" && !c.bad: // 1d 12h
			v += c.product(depth)
		default:
			return v
		}
	}
}

func (c *calculation) product(depth int) float64 {
	v := c.term(depth)
	for c.sign == "*" || c.sign == "/" {
		sign := c.sign
		c.next()
		if w := c.term(depth); sign == "*" {
			v *= w
		} else {
			v /= w
		}
	}
	return v
}

func (c *calculation) term(depth int) float64 {
	sign, number := c.sign, c.number
	switch c.next(); {
	case depth > 20 || c.bad:
	case sign == "-":
		return -c.term(depth + 1)
	case sign == "+":
		return c.term(depth + 1)
	case sign == "(":
		v := c.sum(depth + 1)
		c.bad = c.bad || c.sign != ")"
		c.next()
		return v
	case number != "":
		v, err := strconv.ParseFloat(number, 64)
		c.bad = c.bad || err != nil
		if c.word != "" {
			unit, ok := units[c.word]
			c.bad = c.bad || !ok
			v *= unit
			c.next()
		}
		return v
	}
	c.bad = true
	return 0
}
