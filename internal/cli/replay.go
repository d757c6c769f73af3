package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
)

func replay(ctx context.Context, e *env, args []string) error {
	defer runtime.KeepAlive(ballast())
	collect(100)
	var zone string
	var all bool
	rest, err := e.parse("replay", args, func(fs *flag.FlagSet) {
		fs.BoolVar(&all, "all", false, "replay all jails that would run, in place of JAILS")
		fs.BoolVar(&e.json, "json", false, "print JSON, one ban a line")
		fs.StringVar(&zone, "zone", "", "time `ZONE` of stamps without one, as in Europe/Berlin")
	})
	if err != nil {
		return err
	}
	var names []string
	if !all && len(rest) > 0 {
		names, rest = split(rest[0]), rest[1:]
	}
	if len(rest) == 0 || !all && len(names) == 0 {
		return usagef("write edgeban replay JAIL[,JAIL...] FILE..., as in edgeban replay sshd /var/log/auth.log; - is the standard input")
	}
	t, err := e.prepare(ctx, names)
	if err != nil {
		return err
	}
	if zone != "" {
		at, err := time.LoadLocation(zone)
		if err != nil {
			return usagef("there is no time zone %s; write one such as UTC or Europe/Berlin", term.Clean(zone, 60))
		}
		for _, t := range t.Trials {
			t.Jail.LogTimezone = at
		}
	}
	if err := t.Open(); err != nil {
		return err
	}
	runtime.GC() // so that what it took to read the configuration is used again for the logs
	return e.replay(ctx, t, rest)
}

// ballast is what nobody writes to, so that it takes no memory. The collector counts it: as
// much may be used before anything is collected, and twice what is kept later. There is none
// where GOMEMLIMIT is little: that counts it, too, and would collect all the time.
func ballast() []byte {
	if debug.SetMemoryLimit(-1) < 256<<20 {
		return nil
	}
	return make([]byte, 40<<20)
}

// written is how many bytes of bans are written at once where nobody reads along.
const written = 64 << 10

func (e *env) replay(ctx context.Context, t trials, paths []string) error {
	in := e.logs(paths)
	t.Waits = in.size == 0
	prompt := t.Waits || !regular(e.stdout)
	stop := e.watch(ctx, func(took time.Duration) string { return in.progress(t.Trials[0].Stats().Lines, took) })
	defer stop()
	began, bans := time.Now(), map[string]int{}
	var out bytes.Buffer // for few writes, as there may be many of these
	for vs, err := range t.Files(ctx, in.logs) {
		if err != nil {
			return errors.Join(err, e.flush(&out))
		}
		for _, v := range vs {
			if !v.Prolongs {
				bans[v.Ban.Jail]++
			}
			if err := e.verdict(&out, v, len(t.Trials) > 1); err != nil {
				return errors.Join(err, e.flush(&out))
			}
		}
		if prompt || out.Len() >= written {
			if err := e.flush(&out); err != nil {
				return err
			}
		}
	}
	if err := e.flush(&out); err != nil {
		return err
	}
	stop()
	if !e.json {
		e.summary(t, bans, in.read.Load(), time.Since(began))
	}
	return nil
}

// flush prints what is in out, which is empty then.
func (e *env) flush(out *bytes.Buffer) error {
	_, err := out.WriteTo(e.stdout)
	return err
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

// verdict prints a ban, and which jail it is of where there are several.
func (e *env) verdict(out *bytes.Buffer, v intake.Verdict, several bool) error {
	b := v.Ban
	if e.json {
		return encode(out, replayed{b.Subject, b.Jail, b.Since, b.Until, b.Failures, b.Nth, v.Prolongs, b.Reason, append([]string{}, v.Lines...)})
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
	if several {
		text += " by " + term.Clean(b.Jail, 80)
	}
	text += ": " + term.Clean(b.Reason, 200)
	if b.Nth > 1 && !v.Prolongs {
		text += fmt.Sprintf(", offence %d", b.Nth)
	}
	if never.PrivatePrefix(b.Subject) {
		text += " (private: told, not sent)"
	}
	all := since.AppendFormat(out.AvailableBuffer(), time.DateTime) // not printed piece by piece, for there may be many
	all = append(all, "  "+term.Subject(b.Subject)+" "+text+"\n"...)
	for _, line := range v.Lines {
		all = append(append(append(all, "    "...), term.Clean(line, 160)...), '\n')
	}
	_, err := out.Write(all)
	return err
}

// summary says what was seen, by which filters, and why what was left out was.
func (e *env) summary(t trials, bans map[string]int, size int64, took time.Duration) {
	how := fmt.Sprintf("%s in %s", term.Volume(size), took.Round(time.Millisecond))
	if len(t.Trials) == 1 {
		only := t.Trials[0]
		fmt.Fprintf(e.stdout, "filter: %s\n", term.Clean(t.by[only.Jail.Name], 400))
		fmt.Fprintf(e.stdout, "%s; %s\n", seen(only.Stats(), bans[only.Jail.Name]), how)
		e.remarks(only, "")
		return
	}
	var sum intake.Stats
	total := 0
	for _, one := range t.Trials {
		name, s := one.Jail.Name, one.Stats()
		fmt.Fprintf(e.stdout, "%s: %s\n", term.Clean(name, 80), term.Clean(t.by[name], 400))
		fmt.Fprintf(e.stdout, "    %s\n", seen(s, bans[name]))
		e.remarks(one, "    ")
		sum.Lines, sum.Failures, sum.Ignored = s.Lines, sum.Failures+s.Failures, sum.Ignored+s.Ignored
		total += bans[name]
	}
	fmt.Fprintf(e.stdout, "all %d jails: %s; %s, %.0f lines/s\n", len(t.Trials), seen(sum, total), how, float64(sum.Lines)/took.Seconds())
}

// seen words what jails have seen.
func seen(s intake.Stats, bans int) string {
	return fmt.Sprintf("%s, %s, %d ignored, %s", term.Count(int(s.Lines), "line"), term.Count(int(s.Failures), "failure"), s.Ignored, term.Count(bans, "ban"))
}

// remarks says what a jail has left out, and why.
func (e *env) remarks(t *intake.Trial, indent string) {
	s := t.Stats()
	dns := lookUp
	if t.Jail.Rules != nil && t.Jail.Rules.UseDNS == config.Yes {
		dns = "the daemon looks up its addresses, a replay does not"
	}
	texts := leftOut(s.Undated, s.Names, s.Spent, dns)
	const most = 5 // who is ignored; more tell nothing more
	who, n := t.Ignored()
	for i, g := range who[:min(most, len(who))] {
		texts = append(texts, fmt.Sprintf("ignored %s: %s: %s", term.Count(int(n[i]), "time"), g.Addr, term.Clean(g.Why, 200)))
	}
	if more := len(who) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("ignored: %d more", more))
	}
	for _, text := range []string{t.Proxy(), t.Misfit()} {
		if text != "" {
			texts = append(texts, term.Clean(text, 1000))
		}
	}
	for _, text := range texts {
		fmt.Fprintln(e.stdout, indent+text)
	}
}
