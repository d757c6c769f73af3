package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
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
		err = e.print(st)
	} else {
		st.Now = st.Now.Local()
		e.status(st)
	}
	if err == nil && !st.Healthy {
		return errSaid
	}
	return err
}

// status shows the daemon at a glance, on 80 columns. Moments are shown in the
// zone of st.Now.
func (e *env) status(st web.Status) {
	word := "healthy"
	if !st.Healthy {
		word = term.Count(len(st.Troubles), "trouble")
	}
	fmt.Fprintf(e.stdout, "edgeban %s, up %s, %s\n", term.Clean(st.Version, 40), term.Span(st.Now.Sub(st.Started)), word)
	for _, t := range st.Troubles {
		fmt.Fprintf(e.stdout, "  ! %s\n", term.Clean(t, 1000))
	}
	e.statusProof(st)
	e.statusJails(st.Jails)
	e.statusTargets(st.Targets, st.Now)
	e.statusStreams(st.Streams, st.Now)
	if len(st.Notifiers) > 0 {
		rows := [][]string{{"NOTIFY", "LAST MESSAGE"}}
		for _, n := range st.Notifiers {
			last := term.Clock(n.Last, st.Now)
			if n.Error != "" {
				last = "failing; last " + last
			}
			rows = append(rows, []string{term.Clean(n.Name, 20), last})
		}
		fmt.Fprintln(e.stdout)
		term.Columns(e.stdout, "ll", rows)
	}
}

// statusProof says of each target in one line how it stands with the bans.
func (e *env) statusProof(st web.Status) {
	for _, t := range st.Targets {
		if t.Looked.IsZero() {
			continue
		}
		name, verb := term.Clean(t.Name, 20), "held at"
		if t.Served {
			verb = "served by"
		}
		text := fmt.Sprintf("%s banned, %s %s %s, checked %s ago", term.Thousands(uint64(t.Wanted)), term.Thousands(uint64(t.Held)), verb, name, term.Span(st.Now.Sub(t.Looked).Truncate(time.Second)))
		if !t.From.IsZero() {
			since := "today"
			if y, m, d := st.Now.Date(); t.From.After(time.Date(y, m, d, 0, 0, 0, 0, st.Now.Location())) {
				since = "since " + t.From.In(st.Now.Location()).Format("15:04")
			}
			text += fmt.Sprintf(", %s dropped %s", term.Packets(t.Dropped), since)
		}
		fmt.Fprintln(e.stdout, text)
		if t.Sync != nil {
			fmt.Fprintf(e.stdout, "  syncing: %s of %s sent%s\n", term.Thousands(uint64(t.Sync.Sent)), term.Thousands(uint64(t.Sync.Of)), about(t.Sync.Left))
		}
	}
}

// about says how long something takes still, in words that promise no more than is
// known.
func about(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Minute:
		return ", less than a minute left"
	}
	return ", about " + term.Count(int(d.Round(time.Minute)/time.Minute), "minute") + " left"
}

func (e *env) statusJails(jails []web.Jail) {
	if len(jails) == 0 {
		return
	}
	rows := [][]string{{"JAIL", "LINES", "FAILURES", "IGNORED", "COUNTING", "BANNED"}}
	for _, j := range jails {
		rows = append(rows, []string{
			term.Clean(j.Name, 20), number(j.Lines), number(j.Failures), number(j.Ignored),
			number(int64(j.Counting)), number(int64(j.Banned)),
		})
		for _, text := range leftOut(j.Undated, j.Names, j.Spent, lookUp) {
			rows = append(rows, []string{text})
		}
	}
	fmt.Fprintln(e.stdout)
	term.Columns(e.stdout, "lrrrrr", rows)
}

// leftOut says what a jail has seen and not counted, and the way out.
func leftOut(undated, names, spent int64, dns string) (texts []string) {
	if undated > 0 {
		texts = append(texts, term.Count(int(undated), "failing line")+" without a date that edgeban knows: left out")
	}
	if names > 0 {
		texts = append(texts, namely(names)+": not banned; "+dns)
	}
	if spent > 0 {
		texts = append(texts, term.Count(int(spent), "search")+" given up: edgeban check --patterns names what to simplify")
	}
	return texts
}

// lookUp is the way out for failures of hosts.
const lookUp = "usedns = yes looks up its addresses"

// namely words failures of hosts.
func namely(n int64) string {
	verb := "name"
	if n == 1 {
		verb = "names"
	}
	return term.Count(int(n), "failure") + " " + verb + " a host instead of an address"
}

func (e *env) statusTargets(targets []web.Target, now time.Time) {
	if len(targets) == 0 {
		return
	}
	rows := [][]string{{"TARGET", "WANTED", "HELD", "WAITING", "FOREIGN", "LAST LOOK"}}
	for _, t := range targets {
		rows = append(rows, []string{
			term.Clean(t.Name, 20), number(int64(t.Wanted)), number(int64(t.Held)), number(int64(t.Waiting + t.Missing)),
			number(int64(t.Foreign)), looked(t, now),
		})
		if t.Refused > 0 {
			rows = append(rows, []string{term.Count(t.Refused, "ban") + " not sent: edgeban bans says why"})
		}
		for _, n := range t.Notes {
			for _, line := range term.Wrap(term.Clean(n, 1000), 74) {
				rows = append(rows, []string{line})
			}
		}
		if t.Doubt != "" {
			rows = append(rows, []string{"nothing is removed: " + term.Clean(t.Doubt, 200)})
		}
	}
	fmt.Fprintln(e.stdout)
	term.Columns(e.stdout, "lrrrrl", rows)
}

func (e *env) statusStreams(streams []web.Stream, now time.Time) {
	if len(streams) == 0 {
		return
	}
	rows := [][]string{{"LOG", "SIZE", "BEHIND", "LAST READ"}}
	for _, s := range streams {
		size, behind := term.Volume(s.Size), term.Volume(s.Size-s.Offset)
		if s.Source != "" {
			size, behind = number(int64(s.Lines))+" lines", "-"
			if s.Origin == s.Source { // it is all its senders
				size = "-"
			}
		}
		rows = append(rows, []string{tail(s.Origin, 44), size, behind, term.Clock(s.Read, now)})
		if s.Skipped > 0 {
			rows = append(rows, []string{term.Count(int(s.Skipped), "line") + " longer than 64 KiB: skipped"})
		}
		if s.Dropped > 0 {
			rows = append(rows, []string{term.Count(int(s.Dropped), "line") + " lost: they came faster than they could be recorded (TCP would wait)"})
		}
		for _, text := range []string{s.Note, s.Error} {
			if text != "" {
				rows = append(rows, []string{term.Clean(text, 400)})
			}
		}
	}
	fmt.Fprintln(e.stdout)
	term.Columns(e.stdout, "lrrl", rows)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func looked(t web.Target, now time.Time) string {
	switch {
	case t.Error != "" && !t.Since.IsZero():
		return "failing for " + term.Span(now.Sub(t.Since))
	case t.Looked.IsZero():
		return "not yet"
	}
	return term.Span(now.Sub(t.Looked)) + " ago"
}

// tail shows the end of a path that is too long.
func tail(s string, limit int) string {
	s = term.Clean(s, 4096)
	if r := []rune(s); len(r) > limit {
		return "…" + string(r[len(r)-limit+1:])
	}
	return s
}
