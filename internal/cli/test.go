package cli

import (
	"context"
	"fmt"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/filter"
)

func test(_ context.Context, e *env, args []string) error {
	names, err := e.parse("test", args, nil)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = filter.Builtin()
	}
	failed := 0
	for _, name := range names {
		f, err := filter.Load(name)
		if err != nil {
			return err
		}
		bad := 0
		results := f.Test()
		for _, r := range results {
			if r.Err == nil {
				continue
			}
			bad++
			fmt.Fprintf(e.stdout, "%s: %s\n    %s\n", term.Clean(r.Where, 400), term.Clean(r.Err.Error(), 400), term.Clean(r.Line, 400))
		}
		fmt.Fprintf(e.stdout, "%s: %s, %d wrong\n", term.Clean(name, 200), term.Count(len(results), "sample"), bad)
		failed += bad
		if len(results) == 0 {
			return fmt.Errorf("filter %s has no samples; add samples: with lines and what they mean", term.Clean(name, 200))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s wrong", term.Count(failed, "sample"))
	}
	return nil
}
