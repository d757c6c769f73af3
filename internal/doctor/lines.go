package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
)

// enough is how much of the end of a log is looked at.
const enough = 4 << 20

// A tail is the last lines of a log, and when they were written.
type tail struct {
	path    string
	text    []byte // whole lines
	written time.Time
}

// readTail reads the end of a log.
func readTail(path string) (t tail, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	from := max(0, info.Size()-enough)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return t, err
	}
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // whole lines only
	return tail{path, text, info.ModTime()}, nil
}

// A look is what a jail finds at the end of its logs.
type look struct {
	lines, undated   int
	found            int // matches that name an address
	failures         int
	guarded          map[string]int // failures of who is never banned for what it is, by why
	probes           intake.Probes
	skew             string // how the stamps lie off the clock
	dated, unstamp   string // logs whose last line has a stamp, or none
	proxy, otherwise string // what intake says of a proxy, and of lines that are no lines of its kind
}

// jail looks at what a jail finds in the end of its logs.
func (e *exam) jail(ctx context.Context, j config.Jail, paths []string) {
	part := "jail " + j.Name
	f, err := intake.Open(j)
	if err != nil {
		e.link(part, "filter").broken("correct it; edgeban check names the place", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	if len(paths) == 0 {
		why := "none of its logs can be read"
		if len(e.patterns()) == 0 {
			why = "it reads the standard input"
		}
		for _, name := range []string{"dates", "clock", "matches", "subjects"} {
			e.link(part, name).untried("%s", why)
		}
		return
	}
	var tails []tail
	for _, path := range paths {
		t, err := readTail(path)
		if err != nil {
			e.link(part, "filter").warn("", "%v", err)
			continue
		}
		tails = append(tails, t)
	}
	k := e.look(j, f, tails)
	k.proxy, k.otherwise = e.replay(ctx, j, tails)
	e.dates(part, k)
	e.matches(part, j, k, tails)
	e.subjects(part, k)
}

// look runs a jail's filter over the ends of its logs.
func (e *exam) look(j config.Jail, f *intake.Filter, tails []tail) look {
	k := look{guarded: map[string]int{}}
	o := filter.Options{Jail: j.Name, Zone: j.LogTimezone}
	for _, t := range tails {
		s := f.Scanner(o)
		for m := range s.Scan(edgeban.Chunk{Stream: t.path, Origin: t.path, Text: t.text, Read: e.Now}) {
			k.match(e, t.path, m)
		}
		st := s.Stats()
		k.lines += int(st.Lines)
		k.undated += int(st.Undated)
		k.found += int(st.Names)
		if len(t.text) == 0 {
			continue
		}
		skew, dated := lastStamp(f, o, t)
		if dated {
			k.dated = t.path
		} else {
			k.unstamp = t.path
		}
		if skew != "" && e.Now.Sub(t.written) < still { // an old file may be a copy
			k.skew = t.path + ": " + skew
		}
	}
	return k
}

func (k *look) match(e *exam, path string, m edgeban.Match) {
	n := max(1, m.Count)
	k.found += n
	if m.Kind == edgeban.Failure {
		why, ok := e.list.Contains(m.Addr)
		guarded := ok && !strings.HasPrefix(why, "never: ")
		if guarded && k.probes.Left(&m) {
			n = 0
		}
		k.failures += n
		if guarded && n > 0 {
			k.guarded[m.Addr.String()+", "+why] += n
		}
	}
	if never.Private(m.Addr) && len(e.clients) < 1000 {
		if e.clients == nil {
			e.clients = map[netip.Addr]string{}
		}
		e.clients[m.Addr] = path
	}
}

// lastStamp says how the stamp of a log's last line lies off the moment at which the
// file was written, as the filter's own clockwork has it, and whether it has one. A
// line without a stamp is off no clock, not even off one that is wrong by hours.
func lastStamp(f *intake.Filter, o filter.Options, t tail) (skew string, dated bool) {
	last := t.text[bytes.LastIndexByte(t.text[:len(t.text)-1], '\n')+1:]
	gauge := func(read time.Time) filter.Stats {
		s := f.Scanner(o)
		for range 3 { // fewer are no skew: one line may be late
			for range s.Scan(edgeban.Chunk{Stream: t.path, Origin: t.path, Text: last, Read: read, Live: true}) {
			}
		}
		return s.Stats()
	}
	const wrong = 5 * time.Hour
	right := gauge(t.written).Skew
	return right.String(), right.Offset != 0 || gauge(t.written.Add(wrong)).Skew.Offset != 0
}

// replay asks intake what it makes of the logs as a whole.
func (e *exam) replay(ctx context.Context, j config.Jail, tails []tail) (proxy, otherwise string) {
	trial := &intake.Trial{Jail: j}
	r := &intake.Replay{Trials: []*intake.Trial{trial}, Never: e.list, Forget: e.Config.Forget, Now: e.Now}
	if r.Open() != nil {
		return "", "" // said already, by who opened the filter
	}
	var logs []intake.Log
	for _, t := range tails {
		logs = append(logs, intake.Log{Name: t.path, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t.text)), nil }})
	}
	for _, err := range r.Files(ctx, logs) {
		if err != nil { // it was asked to end
			return "", ""
		}
	}
	return trial.Proxy(), trial.Misfit()
}

