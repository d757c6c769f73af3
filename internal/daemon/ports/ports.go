// Package ports keeps the ports on which targets are served open across reloads.
package ports

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Listener is a port that can be made to end an Accept.
type Listener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// Ports are open ports. The zero value has none.
type Ports struct {
	// Open opens a port; nil for the network's.
	Open func(addr string) (Listener, error)

	mu   sync.Mutex
	open map[string]Listener
}

// Reserve opens a port, unless it is open.
func (l *Ports) Reserve(addr string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[addr] != nil {
		return nil
	}
	ln, err := l.listen(addr)
	if err != nil {
		return fmt.Errorf("target: %w; stop what listens there, or let the target listen elsewhere: targets: [{feed: {listen: ADDRESS:PORT}}] in an edgeban.yaml", err)
	}
	if l.open == nil {
		l.open = map[string]Listener{}
	}
	l.open[addr] = ln
	return nil
}

func (l *Ports) listen(addr string) (Listener, error) {
	if l.Open != nil {
		return l.Open(addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// Listen returns a listener on addr: the one that the generation before used, if
// there is one.
func (l *Ports) Listen(addr string) (net.Listener, error) {
	if err := l.Reserve(addr); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.open[addr]
	return &lent{Listener: ln}, ln.SetDeadline(time.Time{})
}

// Keep closes all ports but some.
func (l *Ports) Keep(addrs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for addr, ln := range l.open {
		if !slices.Contains(addrs, addr) {
			ln.Close()
			delete(l.open, addr)
		}
	}
}

// A lent listener ends its own Accept when it is closed, and leaves the port open.
type lent struct {
	Listener
	closed atomic.Bool
}

func (l *lent) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil && l.closed.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

func (l *lent) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.SetDeadline(time.Unix(1, 0))
}
