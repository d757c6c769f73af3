package cli

import (
	"context"
	"time"

	"github.com/edgeban/edgeban/internal/cli/story"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/demo"
	"github.com/edgeban/edgeban/internal/web"
)

func show(ctx context.Context, e *env, args []string) error {
	rest, err := e.parse("demo", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("demo takes no arguments")
	}
	return demo.Run(ctx, demo.Options{Out: e.stdout, Version: versionText(), Clean: term.Clean, Story: func(w web.Why) { story.Tell(e.stdout, w, time.Now()) }})
}
