package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config/node"
)

// A file of another kind, given by mistake, fills no screen and no day: the time
// once grew with the square of its size, two minutes for the first of these.
func TestStrangeFilesGetABoundedAnswer(t *testing.T) {
	for name, data := range map[string]string{
		"unknown keys":      strings.Repeat("a: b\n", 50_000),
		"keys of nothing":   strings.Repeat("a:\n #\n", 40_000),
		"brackets":          strings.Repeat("[", 9_000),
		"an open quote":     strings.Repeat("a: b\n", 50_000) + "x: \"",
		"an open bracket":   "never: [" + strings.Repeat("a,\n", 80_000),
		"wrong jails":       "jails:\n" + strings.Repeat("  a: {x: 1}\n", 20_000),
		"wrong words":       "never: '" + strings.Repeat("-,", 100_000) + "'",
		"anchors":           "never:\n- &a b\n" + strings.Repeat("- *a\n", 40_000),
		"larger than a log": strings.Repeat("x", node.MaxSize+1),
	} {
		_, err := Parse("edgeban.yaml", []byte(data), room())
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) > node.MaxProblems {
			t.Errorf("%s: %d problems, want 1 to %d", name, len(problems), node.MaxProblems)
		}
	}
}