func (e *exam) dates(part string, k look) {
	dates, clock := e.link(part, "dates"), e.link(part, "clock")
	switch {
	case k.lines == 0:
		dates.untried("its logs are empty")
		clock.untried("its logs are empty")
		return
	case k.undated > 0:
		dates.broken("let the service write a date that edgeban knows, or name it as datepattern:", "%d failing lines have no date that edgeban knows: they do not count", k.undated)
	case k.dated == "":
		dates.broken("let the service write a date that edgeban knows, or name it as datepattern:", "the last line of %s has no date that edgeban knows", k.unstamp)
	default:
		dates.good("lines have dates")
	}
	switch {
	case k.dated == "":
		clock.untried("no line says when it was written")
	case k.skew != "":
		what, advice, _ := strings.Cut(strings.ReplaceAll(k.skew, " since 3 lines", " when they are written"), "; ")
		if !strings.Contains(advice, "logtimezone") {
			advice += "; if the file is a copy, or was touched, look again when lines have come"
		}
		clock.warn(advice, "%s", what)
	default:
		clock.good("stamps are in step with the clock")
	}
}

// matches asks whether the filter finds anything, and if not, whether another would.
func (e *exam) matches(part string, j config.Jail, k look, tails []tail) {
	l := e.link(part, "matches")
	other, n := "", 0
	if k.found == 0 && k.undated == 0 && j.Rules == nil {
		other, n = e.better(j, tails)
	}
	switch {
	case k.found > 0:
		l.good("%d in the last %d lines", k.found, k.lines)
	case k.undated > 0:
		l.good("%d in the last %d lines, but without a date", k.undated, k.lines)
	case other != "":
		l.warn("filter: "+other+" in this jail, or a jail of that filter for the same log", "%s finds nothing in the last %d lines, and %s finds %d", j.Filter, k.lines, other, n)
	case k.otherwise != "":
		l.broken("let the jail read a log of the form that its patterns are for", "%s", k.otherwise)
	default:
		l.untried("nothing in the last %d lines: fail to log in once, and look again", k.lines)
	}
}

// better returns the built-in filter that finds most in the ends of a jail's logs.
func (e *exam) better(j config.Jail, tails []tail) (best string, most int) {
	for _, name := range filter.Builtin() {
		f, err := intake.Open(config.Jail{Filter: name})
		if err != nil || e.watched(name, tails) {
			continue
		}
		n := 0
		for _, t := range tails {
			for range f.Scanner(filter.Options{Jail: j.Name, Zone: j.LogTimezone}).Scan(edgeban.Chunk{Text: t.text, Read: e.Now}) {
				n++
			}
		}
		if n > most {
			best, most = name, n
		}
	}
	return best, most
}

// watched reports whether some jail looks with a filter into any of the logs.
func (e *exam) watched(filter string, tails []tail) bool {
	for _, j := range e.Config.Jails {
		for _, t := range tails {
			if j.Filter == filter && reads(j, t.path) {
				return true
			}
		}
	}
	return false
}

// subjects asks whether those who fail are clients, or something in between that
// hides them.
func (e *exam) subjects(part string, k look) {
	l := e.link(part, "subjects")
	guarded, who := 0, []string{}
	for why, n := range k.guarded {
		guarded += n
		who = append(who, fmt.Sprintf("%s (%d)", why, n))
	}
	const few = 3
	switch {
	case k.proxy != "":
		what, advice, ok := strings.Cut(k.proxy, " Turn ")
		if ok {
			advice = "turn " + advice
		}
		l.broken(advice, "%s", strings.TrimPrefix(what, "jail "+strings.TrimPrefix(part, "jail ")+": "))
	case k.failures == 0:
		l.untried("nobody has failed in what was read")
	case guarded >= few && guarded == k.failures:
		l.broken("let the service see its clients: the PROXY protocol through a proxy, and no NAT that hides them (NAT reflection, docker-proxy)",
			"everybody who fails comes from %s: that hides the clients, and is never banned", strings.Join(who, ", "))
	default:
		l.good("%d failures come from clients", k.failures-guarded)
	}
}
