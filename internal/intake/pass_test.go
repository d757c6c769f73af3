package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake/parcel"
)

// gate is a jail as door is, over lines with another word.
func gate() config.Jail {
	c := door()
	rules := *c.Rules
	rules.FailRegex = []string{"^ (?:barred|refused) <HOST>$"}
	c.Name, c.Rules, c.MaxRetry = "gate", &rules, 3
	return c
}

// attacks is lines for door and gate, a few a second, from a few addresses.
func attacks(seed uint64, lines int) string {
	r := rand.New(rand.NewPCG(seed, 0))
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(seed) * 10 * time.Minute)
	var b strings.Builder
	for range lines {
		at = at.Add(time.Duration(r.IntN(900)) * time.Millisecond)
		word := []string{"refused", "barred", "opened"}[r.IntN(3)]
		fmt.Fprintf(&b, "%s %s 203.0.113.%d\n", at.Format(time.DateTime), word, r.IntN(40))
	}
	return b.String()
}

func told(vs []Verdict) (texts []string) {
	for _, v := range vs {
		texts = append(texts, fmt.Sprintf("%+v %v %q", v.Ban, v.Prolongs, v.Lines))
	}
	return texts
}

func TestJailsOfOnePassBanAsEachDoesAlone(t *testing.T) {
	text := attacks(1, 2000)
	r := opened(t, door(), gate())
	both := verdicts(t, r, text)
	for i, c := range []config.Jail{door(), gate()} {
		one := opened(t, c)
		want := told(verdicts(t, one, text))
		got := told(slices.DeleteFunc(slices.Clone(both), func(v Verdict) bool { return v.Ban.Jail != c.Name }))
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("jail %s: %d bans beside another jail, %d alone, or others", c.Name, len(got), len(want))
		}
		if got, want := r.Trials[i].Stats(), one.Trials[0].Stats(); got != want || got.Lines != 2000 {
			t.Errorf("jail %s: it has seen %+v beside another jail, %+v alone", c.Name, got, want)
		}
	}
	if !slices.IsSortedFunc(both, func(a, b Verdict) int { return cmp.Compare(a.at, b.at) }) {
		t.Error("the bans of two jails do not come in the order of the lines")
	}
}

// How many logs are read at a time, and how many cores share one, must not be seen in what
// comes out.
func TestReadingAheadChangesNoVerdict(t *testing.T) {
	var several []string
	for i := range uint64(4) {
		several = append(several, attacks(i, 8000)) // two chunks each
	}
	for name, texts := range map[string][]string{"several": several, "one": {attacks(9, 60_000)}} {
		t.Run(name, func(t *testing.T) { aheadChangesNothing(t, texts) })
	}
}

func aheadChangesNothing(t *testing.T, texts []string) {
	run := func(cores int, waits bool) (*Replay, []string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		r := opened(t, door(), gate())
		r.Waits = waits
		return r, told(verdicts(t, r, texts...))
	}
	one, want := run(1, false)
	for _, cores := range []int{1, 2, 8} {
		for _, waits := range []bool{false, true} {
			r, got := run(cores, waits)
			if !slices.Equal(got, want) || len(want) < 100 {
				t.Errorf("%d bans on %d cores (waits: %v), %d on one, or others", len(got), cores, waits, len(want))
			}
			for i := range r.Trials {
				if got, want := r.Trials[i].Stats(), one.Trials[i].Stats(); got != want {
					t.Errorf("on %d cores (waits: %v) jail %d has seen %+v, on one %+v", cores, waits, i, got, want)
				}
			}
		}
	}
}

func TestALogThatCannotBeReadComesInItsTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	gone := errors.New("gone")
	good := func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(refused("203.0.113.9", 1, 2))), nil
	}
	logs := []Log{{"a", good}, {"b", func() (io.ReadCloser, error) { return nil, gone }}, {"c", good}}
	var got []string
	for vs, err := range opened(t, door()).Files(t.Context(), logs) {
		if err != nil {
			got = append(got, err.Error())
		}
		for _, v := range vs {
			got = append(got, v.Ban.Subject.String())
		}
	}
	if want := []string{"203.0.113.9/32", "gone"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: the ban of the first log, the error, and no more", got, want)
	}
}

func looked(p *pass, c edgeban.Chunk) found {
	p.trays.Next()
	p.gates.sift(&p.panel, c.Text, &p.trays.Last.Search)
	return p.find(c, p.trays.Last)
}

