package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
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
	r, by, err := e.prepare(ctx, rest[0])
	if err != nil {
		return err
	}
	if zone != "" {
		if r.Jail.LogTimezone, err = time.LoadLocation(zone); err != nil {
			return usagef("there is no time zone %s; write one such as UTC or Europe/Berlin", term.Clean(zone, 60))
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
	if !e.json {
		e.summary(r, by, bans, size, time.Since(began))
	}
	return nil
}

// prepare finds the jail in the configuration, or makes one of a built-in filter:
// never one for a jail that the configuration has and that does not run.
func (e *env) prepare(ctx context.Context, name string) (r *intake.Replay, by string, err error) {
	c, _, err := e.load()
	if c.Fail2ban != "" && strings.HasSuffix(name, "]") {
		return e.tryFilter(ctx, c, name)
	}
	if why := idle(c, name); why != "" {
		return nil, "", errors.New(why)
	}
	if err != nil {
		return nil, "", err
	}
	r = &intake.Replay{Forget: c.Forget, Now: time.Now()}
	i := slices.IndexFunc(c.Jails, func(j config.Jail) bool { return j.Name == name })
	switch {
	case i >= 0:
		r.Jail = c.Jails[i]
	case slices.Contains(filter.Builtin(), name), strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"), strings.Contains(name, "/"):
		r.Jail = config.NewJail(name)
		r.Jail.LogPath = []string{config.Stdin}
	default:
		return nil, "", usagef("there is neither a jail nor a built-in filter called %s; built in are %s", term.Clean(name, 40), strings.Join(filter.Builtin(), ", "))
	}
	if len(r.Jail.LogPath) == 0 {
		return nil, "", usagef("jail %s reads no log but the bans of the others", term.Clean(name, 40))
	}
	return protected(ctx, c, r), source(c, r.Jail), nil
}

// tryFilter prepares a filter of fail2ban's folder that no jail has to use, such as
// sshd[mode=aggressive]. It is counted as by a jail of which nothing else is said.
func (e *env) tryFilter(ctx context.Context, c config.Config, name string) (*intake.Replay, string, error) {
	rules, err := fail2ban.NamedFilter(c.Fail2ban, name)
	if err != nil {
		return nil, "", fmt.Errorf("filter %s of %s: %w", term.Clean(name, 80), c.Fail2ban, err)
	}
	j := config.NewJail(name)
	j.Filter, j.Rules, j.LogPath, j.Count, j.IPv6Prefix = "", &rules, []string{config.Stdin}, config.Rate, 128
	j.Increment.Enabled = false
	r := protected(ctx, c, &intake.Replay{Jail: j, Forget: c.Forget, Now: time.Now()})
	return r, fmt.Sprintf("fail2ban's %s, as %s has it, %s", term.Clean(name, 80), c.Fail2ban, patterns(rules)), nil
}

// protected finds whom the replay leaves alone.
func protected(ctx context.Context, c config.Config, r *intake.Replay) *intake.Replay {
	r.Never = (&never.Finder{Never: c.Never, Hosts: c.Hosts()}).Find(ctx)
	r.Ignore = never.NewIgnore(r.Jail.IgnoreIP, nil).Find(ctx)
	return r
}

// idle says why a jail that the configuration has does not run, or returns "".
func idle(c config.Config, name string) string {
	if slices.ContainsFunc(c.Jails, func(j config.Jail) bool { return j.Name == name }) {
		return ""
	}
	for _, b := range c.Broken {
		if b.Jail == name {
			return fmt.Sprintf("jail %s of %s is broken: %s", name, c.Fail2ban, b.Why)
		}
	}
	if c.Fail2ban == "" {
		return ""
	}
	if place := setup.Disabled(c.Fail2ban, name); place != "" {
		return fmt.Sprintf("jail %s of %s is not enabled (%s)", name, c.Fail2ban, place)
	}
	return ""
}

// source says which filter a jail is replayed with.
func source(c config.Config, j config.Jail) string {
	switch {
	case j.Rules != nil && c.Fail2ban != "":
		return fmt.Sprintf("fail2ban's, as %s has it for jail %s, %s", c.Fail2ban, j.Name, patterns(*j.Rules))
	case j.Rules != nil:
		return fmt.Sprintf("the failregex of jail %s, %s", j.Name, patterns(*j.Rules))
	case slices.Contains(filter.Builtin(), j.Filter):
		return j.Filter + ", built in"
	}
	return j.Filter
}

// patterns says how many there are.
func patterns(r config.Rules) string {
	n := len(r.FailRegex) + len(r.IgnoreRegex)
	if r.PrefRegex != "" {
		n++
	}
	return term.Count(n, "pattern")
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
		if !v.Prolongs {
			bans++
		}
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
	Prolongs bool         `json:"prolongs,omitempty"` // a ban that stood
	Reason   string       `json:"reason"`
	Lines    []string     `json:"lines"`
}

func (e *env) verdict(v intake.Verdict) error {
	b := v.Ban
	if e.json {
		out := replayed{b.Subject, b.Jail, b.Since, b.Until, b.Failures, b.Nth, v.Prolongs, b.Reason, []string{}}
		for _, m := range v.Lines {
			out.Lines = append(out.Lines, m.Text)
		}
		return e.line(out)
	}
	since := b.Since.Local()
	text := "banned for ever"
	switch {
	case v.Prolongs && b.Until.IsZero():
		text = "prolonged for ever"
	case v.Prolongs:
		text = "prolonged to " + term.Clock(b.Until, since)
	case !b.Until.IsZero():
		text = "banned for " + term.Span(b.Until.Sub(b.Since))
	}
	text += ": " + term.Clean(b.Reason, 200)
	if b.Nth > 1 && !v.Prolongs {
		text += fmt.Sprintf(", offence %d", b.Nth)
	}
	if never.PrivatePrefix(b.Subject) {
		text += " (private: told, not sent)"
	}
	fmt.Fprintf(e.stdout, "%s  %s %s\n", since.Format(time.DateTime), term.Subject(b.Subject), text)
	for _, m := range v.Lines {
		fmt.Fprintf(e.stdout, "    %s\n", term.Clean(m.Text, 160))
	}
	return nil
}

// summary says what was seen, by which filter, and why what was left out was.
func (e *env) summary(r *intake.Replay, filter string, bans int, size int64, took time.Duration) {
	s := r.Stats()
	fmt.Fprintf(e.stdout, "filter: %s\n", term.Clean(filter, 400))
	fmt.Fprintf(e.stdout, "%s, %s, %d ignored, %s; %s in %s\n", term.Count(int(s.Lines), "line"), term.Count(int(s.Failures), "failure"), s.Ignored,
		term.Count(bans, "ban"), term.Volume(size), took.Round(time.Millisecond))
	dns := lookUp
	if r.Jail.Rules != nil && r.Jail.Rules.UseDNS == config.Yes {
		dns = "the daemon looks up its addresses, a replay does not"
	}
	for _, text := range leftOut(s.Undated, s.Names, s.Spent, dns) {
		fmt.Fprintln(e.stdout, text)
	}
	const most = 5 // who is ignored; more tell nothing more
	who, n := r.Ignored()
	for i, g := range who[:min(most, len(who))] {
		fmt.Fprintf(e.stdout, "ignored %s: %s: %s\n", term.Count(int(n[i]), "time"), g.Addr, term.Clean(g.Why, 200))
	}
	if more := len(who) - most; more > 0 {
		fmt.Fprintf(e.stdout, "ignored: %d more\n", more)
	}
	for _, text := range []string{r.Proxy(), r.Misfit()} {
		if text != "" {
			fmt.Fprintln(e.stdout, term.Clean(text, 1000))
		}
	}
}
