package lease

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestLockedFileNamesWhoHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Known {
		t.Error("a new file: known, want new")
	}
	if err := first.Sign(); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path); err == nil || !strings.Contains(err.Error(), "another edgeban (pid ") {
		t.Errorf("a second time: %v, want who has it", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(path)
	if err != nil || !again.Known {
		t.Fatalf("after it is free: %+v, %v, want known", again, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhoComesFirstIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names Names
		var wg sync.WaitGroup
		var order []int
		release := make(chan struct{})
		for i := range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				_ = names.Hold(ctx, "jail", func(context.Context) error {
					order = append(order, i)
					<-release
					return nil
				})
			})
			synctest.Wait()
			if i == 2 { // it goes away while it waits
				cancel()
				synctest.Wait()
			}
			defer cancel()
		}
		close(release)
		wg.Wait()
		if want := []int{0, 1, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if len(names.lines) != 0 {
			t.Errorf("%d names are remembered that nobody holds", len(names.lines))
		}
	})
}
