package daemon

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listeners keeps ports open across a reload.
type listeners struct {
	mu   sync.Mutex
	open map[string]*net.TCPListener
}

// listen returns a listener on addr: the one that the generation before used, if
// there is one.
func (l *listeners) listen(addr string) (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.open[addr]
	if ln == nil {
		opened, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		if l.open == nil {
			l.open = map[string]*net.TCPListener{}
		}
		ln = opened.(*net.TCPListener)
		l.open[addr] = ln
	}
	return &lent{TCPListener: ln}, ln.SetDeadline(time.Time{})
}

func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.open {
		ln.Close()
	}
}

// A lent listener ends its own Accept when it is closed, and leaves the port open.
type lent struct {
	*net.TCPListener
	closed atomic.Bool
}

func (l *lent) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
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
