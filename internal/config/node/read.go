package node

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Into returns the reading of a field that is kept in dst.
func Into[T any](dst *T, read func(Value) (T, bool)) func(Value) {
	return func(v Value) {
		if t, ok := read(v); ok {
			*dst = t
		}
	}
}

// As returns the reading of a text that parse understands, or says why not.
func As[T any](parse func(string) (T, error)) func(Value) (T, bool) {
	return func(v Value) (t T, ok bool) {
		s, ok := v.Text()
		if !ok {
			return t, false
		}
		t, err := parse(s)
		if err != nil {
			v.Wrong("%v", err)
		}
		return t, err == nil
	}
}

// Each returns the reading of a field that holds several.
func Each[T any](dst *[]T, split func(Value) []Value, read func(Value) (T, bool)) func(Value) {
	return func(v Value) {
		*dst = nil
		for _, item := range split(v) {
			if t, ok := read(item); ok {
				*dst = append(*dst, t)
			}
		}
	}
}

// Truth reads a truth, in the words of YAML and fail2ban.
func Truth(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false; write one of them", Quote(s))
}

// OneOf returns the reading of one of some words.
func OneOf[T ~string](known ...T) func(Value) (T, bool) {
	return As(func(s string) (T, error) {
		words := make([]string, len(known))
		for i, k := range known {
			if words[i] = string(k); words[i] == s {
				return k, nil
			}
		}
		return "", fmt.Errorf("%s is not known; %s", Quote(s), Meant(s, words))
	})
}

// Meant is the way out for a word that is none of known.
func Meant(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "write " + strings.Join(known, ", ")
}

// Whole returns the reading of an integer from lo to hi.
func Whole(lo, hi int) func(Value) (int, bool) {
	return As(func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			return 0, fmt.Errorf("%s is not a whole number from %d to %d", Quote(s), lo, hi)
		}
		return n, nil
	})
}

// Ratio returns the reading of a number greater than 0, at most hi.
func Ratio(hi float64) func(Value) (float64, bool) {
	return As(func(s string) (float64, error) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f <= hi) { // NaN is neither
			return 0, fmt.Errorf("%s is not a number greater than 0, at most %g", Quote(s), hi)
		}
		return f, nil
	})
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Name reads a name that people will type and that ends up in URLs and tables.
func Name(s string) (string, error) {
	if !name.MatchString(s) {
		return "", fmt.Errorf("%s cannot be a name; use up to 64 letters, digits, _, - and ., beginning with a letter or a digit", Quote(s))
	}
	return s, nil
}
