package inuse

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

type made struct{ of string }

func TestWhatIsInUseIsNotMadeAgainAndWhatIsNotIsForgotten(t *testing.T) {
	var p Pool[string, made]
	n := 0
	get := func(key string) *made {
		v, err := p.Get(key, func() (*made, error) { n++; return &made{key}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := get("a")
	if b := get("a"); a != b || get("b").of != "b" || n != 2 {
		t.Errorf("%d were made, want one of each key: %v, %v", n, a, b)
	}
	runtime.KeepAlive(a)
	left := func() (n int) { p.known.Range(func(_, _ any) bool { n++; return true }); return n }
	for deadline := time.Now().Add(30 * time.Second); left() > 0; runtime.Gosched() {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d are remembered that nobody uses", left())
		}
	}
	bad := errors.New("bad")
	if v, err := p.Get("c", func() (*made, error) { return nil, bad }); v != nil || !errors.Is(err, bad) || left() != 0 {
		t.Errorf("got %v and %v, %d remembered; want the error and nothing", v, err, left())
	}
}
