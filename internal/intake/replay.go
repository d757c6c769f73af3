package intake

import (
	"context"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/jail"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/source"
)

// A Replay runs logs through a jail as if the daemon had read them late. It
// touches no ledger and no target, and looks no name up.
type Replay struct {
	Jail   config.Jail
	Never  *never.List
	Ignore *never.List
	Forget time.Duration
	Now    time.Time // what counts as now: no stamp may be later

	watcher *Watcher
	fold    *jail.Jail
	seq     edgeban.Seq
	recent  map[netip.Prefix][]edgeban.Match
	ignored map[Ignored]int64
	forms   forms
}

// A Verdict is a ban that would have been, and the lines that led to it.
type Verdict struct {
	Ban      edgeban.Ban
	Prolongs bool // it makes one longer that stood
	Lines    []edgeban.Match
}

// Open prepares a replay. Errors are the filter's.
func (r *Replay) Open() error {
	w, err := NewWatcher(r.Jail, Settings{})
	if err != nil {
		return err
	}
	w.ignore.Store(r.Ignore)
	r.watcher = w
	r.fold = jail.New(r.Jail, r.Forget)
	r.recent = map[netip.Prefix][]edgeban.Match{}
	r.ignored = map[Ignored]int64{}
	return nil
}

// File yields the bans that a log leads to, in its order. The counts go on from
// one file to the next.
func (r *Replay) File(ctx context.Context, in io.Reader) iter.Seq2[Verdict, error] {
	return func(yield func(Verdict, error) bool) {
		for c, err := range source.NewStdin(in).Chunks(ctx, nil) {
			if err != nil {
				yield(Verdict{}, err)
				return
			}
			c.Live, c.Read, c.Times = false, r.Now, nil
			r.forms.look(c.Text)
			for _, m := range r.watcher.scan(c, r.Never) {
				if v, ok := r.observe(m); ok && !yield(v, nil) {
					return
				}
			}
		}
	}
}

func (r *Replay) observe(m edgeban.Match) (Verdict, bool) {
	r.seq++
	switch {
	case m.Ignored != "":
		r.ignore(m)
	case m.Kind == edgeban.Failure:
		r.keep(m)
	}
	b, ok := r.fold.Observe(edgeban.Event{Seq: r.seq, Fact: m})
	if !ok {
		return Verdict{}, false
	}
	v := Verdict{b, r.fold.Prolongs(b), r.recent[b.Subject]}
	delete(r.recent, b.Subject)
	return v, true
}

// keep remembers the last lines of a subject, as many as a ban takes.
func (r *Replay) keep(m edgeban.Match) {
	if len(r.recent) > jail.MaxSubjects {
		clear(r.recent) // the lines of the few who are being counted come again
	}
	ms := append(r.recent[m.Subject], m)
	if over := len(ms) - min(r.Jail.MaxRetry, 20); over > 0 {
		ms = ms[over:]
	}
	r.recent[m.Subject] = ms
}

// Stats returns what was seen until now.
func (r *Replay) Stats() Stats { return r.watcher.Stats() }

// Proxy says what to change where a proxy hides the clients, or returns "".
func (r *Replay) Proxy() string { return r.watcher.Proxy() }

// Misfit says what the lines are where the jail's patterns have found nothing in
// them because they read no such lines, or returns "".
func (r *Replay) Misfit() string {
	if s := r.Stats(); r.Jail.Rules == nil || s.Failures+s.Successes+s.Ignored+s.Names+s.Undated > 0 {
		return ""
	}
	return r.forms.say()
}
