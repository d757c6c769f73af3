package cli

import (
	"context"
	"fmt"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/filter"
)

func printFilter(_ context.Context, e *env, args []string) error {
	rest, err := e.parse("filter", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("write edgeban filter NAME, as in edgeban filter sshd > my-sshd.yaml")
	}
	if len(rest) == 0 {
		for _, name := range filter.Builtin() {
			f, err := filter.Load(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%-16s %s\n", name, term.Clean(f.Description, 60))
		}
		return nil
	}
	text, err := filter.Text(rest[0])
	if err != nil {
		return err
	}
	_, err = e.stdout.Write(text)
	return err
}
