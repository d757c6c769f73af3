package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeban/edgeban/internal/web"
)

func status(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("status", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return usagef("status takes no arguments")
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(st)
	}
	e.status(st)
	return nil
}

// status shows the daemon at a glance, on 80 columns.
func (e *env) status(st web.Status) {
	word := "healthy"
	if !st.Healthy {
		word = count(len(st.Troubles), "trouble")
	}
	fmt.Fprintf(e.stdout, "edgeban %s, up %s, %s\n", clean(st.Version, 40), span(st.Now.Sub(st.Started)), word)
	for _, t := range st.Troubles {
		fmt.Fprintf(e.stdout, "  ! %s\n", clean(t, 1000))
	}
	fmt.Fprintf(e.stdout, "\n%-16s %10s %9s %9s %9s %7s\n", "JAIL", "LINES", "FAILURES", "IGNORED", "COUNTING", "BANNED")
	for _, j := range st.Jails {
		fmt.Fprintf(e.stdout, "%-16s %10d %9d %9d %9d %7d\n", clean(j.Name, 15), j.Lines, j.Failures, j.Ignored, j.Counting, j.Banned)
	}
	if len(st.Targets) > 0 {
		fmt.Fprintf(e.stdout, "\n%-16s %7s %7s %7s %7s  %s\n", "TARGET", "WANTED", "HELD", "WAITING", "FOREIGN", "LAST LOOK")
	}
	for _, t := range st.Targets {
		fmt.Fprintf(e.stdout, "%-16s %7d %7d %7d %7d  %s\n", clean(t.Name, 15), t.Wanted, t.Held, t.Waiting+t.Missing, t.Foreign, looked(t, st.Now))
		if t.Doubt != "" {
			fmt.Fprintf(e.stdout, "  nothing is removed: %s\n", clean(t.Doubt, 200))
		}
	}
	for i, s := range st.Streams {
		if i == 0 {
			fmt.Fprintf(e.stdout, "\n%-44s %11s %10s  %s\n", "LOG", "BYTES", "BEHIND", "LAST READ")
		}
		fmt.Fprintf(e.stdout, "%-44s %11d %10d  %s\n", tail(s.Origin, 44), s.Size, s.Size-s.Offset, clock(s.Read, st.Now))
		if s.Skipped > 0 {
			fmt.Fprintf(e.stdout, "  %s longer than 64 KiB skipped\n", count(int(s.Skipped), "line"))
		}
	}
	for i, n := range st.Notifiers {
		if i == 0 {
			fmt.Fprintf(e.stdout, "\n%-16s %s\n", "NOTIFY", "LAST MESSAGE")
		}
		fmt.Fprintf(e.stdout, "%-16s %s\n", clean(n.Name, 15), clock(n.Last, st.Now))
	}
}

func looked(t web.Target, now time.Time) string {
	switch {
	case t.Error != "" && !t.Since.IsZero():
		return "failing for " + span(now.Sub(t.Since))
	case t.Looked.IsZero():
		return "not yet"
	}
	return span(now.Sub(t.Looked)) + " ago, " + clean(t.Kind, 30)
}

// tail shows the end of a path that is too long.
func tail(s string, limit int) string {
	s = clean(s, 4096)
	if r := []rune(s); len(r) > limit {
		return "…" + string(r[len(r)-limit+1:])
	}
	return s
}
