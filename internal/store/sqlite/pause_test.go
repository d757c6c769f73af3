package sqlite

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// While a flood is pruned bans must not wait for each of its steps.
func TestAPruningLeavesMostOfTheTimeToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pruning{s: &Store{}}
		ctx, cancel := context.WithCancel(t.Context())
		step := func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }
		began := time.Now()
		if err := p.alone(ctx, step); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got != 30*time.Millisecond {
			t.Errorf("a step of 10 ms takes %v until the next, want 30ms", got)
		}
		free := make(chan bool, 1)
		go func() {
			time.Sleep(15 * time.Millisecond)
			free <- p.s.writing.TryLock()
			cancel()
		}()
		began = time.Now()
		if err := p.alone(ctx, step); err != nil {
			t.Fatal(err)
		}
		if !<-free {
			t.Error("nobody may write between two steps")
		}
		if got := time.Since(began); got != 15*time.Millisecond {
			t.Errorf("who stops it after 15 ms waits for %v", got)
		}
	})
}
