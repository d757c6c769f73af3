package feed

import (
	"net"
	"net/netip"
	"sync"
)

const (
	maxConns  = 256 // at a time
	maxClient = 16  // of these, of one address (IPv6: /64)
)

// limit bounds the connections of ln. What is beyond is closed at once: waiting
// would let one client keep all others out.
func limit(ln net.Listener) net.Listener {
	return &limited{Listener: ln, open: make(map[netip.Prefix]int)}
}

type limited struct {
	net.Listener
	mu    sync.Mutex
	total int
	open  map[netip.Prefix]int
}

// Accept returns the next connection within the bounds.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(c.RemoteAddr())
		if l.enter(client) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		_ = c.Close()
	}
}

func (l *limited) enter(client netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxConns || l.open[client] >= maxClient {
		return false
	}
	l.total++
	l.open[client]++
	return true
}

func (l *limited) leave(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.open[client]--; l.open[client] == 0 {
		delete(l.open, client)
	}
}

// clientOf returns who may have come with many addresses as one network.
func clientOf(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := t.AddrPort().Addr().Unmap()
	p, _ := addr.Prefix(min(addr.BitLen(), 64))
	return p
}

// A conn gives its place back when it is closed.
type conn struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}
