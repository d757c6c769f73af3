package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
)

func replay(ctx context.Context, e *env, args []string) error {
	var zone string
	rest, err := e.parse("replay", args, func(fs *flag.FlagSet) {
		fs.BoolVar(&e.json, "json", false, "print JSON, one ban a line")
		fs.StringVar(&zone, "zone", "", "time `ZONE` of stamps without one, as in Europe/Berlin")
	})
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return usagef("write edgeban replay JAIL FILE..., as in edgeban replay sshd /var/log/auth.log; - is the standard input")
	}
	r, err := e.prepare(ctx, rest[0])
	if err != nil {
		return err
	}
	if zone != "" {
		if r.Jail.LogTimezone, err = time.LoadLocation(zone); err != nil {
			return usagef("there is no time zone %s; write one such as UTC or Europe/Berlin", clean(zone, 60))
		}
	}
	if err := r.Open(); err != nil {
		return err
	}
	began, bans, size := time.Now(), 0, int64(0)
	for _, path := range rest[1:] {
		n, b, err := e.replayFile(ctx, r, path)
		if err != nil {
			return err
		}
		bans, size = bans+b, size+n
	}
	return e.summary(r, bans, size, time.Since(began))
}

// prepare finds the jail in the configuration, or makes one of a built-in filter.
func (e *env) prepare(ctx context.Context, name string) (*intake.Replay, error) {
	c, _, err := e.load()
	if err != nil {
		return nil, err
	}
	r := &intake.Replay{Forget: c.Forget, Now: time.Now()}
	i := slices.IndexFunc(c.Jails, func(j config.Jail) bool { return j.Name == name })
	switch {
	case i >= 0:
		r.Jail = c.Jails[i]
	case slices.Contains(filter.Builtin(), name), strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"), strings.Contains(name, "/"):
		r.Jail = config.NewJail(name)
		r.Jail.LogPath = []string{config.Stdin}
	default:
		return nil, usagef("there is neither a jail nor a built-in filter called %s; built in are %s", clean(name, 40), strings.Join(filter.Builtin(), ", "))
	}
	if len(r.Jail.LogPath) == 0 {
		return nil, usagef("jail %s reads no log but the bans of the others", clean(name, 40))
	}
	r.Never = (&never.Finder{Never: c.Never, Hosts: c.Hosts()}).Find(ctx)
	r.Ignore = never.NewIgnore(r.Jail.IgnoreIP, nil).Find(ctx)
	return r, nil
}

func (e *env) replayFile(ctx context.Context, r *intake.Replay, path string) (size int64, bans int, err error) {
	in := e.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return 0, 0, err
		}
		defer f.Close()
		in = f
	}
	count := &counter{r: in}
	text, err := plain(count)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	for v, err := range r.File(ctx, text) {
		if err != nil {
			return count.n, bans, fmt.Errorf("%s: %w", path, err)
		}
		bans++
		if err := e.verdict(v); err != nil {
			return count.n, bans, err
		}
	}
	return count.n, bans, ctx.Err()
}

// plain returns what in holds, unpacked if it is gzip: rotated logs often are.
func plain(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil // whoever reads on finds out what is wrong
	}
	return gzip.NewReader(b)
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// replayed is a verdict as JSON.
type replayed struct {
	Subject  netip.Prefix `json:"subject"`
	Jail     string       `json:"jail"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until,omitzero"`
	Failures int          `json:"failures"`
	Nth      int          `json:"nth"`
	Reason   string       `json:"reason"`
	Lines    []string     `json:"lines"`
}

func (e *env) verdict(v intake.Verdict) error {
	b := v.Ban
	if e.json {
		out := replayed{b.Subject, b.Jail, b.Since, b.Until, b.Failures, b.Nth, b.Reason, []string{}}
		for _, m := range v.Lines {
			out.Lines = append(out.Lines, m.Text)
		}
		return e.line(out)
	}
	until := "for ever"
	if !b.Until.IsZero() {
		until = "for " + span(b.Until.Sub(b.Since))
	}
	fmt.Fprintf(e.stdout, "%s  %s banned %s: %s", b.Since.Local().Format(time.DateTime), subject(b.Subject), until, clean(b.Reason, 200))
	if b.Nth > 1 {
		fmt.Fprintf(e.stdout, ", offence %d", b.Nth)
	}
	fmt.Fprintln(e.stdout)
	for _, m := range v.Lines {
		fmt.Fprintf(e.stdout, "    %s\n", clean(m.Text, 160))
	}
	return nil
}

func (e *env) summary(r *intake.Replay, bans int, size int64, took time.Duration) error {
	s := r.Stats()
	if e.json {
		return nil
	}
	fmt.Fprintf(e.stdout, "%s, %s, %d ignored, %s; %s in %s\n", count(int(s.Lines), "line"), count(int(s.Failures), "failure"), s.Ignored,
		count(bans, "ban"), volume(size), took.Round(time.Millisecond))
	for _, text := range leftOut(s.Undated, s.Names, s.Spent) {
		fmt.Fprintln(e.stdout, text)
	}
	return nil
}
