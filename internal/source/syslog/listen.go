package syslog

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	// maxConns is how many connections are open at a time, and maxOwn those of one
	// sender. Docker's driver has one for each container.
	maxConns, maxOwn = 512, 256

	// whole is how long a message may take from its first byte to its last, and a
	// TLS handshake.
	whole = 30 * time.Second

	// local is who sends through a socket in the file system.
	local = "local"
)

// A listener is one place where messages are taken.
type listener struct {
	at     string
	stream net.Listener // either
	packet net.PacketConn
}

func (l listener) close() {
	if l.stream != nil {
		_ = l.stream.Close()
	} else {
		_ = l.packet.Close()
	}
}

// listen opens a place that config has understood.
func listen(ctx context.Context, c config.Syslog, at string) (listener, error) {
	u, err := url.Parse(at)
	if err != nil {
		return listener{}, err
	}
	l, lc := listener{at: at}, net.ListenConfig{}
	switch u.Scheme {
	case "udp":
		l.packet, err = lc.ListenPacket(ctx, "udp", u.Host)
		if udp, ok := l.packet.(*net.UDPConn); ok {
			_ = udp.SetReadBuffer(4 << 20) // as much as the system gives
		}
	case "unixgram":
		if err = vacate(u.Path); err == nil {
			l.packet, err = lc.ListenPacket(ctx, "unixgram", u.Path)
		}
	case "unix":
		if err = vacate(u.Path); err == nil {
			l.stream, err = lc.Listen(ctx, "unix", u.Path)
		}
	default:
		l.stream, err = lc.Listen(ctx, "tcp", u.Host)
		if err == nil && u.Scheme == "tls" {
			l.stream = tls.NewListener(l.stream, secure(c))
		}
	}
	if err != nil {
		return listener{}, explain(at, err)
	}
	return l, nil
}

// vacate removes the socket that an earlier run has left, which nobody listens on.
func vacate(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is no socket; choose another path", path)
	}
	for _, network := range []string{"unix", "unixgram"} {
		if c, err := net.Dial(network, path); err == nil {
			_ = c.Close()
			return syscall.EADDRINUSE
		}
	}
	return os.Remove(path)
}

func explain(at string, err error) error {
	way := "it is tried again"
	switch {
	case errors.Is(err, fs.ErrPermission):
		way = "choose a port of 1024 or more and map it (ports: \"514:5514/udp\"), or give the container sysctls: net.ipv4.ip_unprivileged_port_start=0; of a socket, a folder that edgeban may write"
	case errors.Is(err, syscall.EADDRINUSE):
		way = "stop what listens there, or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		way = "this machine has no such address: write one that it has, or 0.0.0.0 and allow:"
	case errors.Is(err, fs.ErrNotExist):
		way = "make its folder, and let edgeban write there"
	}
	return fmt.Errorf("%s cannot be listened on: %w: %s", at, err, way)
}

// packets takes messages of which each is a packet, until the socket is closed.
func (s *Source) packets(conn net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // an odd packet, or no memory: the next may be well
			continue
		}
		whom, ok := s.whom(from)
		if !ok {
			s.queue.refuse(whom)
			continue
		}
		if !s.queue.put(delivery{whom: whom, msg: buf[:n], bare: s.c.Bare}, time.Now()) {
			return
		}
	}
}

// accept takes connections until the listener is closed.
func (s *Source) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond) // no file descriptors: those there are may end
			continue
		}
		whom, ok := s.whom(conn.RemoteAddr())
		if !ok || !s.open(conn, whom) {
			s.queue.refuse(whom)
			_ = conn.Close()
			continue
		}
		s.workers.Go(func() {
			defer s.shut(conn, whom)
			s.messages(conn, whom)
		})
	}
}

// messages takes what comes over a connection until it ends.
func (s *Source) messages(conn net.Conn, whom string) {
	if t, ok := conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), whole)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			s.queue.refuse(whom + " (" + err.Error() + ")")
			return
		}
	}
	begun := false
	f := framer{in: bufio.NewReaderSize(conn, 4<<10), begin: func() {
		if !begun {
			begun = true
			_ = conn.SetReadDeadline(time.Now().Add(whole))
		}
	}}
	for {
		msg, err := f.next()
		if begun {
			begun = false
			_ = conn.SetReadDeadline(time.Time{})
		}
		switch {
		case errors.Is(err, errLong):
			s.queue.long(whom)
		case err != nil:
			return
		case !s.queue.put(delivery{whom: whom, msg: msg, bare: s.c.Bare, wait: true}, time.Now()):
			return
		}
	}
}

// whom returns who is at the other end, and whether he may send.
func (s *Source) whom(from net.Addr) (string, bool) {
	if from == nil {
		return local, true
	}
	ap, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return local, true // of the file system, whose rights say who may
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.IsLoopback() {
		return addr.String(), true
	}
	for _, p := range s.c.Allow {
		if p.Contains(addr) {
			return addr.String(), true
		}
	}
	return addr.String(), false
}