// What was found must not change while it is used, and its memory is used again once it is
// given back. More is found than there is room for as well.
func TestGivenBackFindingsAreUsedAgainAndNoOthers(t *testing.T) {
	r := opened(t, door(), gate())
	p, alone := r.pass(Log{}, false), r.pass(Log{}, false)
	type kept struct {
		found
		want []string
	}
	texts := func(f findings) (all []string) {
		for i, ms := range f {
			for _, m := range ms {
				all = append(all, fmt.Sprint(i, m))
			}
		}
		return all
	}
	var all []kept
	find := func(seed uint64, lines int) kept {
		c := edgeban.Chunk{Text: []byte(attacks(seed, lines)), Read: r.Now}
		k := kept{looked(p, c), texts(alone.gates.scan(&alone.panel, c, alone.never))}
		all = append(all, k)
		for i, k := range all {
			if k.parcel != nil {
				k.findings = new(parcel.Opener).Open(k.parcel)
			}
			if got := texts(k.findings); !slices.Equal(got, k.want) {
				t.Fatalf("chunk %d after %d: %d matches, want %d that do not change", i, len(all), len(got), len(k.want))
			}
		}
		return k
	}
	for i, lines := range []int{300, 300, 900, 1, 300} {
		if k := find(uint64(i), lines); lines > 1 && len(k.want) < lines/2 {
			t.Fatalf("%d matches in %d lines, want more", len(k.want), lines)
		}
	}
	back := all[1].parcel
	r.parcels.Put(back)
	all = slices.Delete(all, 1, 2)
	if k := find(5, 300); k.parcel != back {
		t.Error("the memory that was given back is not used again")
	}
	if k := find(6, 300); k.parcel == back {
		t.Error("memory that is in use is used again")
	}
}

func TestAnInterruptedReplayEndsAndSaysSo(t *testing.T) {
	for _, cores := range []int{1, 2} {
		prev := runtime.GOMAXPROCS(cores)
		ctx, cancel := context.WithCancel(t.Context())
		endless := func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(refused("203.0.113.9", 1, 2)), nothing{})), nil
		}
		bans, last := 0, error(nil)
		for _, err := range opened(t, door()).Files(ctx, []Log{{"a", endless}, {"b", endless}}) {
			if last = err; err == nil {
				bans++
				cancel()
			}
		}
		if bans != 1 || !errors.Is(last, context.Canceled) {
			t.Errorf("on %d cores: %d bans and %v, want the one of before and that it was canceled", cores, bans, last)
		}
		runtime.GOMAXPROCS(prev)
		cancel()
	}
}

// nothing is empty lines without end.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) { return copy(p, "\n"), nil }

func TestAGateIsLentToLogsOfTheSameKindOnly(t *testing.T) {
	r := opened(t, door(), gate())
	lines := edgeban.Chunk{Stream: "s", Text: []byte(attacks(1, 2*fairLook)), Read: r.Now}
	read := func(p *pass) *pass {
		p.gates.scan(&p.panel, lines, nil)
		p.gates.lender.take(&p.panel)
		return p
	}
	first, beside := r.pass(Log{}, true), r.pass(Log{}, true)
	looked(first, lines)
	looked(beside, lines)
	read(first)
	second, other := read(r.pass(Log{}, true)), r.pass(Log{}, true)
	for name, p := range map[string]*pass{"one that is read beside it": beside, "the next one": second} {
		if p.panel.gate != first.panel.gate || p.panel.gate.Gate == nil {
			t.Errorf("the gate of a log is not used for %s", name)
		}
	}
	other.gates.scan(&other.panel, lines, nil)
	other.panel.look(fairLook, 3*fairLook) // more often than in the log that the gate is of
	if other.gates.scan(&other.panel, lines, nil); other.panel.gate.Gate == first.panel.gate.Gate {
		t.Error("a log of another kind goes on with the gate that is bad for it")
	}
}

// Nobody may ever write into a pipe that is to be opened; that keeps no mistake of another
// log, and nobody who ends it all, from being told.
func TestALogThatDoesNotOpenKeepsNobodyWaiting(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		if !stopped && runtime.GOMAXPROCS(0) == 1 {
			continue // the pipe is not opened before its turn
		}
		t.Run(fmt.Sprintf("stopped: %v", stopped), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			never, opening := make(chan struct{}), make(chan struct{})
			defer close(never)
			pipe := Log{"pipe", func() (io.ReadCloser, error) {
				close(opening)
				<-never
				return nil, errors.New("late")
			}}
			broken := Log{"broken", func() (io.ReadCloser, error) {
				<-opening
				return nil, errors.New("broken")
			}}
			logs, want := []Log{broken, pipe}, "broken"
			if stopped {
				logs, want = []Log{pipe}, context.Canceled.Error()
				go func() {
					<-opening
					cancel()
				}()
			}
			r := opened(t, door())
			r.Waits = true
			told := make(chan []string, 1)
			go func() {
				var all []string
				for _, err := range r.Files(ctx, logs) {
					all = append(all, err.Error())
				}
				told <- all
			}()
			select {
			case got := <-told:
				if !slices.Equal(got, []string{want}) {
					t.Errorf("told %q, want %q", got, want)
				}
			case <-time.After(10 * time.Second):
				t.Error("it waits")
			}
		})
	}
}
