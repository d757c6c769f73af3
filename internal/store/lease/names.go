package lease

import (
	"context"
	"sync"
)

// Names are the leases of one process. The zero value is free.
type Names struct {
	mu    sync.Mutex
	lines map[string][]chan struct{} // who holds a name, then who waits for it
}

// Hold implements edgeban.Lease. A lease is lost only with the process; what
// remains is that nobody does a thing twice in it.
func (l *Names) Hold(ctx context.Context, name string, f func(context.Context) error) error {
	if err := l.acquire(ctx, name); err != nil {
		return err
	}
	defer l.free(name)
	return f(ctx)
}

// acquire waits until nobody holds name; the first to come is the first to get
// it. Each waiter makes its own channel, so that Names which live outside of a
// bubble of testing/synctest work inside of it.
func (l *Names) acquire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turn := make(chan struct{}, 1)
	l.mu.Lock()
	if l.lines == nil {
		l.lines = map[string][]chan struct{}{}
	}
	l.lines[name] = append(l.lines[name], turn)
	first := len(l.lines[name]) == 1
	l.mu.Unlock()
	if first {
		return nil
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		l.leave(name, turn)
		return ctx.Err()
	}
}

// free gives the lease to the next who waits.
func (l *Names) free(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(name, 0)
}

// leave takes a waiter out, who may have been given the lease meanwhile.
func (l *Names) leave(name string, turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, t := range l.lines[name] {
		if t == turn {
			l.drop(name, i)
			return
		}
	}
}

// drop takes the i-th out of the line for a name; the first of it has the lease.
func (l *Names) drop(name string, i int) {
	line := append(l.lines[name][:i:i], l.lines[name][i+1:]...)
	l.lines[name] = line
	switch {
	case len(line) == 0:
		delete(l.lines, name)
	case i == 0:
		line[0] <- struct{}{}
	}
}
