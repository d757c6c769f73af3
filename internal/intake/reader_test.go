package intake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/never"
)

// A tape yields chunks of a line each, a pause after each.
type tape struct {
	lines []string
	pause time.Duration
	end   bool // the last chunk ends the stream
}

func (s tape) Chunks(ctx context.Context, _ map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		for i, line := range s.lines {
			c := edgeban.Chunk{
				Source: "file", Stream: "s", Origin: "/log", Text: []byte(line + "\n"), Base: int64(i) * 1000,
				To: fmt.Sprint(i + 1), Read: time.Now(), Live: true, End: s.end && i == len(s.lines)-1,
			}
			if line == "!" {
				c.Text = nil
				if !yield(c, errors.New("cannot be read")) {
					return
				}
				continue
			}
			if !yield(c, nil) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(s.pause):
			}
		}
	}
}

// A shelf is a ledger that may be full.
type shelf struct {
	edgeban.Ledger
	mu      sync.Mutex
	full    bool
	broken  error
	batches []edgeban.Batch
}

func (s *shelf) Record(_ context.Context, b edgeban.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken != nil:
		return s.broken
	case s.full:
		return edgeban.ErrFull
	}
	s.batches = append(s.batches, b)
	return nil
}

func (s *shelf) set(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

// String lists the cursors and how many matches came with each.
func (s *shelf) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, b := range s.batches {
		text := b.To
		if n := len(b.Matches); n > 0 {
			text += fmt.Sprintf("+%d", n)
		}
		if b.End {
			text += " end"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

const (
	fails  = "Nov 22 12:00:00 host sshd[1]: Failed password for root from 203.0.113.9 port 4000 ssh2"
	speaks = "Nov 22 12:00:00 host sshd[1]: Server listening on 0.0.0.0 port 22."
)

func reading(t *testing.T, s tape, l edgeban.Ledger) *Reader {
	t.Helper()
	c := config.NewJail("sshd")
	c.LogPath, c.LogTimezone = []string{"/log"}, time.UTC
	w, err := NewWatcher(c, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return &Reader{Name: "file", Source: s, Jails: []*Watcher{w}, Ledger: l, Never: func() *never.List { return nil }}
}

func untold(string, error) {}

func TestCursorOfLinesThatGaveNothingIsSavedInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &shelf{}
		r := reading(t, tape{lines: []string{speaks, speaks, speaks, fails, speaks}, pause: 400 * time.Millisecond}, l)
		if err := r.Run(t.Context(), nil, untold); err != nil {
			t.Fatal(err)
		}
		if got, want := l.String(), "3, 4+1, 5"; got != want {
			t.Errorf("recorded %s, want %s: the first three lines once, what failed at once, the rest at the end", got, want)
		}
	})
}

func TestEndOfAStreamIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &shelf{}
		r := reading(t, tape{lines: []string{fails, speaks}, end: true}, l)
		if err := r.Run(t.Context(), nil, untold); err != nil {
			t.Fatal(err)
		}
		if got, want := l.String(), "1+1, 2 end"; got != want {
			t.Errorf("recorded %s, want %s", got, want)
		}
		if n := len(r.Jails[0].scanners); n != 0 {
			t.Errorf("%d scanners are kept for logs that have ended", n)
		}
	})
}

// While the ledger cannot take more, nothing is read: the log is the queue.
func TestFullLedgerIsWaitedForUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &shelf{full: true}
		began := time.Now()
		time.AfterFunc(time.Minute, func() { l.set(false) })
		if done, err := record(t.Context(), l, edgeban.Batch{To: "1"}); !done || err != nil || l.String() != "1" {
			t.Errorf("got %v %v, and %q recorded, want the batch", done, err, l)
		}
		if took := time.Since(began); took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("it took %v, want until the ledger had room", took)
		}
		l.set(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if done, err := record(ctx, l, edgeban.Batch{To: "2"}); done || err != nil || l.String() != "1" {
			t.Errorf("at the end: %v %v, and %q recorded, want it left for the next start", done, err, l)
		}
	})
}

func TestBrokenLedgerEndsTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no such table")
		r := reading(t, tape{lines: []string{speaks, fails, speaks}, pause: time.Second}, &shelf{broken: broken})
		if err := r.Run(t.Context(), nil, untold); !errors.Is(err, broken) || !strings.Contains(err.Error(), "source file") {
			t.Errorf("got %v, want the ledger's error and the source", err)
		}
	})
}

func TestStreamThatCannotBeReadIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &shelf{}
		var told []string
		r := reading(t, tape{lines: []string{fails, "!", fails}}, l)
		if err := r.Run(t.Context(), nil, func(stream string, err error) { told = append(told, stream+": "+err.Error()) }); err != nil {
			t.Fatal(err)
		}
		if len(told) != 1 || told[0] != "s: cannot be read" || l.String() != "1+1, 3+1" {
			t.Errorf("told %q, recorded %s", told, l)
		}
	})
}

func TestMistakeOfAPatternNamesIt(t *testing.T) {
	c := nameRules(config.Warn)
	c.Rules.FailRegex = append(c.Rules.FailRegex, "(unclosed from <HOST>")
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "failregex 2") {
		t.Errorf("got %v, want the place of the pattern", err)
	}
	c = config.NewJail("nobody-has-this")
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "sshd") {
		t.Errorf("got %v, want the filters that there are", err)
	}
}

func TestDegradedJailIsToldUntilItStops(t *testing.T) {
	w := &Watcher{Jail: config.NewJail("app"), counters: &counters{}}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if text := w.Degraded(at); text != "" {
		t.Errorf("nothing gave up: %q", text)
	}
	w.scanned(filter.Stats{}, filter.Stats{Spent: 3}, at)
	w.scanned(filter.Stats{Spent: 3}, filter.Stats{Spent: 3, Lines: 1}, at.Add(time.Hour))
	if text := w.Degraded(at.Add(degraded)); !strings.Contains(text, "jail app") || !strings.Contains(text, "3 searches") {
		t.Errorf("got %q, want the jail and how many", text)
	}
	if text := w.Degraded(at.Add(degraded + time.Second)); text != "" {
		t.Errorf("after it stopped: %q", text)
	}
}
