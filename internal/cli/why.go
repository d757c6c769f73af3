package cli

import (
	"context"
	"time"

	"github.com/edgeban/edgeban/internal/cli/story"
	"github.com/edgeban/edgeban/internal/web"
)

func why(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("why", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("write edgeban why ADDRESS, as in edgeban why 203.0.113.9")
	}
	p, err := web.ParsePrefix(rest[0])
	if err != nil {
		return usageError{err}
	}
	w, err := c.Why(ctx, p)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(w)
	}
	story.Tell(e.stdout, w, time.Now())
	return nil
}
