package endpoint

import (
	"net"
	"net/netip"
	"sync"
)

// Bounds say how many connections there may be at a time.
type Bounds struct {
	All    int
	Client int // of one address (IPv6: /64)
}

// Usual are the bounds of what few clients ask now and then.
var Usual = Bounds{All: 256, Client: 16}

// Limit bounds the connections of ln. What is beyond is closed at once: waiting
// would let one client keep all others out.
func Limit(ln net.Listener, b Bounds) net.Listener {
	return &limited{Listener: ln, bounds: b, open: make(map[netip.Prefix]int)}
}

// Only closes the connections of clients that may not ask, before they can take the
// place of one who may. refused is told of each.
func Only(ln net.Listener, may func(netip.Addr) bool, refused func(client string)) net.Listener {
	return &only{ln, may, refused}
}

type only struct {
	net.Listener
	may     func(netip.Addr) bool
	refused func(client string)
}

// Accept returns the next connection of a client that may ask.
func (o *only) Accept() (net.Conn, error) {
	for {
		c, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if t, ok := c.RemoteAddr().(*net.TCPAddr); ok && o.may(t.AddrPort().Addr().Unmap().WithZone("")) {
			return c, nil
		}
		o.refused(c.RemoteAddr().String())
		_ = c.Close()
	}
}

type limited struct {
	net.Listener
	bounds Bounds
	mu     sync.Mutex
	total  int
	open   map[netip.Prefix]int
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
	if l.total >= l.bounds.All || l.open[client] >= l.bounds.Client {
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
