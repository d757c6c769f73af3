package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// A ban may be imposed while something is pruned, after the evidence of all bans
// was written down.
func TestEvidenceOfABanThatComesMeanwhileStays(t *testing.T) {
	for _, size := range []int64{0, 1} {
		b := newBench(t, Options{})
		b.must(b.Record(t.Context(), batch(0, 2000, "2000"))) // two pages, of which one has the evidence
		p := pruning{s: b.Store, t: noon.Add(48 * time.Hour), r: edgeban.Retention{Matches: time.Hour, Size: size}, judged: 2000}
		b.must(p.pin(t.Context()))
		ban := banOf(0)
		m := batch(3, 1, "").Matches[0]
		ban.Subject, ban.Cause = m.Subject, 2000
		b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: ban}))
		if size > 0 {
			b.must(p.big(t.Context()))
		} else {
			b.must(p.old(t.Context()))
		}
		r, err := b.About(t.Context(), ban.Subject, 9)
		b.must(err)
		if len(r.Matches) != 1 || r.Matches[0].ID != m.ID {
			t.Errorf("size %d: got %v, want what the ban was decided by", size, r.Matches)
		}
		b.want(fmt.Sprint("events with size ", size), b.events(), 2)
		b.must(b.Close())
	}
}

// The evidence of many bans is looked up some at a time: none may be left out
// between two times, nor what comes meanwhile be taken for written down.
func TestEvidenceOfAFloodStays(t *testing.T) {
	const n = together + 100
	b := newBench(t, Options{})
	b.must(b.Record(t.Context(), batch(0, n, "")))
	var all []edgeban.Verdict
	for i, m := range batch(0, n, "").Matches {
		ban := banOf(i)
		ban.Subject, ban.Cause = m.Subject, edgeban.Seq(i+1)
		all = append(all, edgeban.Verdict{Ban: ban})
	}
	b.must(b.Impose(t.Context(), all...))
	b.must(b.Prune(t.Context(), noon.Add(48*time.Hour), edgeban.Retention{Matches: time.Hour}))
	var pinned int
	b.must(b.file.Writer.QueryRowContext(t.Context(), "select count(*) from evidence").Scan(&pinned))
	b.want("matches that are evidence", pinned, n)
	b.want("events", b.events(), 2*n)
	b.must(b.Close())
}

// What nearly all was forgotten of must not leave a page for each line.
func TestSmallPagesBecomeBigOnes(t *testing.T) {
	pages := func(b *bench) (n int) {
		b.must(b.file.Writer.QueryRowContext(t.Context(), "select count(*) from page").Scan(&n))
		return n
	}
	b := newBench(t, Options{})
	for i := range 2000 {
		b.must(b.Record(t.Context(), batch(i, 1, fmt.Sprint(i))))
	}
	if n := pages(b); n > 2000/512+64 {
		t.Errorf("%d pages of 2000 matches that came one by one", n)
	}
	b.want("events", b.events(), 2000)
	for i := 100; i < 2000; i += 100 {
		ban := banOf(i)
		ban.Subject, ban.Cause = batch(i, 1, "").Matches[0].Subject, 2000
		b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: ban}))
	}
	b.must(b.Prune(t.Context(), noon.Add(48*time.Hour), edgeban.Retention{Matches: time.Hour, Bans: 365 * 24 * time.Hour}))
	if n := pages(b); n != 1 {
		t.Errorf("%d pages of 19 matches that are evidence, want 1", n)
	}
	b.want("events that are left", b.events(), 19+19)
	b.must(b.Close())
}

// Of each stay the last note stays, however many there are between.
func TestOnlyTheLastNoteOfAStayIsKept(t *testing.T) {
	b := newBench(t, Options{})
	const entries = 3 * pruneRows / 2
	var last []edgeban.Held
	for round := range 3 {
		last = last[:0]
		for i := range entries {
			h := edgeban.Held{Subject: banOf(i).Subject, Target: "edge", Sent: noon}
			if round > 0 {
				h.Held = noon.Add(time.Duration(round) * time.Second)
			}
			last = append(last, h)
		}
		b.must(b.Note(t.Context(), last, nil))
	}
	b.must(b.Prune(t.Context(), noon.Add(time.Hour), edgeban.Retention{Bans: 24 * time.Hour}))
	var rows, right int
	b.must(b.file.Writer.QueryRowContext(t.Context(), "select count(*), sum(held = ?) from held", last[0].Held.UnixNano()).Scan(&rows, &right))
	if rows != entries || right != entries {
		t.Errorf("%d notes stay, %d of them the last, want %d", rows, right, entries)
	}
}
