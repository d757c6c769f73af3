package daemon

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon/judge"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

// A script is a source that yields one line a chunk, each read at the time of its
// stamp, from a cursor on; it ends after some lines.
type script struct {
	lines []string
	read  []time.Time
	end   int
	pause func() // after each line
}

func (s *script) Chunks(_ context.Context, cursors map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		from := 0
		if c := cursors["day"]; c != "" {
			if _, err := fmt.Sscan(c, &from); err != nil {
				yield(edgeban.Chunk{}, err)
				return
			}
		}
		for i := max(0, from-40); i < s.end; i++ {
			c := edgeban.Chunk{
				Source: "script", Stream: "day", Origin: "/log", Text: []byte(s.lines[i] + "\n"), Base: int64(i) * 10_000,
				From: fmt.Sprint(i), To: fmt.Sprint(i + 1), Read: s.read[i], Live: true, Seen: i < from,
			}
			if !yield(c, nil) {
				return
			}
			s.pause()
		}
	}
}

// recordedDay is the reference capture of the mail servers, in the order of its stamps.
func recordedDay(t *testing.T) *script {
	t.Helper()
	s := &script{}
	type dated struct {
		at   time.Time
		line string
	}
	var all []dated
	for _, name := range []string{"dovecot.pp.log", "postfix.pp.log"} {
		b, err := os.ReadFile(filepath.Join("..", "filter", "testdata", "captured", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			at, err := time.Parse("2006 Jan _2 15:04:05", "2026 "+line[:15])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, dated{at, strings.TrimSpace(line)})
		}
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	for _, d := range all {
		s.lines, s.read = append(s.lines, d.line), append(s.read, d.at)
	}
	return s
}

// events returns the ends of all lines that some filter knows, and the end of all.
func (s *script) events(t *testing.T) (ends []int) {
	t.Helper()
	var scanners []*filter.Scanner
	for _, name := range []string{"dovecot", "postfix"} {
		f, err := filter.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		scanners = append(scanners, f.Scanner(filter.Options{Jail: name, Zone: time.UTC}))
	}
	for i, line := range s.lines {
		for _, sc := range scanners {
			for range sc.Scan(edgeban.Chunk{Stream: "day", Text: []byte(line + "\n"), Base: int64(i), Read: s.read[i], Live: true}) {
				ends = append(ends, i+1)
			}
		}
	}
	return append(slices.Compact(ends), len(s.lines))
}

// dayJails are what watches the day: one jail of each way to count, and recidive.
func dayJails() []config.Jail {
	jail := func(name, filter string, change func(*config.Jail)) config.Jail {
		j := config.NewJail(name)
		j.Filter, j.LogPath, j.MaxRetry, j.LogTimezone = filter, []string{"/log"}, 3, time.UTC
		j.FindTime, j.BanTime = 2*time.Minute, 20*time.Second
		change(&j)
		return j
	}
	recidive := config.NewJail("recidive")
	recidive.MaxRetry = 2
	return []config.Jail{
		jail("dovecot", "dovecot", func(j *config.Jail) { j.Increment.RandomTime = time.Minute }),
		jail("postfix", "postfix", func(j *config.Jail) { j.Count = config.Rate }),
		jail("postfix-any", "postfix", func(j *config.Jail) { j.MaxRetry = 1 }),
		recidive,
	}
}

// life runs the readers and judges over a ledger file until all lines that the
// script has are judged, then ends as a kill would: nothing is handed over but
// the file.
func life(t *testing.T, path string, s *script) []edgeban.Ban {
	t.Helper()
	store, err := sqlite.Open(path, sqlite.Options{Now: s.read[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &intake.Reader{Name: "script", Source: s, Ledger: store, Never: func() *never.List { return nil }}
	var judges []*judge.Judge
	for _, j := range dayJails() {
		judges = append(judges, &judge.Judge{
			Jail: j, Ledger: store, Lease: store, Log: slog.New(slog.DiscardHandler), Forget: 90 * 24 * time.Hour,
			Now: func() time.Time { return s.read[0] }, Sure: func() bool { return true }, Inside: never.PrivatePrefix,
		})
		if len(j.LogPath) == 0 {
			continue
		}
		w, err := intake.NewWatcher(j, intake.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		r.Jails = append(r.Jails, w)
	}
	ended := make(chan error, len(judges))
	for _, j := range judges {
		if err := j.Begin(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, j := range judges {
		go func() { ended <- j.Run(ctx) }()
	}
	s.pause = func() { settle(t, store, judges) } // as in a day, where minutes lie between the lines
	cursors, err := store.Cursors(ctx, "script")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx, cursors, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	cancel()
	for range judges {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	rec, err := store.About(t.Context(), netip.MustParsePrefix("0.0.0.0/0"), 1)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Bans
}

// settle waits until every judge has judged all there is, its own bans included.
func settle(t *testing.T, store *sqlite.Store, judges []*judge.Judge) {
	t.Helper()
	for {
		head, _, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		behind := slices.ContainsFunc(judges, func(j *judge.Judge) bool { return j.Judged() < head })
		if !behind {
			if again, _, _ := store.Head(t.Context()); again == head {
				return
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the judges never ended")
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// what a ban is, whenever the events around it were told.
func told(bans []edgeban.Ban) string {
	var lines []string
	for _, b := range bans {
		lines = append(lines, fmt.Sprint(b.Since.Format(time.TimeOnly), " ", b.Jail, " ", b.Subject, " ", b.Failures, " ", b.Nth, " until ", b.Until.Format(time.DateTime)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestRestartAtEveryEventOfADayDecidesTheSame lives the recorded day once, and
// again with a restart after every line that fails or succeeds.
func TestRestartAtEveryEventOfADayDecidesTheSame(t *testing.T) {
	s := recordedDay(t)
	s.end = len(s.lines)
	want := told(life(t, filepath.Join(t.TempDir(), "one.db"), s))
	if n := strings.Count(want, "\n"); n < 20 {
		t.Fatalf("%d bans in the day, want enough to compare:\n%s", n, want)
	}
	path := filepath.Join(t.TempDir(), "many.db")
	var got []edgeban.Ban
	for _, s.end = range s.events(t) {
		got = life(t, path, s)
	}
	if told(got) != want {
		t.Errorf("with restarts:\n%s\nwithout:\n%s", told(got), want)
	}
}
