package intake

import (
	"context"
	"iter"
	"runtime"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake/ahead"
	"github.com/edgeban/edgeban/internal/intake/forms"
	"github.com/edgeban/edgeban/internal/intake/parcel"
	"github.com/edgeban/edgeban/internal/intake/ring"
	"github.com/edgeban/edgeban/internal/intake/spare"
	"github.com/edgeban/edgeban/internal/intake/tray"
	"github.com/edgeban/edgeban/internal/jail"
	"github.com/edgeban/edgeban/internal/never"
)

// A Replay runs logs through jails as if the daemon had read them late: in one
// pass, but each jail by itself, so that what one bans changes nothing for the
// others. It touches no ledger and no target, and looks no name up.
type Replay struct {
	Trials []*Trial // of jails that differ in their names
	Never  *never.List
	Forget time.Duration
	Now    time.Time // what counts as now: no stamp may be later
	Waits  bool      // logs may keep a reader waiting, as pipes do

	recent ring.Ring
	forms  forms.Forms

	all, each, other []Verdict // of a chunk; see judge
	opener           parcel.Opener
	parcels          spare.Stack[*parcel.Parcel] // to be used again
	trays            tray.Trays
	lender           lender
}

// A Trial is a jail in a Replay, and what came of it.
type Trial struct {
	Jail   config.Jail
	Ignore *never.List

	seq     edgeban.Seq
	watcher *Watcher // never reads itself: its twins do, one for each log
	fold    *jail.Jail
	ignored map[Ignored]int64
	forms   *forms.Forms
}

// A Verdict is a ban that would have been, and the lines that led to it.
type Verdict struct {
	Ban      edgeban.Ban
	Prolongs bool // it makes one longer that stood
	Lines    []string

	at int64 // the line that decided, in Unix nanoseconds
}

// Open prepares a replay. Errors are the filters'.
func (r *Replay) Open() error {
	for _, t := range r.Trials {
		w, err := NewWatcher(t.Jail, Settings{})
		if err != nil {
			return err
		}
		w.ignore.Store(t.Ignore)
		t.watcher = w
		t.fold = jail.New(t.Jail, r.Forget)
		t.ignored = map[Ignored]int64{}
		t.forms = &r.forms
	}
	return nil
}

// Files yields the bans that logs lead to, one log after the other, those of one chunk
// together, which are valid until the next. The bans of one jail come in the order of
// their lines; among jails the stamps decide.
// Counts go on from one log to the next, sessions do not, and whether a proxy
// hides the clients is asked of each log by itself.
//
// As many logs are read at a time as there are cores, and two cores share one log. That
// changes no verdict.
func (r *Replay) Files(ctx context.Context, logs []Log) iter.Seq2[[]Verdict, error] {
	return func(yield func([]Verdict, error) bool) {
		crew := r.crew(len(logs))
		open := func(ctx context.Context, i int) iter.Seq[func() found] {
			return r.pass(logs[i], crew.Others == 0).read(ctx)
		}
		for f := range ahead.Join(ctx, crew, len(logs), open) {
			if !r.fold(f, yield) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// maxAhead bounds how many bytes are known of logs whose turn has not come.
const maxAhead = 50 << 20

// crew returns who reads so many logs.
func (r *Replay) crew(logs int) ahead.Crew {
	cores := runtime.GOMAXPROCS(0)
	c := ahead.Crew{Others: max(0, min(cores, 2*logs)-1), Room: maxAhead / max(1, min(cores, logs))}
	if c.Waits = r.Waits && cores > 1; c.Waits {
		c.Others = min(cores, logs)
	}
	return c
}

// fold yields the bans that what was found leads to, and reports whether to go on.
func (r *Replay) fold(f found, yield func([]Verdict, error) bool) bool {
	if f.err != nil {
		yield(nil, f.err)
		return false
	}
	if f.parcel != nil {
		f.findings = r.opener.Open(f.parcel)
		r.parcels.Put(f.parcel)
	}
	if vs := r.judge(f.findings); len(vs) > 0 && !yield(vs, nil) {
		return false
	}
	if f.end {
		f.by.trays.Clear()
		r.forms.Add(f.by.forms)
		for i, w := range f.by.panel.watchers {
			r.Trials[i].watcher.vantage.add(&w.vantage)
		}
	}
	return true
}

// judge returns the bans that what was found in one chunk leads to.
func (r *Replay) judge(f findings) []Verdict {
	r.all = r.all[:0]
	for i, ms := range f {
		r.Trials[i].fold.Near(ms)
		r.each = r.each[:0]
		for k := range ms {
			r.observe(r.Trials[i], &ms[k])
		}
		r.merge()
	}
	return r.all
}

// merge makes one sequence of all and each, by the stamps, and keeps the order of both.
func (r *Replay) merge() {
	if len(r.all) == 0 || len(r.each) == 0 {
		r.all = append(r.all, r.each...)
		return
	}
	a, b := r.all, r.each
	r.other = r.other[:0]
	for len(a) > 0 && len(b) > 0 {
		if b[0].at < a[0].at {
			r.other, b = append(r.other, b[0]), b[1:]
		} else {
			r.other, a = append(r.other, a[0]), a[1:]
		}
	}
	r.all, r.other = append(append(r.other, a...), b...), r.all
}

// observe takes a match in, and notes the ban that it leads to with each.
func (r *Replay) observe(t *Trial, m *edgeban.Match) {
	t.seq++
	n, few := r.recent.Next(), max(1, min(t.Jail.MaxRetry, 20))
	b, before := t.fold.Match(t.seq, m, n)
	switch {
	case m.Ignored != "":
		t.ignore(*m)
	case m.Kind == edgeban.Failure:
		r.recent.Add(before, m.Text, few)
	}
	if b != nil {
		r.each = append(r.each, Verdict{*b, t.fold.Prolongs(*b), r.recent.Last(n, few), m.Time.UnixNano()})
	}
}

// Stats returns what was seen until now. It may be asked while logs are read.
func (t *Trial) Stats() Stats { return t.watcher.Stats() }

// Misfit says what the lines are where the jail's patterns have found nothing in
// them because they read no such lines, or returns "".
func (t *Trial) Misfit() string {
	if s := t.Stats(); t.Jail.Rules == nil || s.Failures+s.Successes+s.Ignored+s.Names+s.Undated > 0 {
		return ""
	}
	return t.forms.Say()
}
