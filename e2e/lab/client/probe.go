package client

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// A Sink is where probes arrive, behind the edge.
type Sink struct {
	mu   sync.Mutex
	last map[netip.Addr]uint64 // the number of the last probe of each address
}

// NewSink listens on port 9 of the mail host.
func NewSink(ctx context.Context, host *netns.Net) (*Sink, error) {
	var conn net.PacketConn
	err := host.Do(func() (err error) {
		conn, err = new(net.ListenConfig).ListenPacket(ctx, "udp", "[::]:9")
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &Sink{last: map[netip.Addr]uint64{}}
	context.AfterFunc(ctx, func() { conn.Close() })
	go func() { // ends with ctx
		b := make([]byte, 8)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if n == len(b) {
				s.mu.Lock()
				s.last[from.(*net.UDPAddr).AddrPort().Addr().Unmap()] = binary.BigEndian.Uint64(b)
				s.mu.Unlock()
			}
		}
	}()
	return s, nil
}

func (s *Sink) seen(a netip.Addr) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[a]
}

// A Probe sends a packet a millisecond from an address, to see when they are dropped.
type Probe struct {
	sink *Sink
	from netip.Addr

	mu   sync.Mutex
	sent []time.Time // of probe i+1
	err  error
}

// NewProbe begins to send, until ctx is done.
func NewProbe(ctx context.Context, c *Client, sink *Sink) (*Probe, error) {
	var conn net.Conn
	err := c.Net.Do(func() (err error) {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: c.From.AsSlice()}}
		conn, err = d.DialContext(ctx, "udp", net.JoinHostPort(c.Server, "9"))
		return err
	})
	if err != nil {
		return nil, err
	}
	p := &Probe{sink: sink, from: c.From}
	go func() { // ends with ctx
		defer conn.Close()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for b := make([]byte, 8); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			p.mu.Lock()
			p.sent = append(p.sent, time.Now())
			binary.BigEndian.PutUint64(b, uint64(len(p.sent)))
			p.mu.Unlock()
			if _, err := conn.Write(b); err != nil && !strings.Contains(err.Error(), "refused") {
				p.mu.Lock()
				p.err = fmt.Errorf("probe of %s: %w", c.From, err)
				p.mu.Unlock()
				return
			}
		}
	}()
	return p, nil
}

// quiet is how long nothing must have arrived for packets to count as dropped.
const quiet = 100 * time.Millisecond

// Dropped returns when the first packet was sent that did not arrive, nor did any
// after it; zero while packets arrive.
func (p *Probe) Dropped() (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	arrived := int(p.sink.seen(p.from))
	if arrived >= len(p.sent) || time.Since(p.sent[arrived]) < quiet {
		return time.Time{}, p.err
	}
	return p.sent[arrived], p.err
}
