// Package syslog takes the lines that others send: over UDP, TCP, TLS and sockets in
// the file system, as RFC 3164 and RFC 5424 have them, framed as RFC 6587 has it.
//
// Who sent a line is what the transport says; what the line says of it is never
// asked. A sender cannot be asked again, so there are no cursors: what was not
// recorded when the daemon is killed is lost, and so is what comes while it is down,
// unless the sender keeps it.
package syslog

import (
	"context"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/source"
)

// retry is how long a place that cannot be listened on is left alone.
const retry = 5 * time.Second

// Source takes messages. It listens from the first call of Chunks until Close, also
// between two sequences: what was not taken from one is the first of the next.
type Source struct {
	name  string
	c     config.Syslog
	queue *queue
	retry time.Duration

	workers sync.WaitGroup
	ctx     context.Context // of its life, which is longer than a sequence
	stop    context.CancelFunc

	mu        sync.Mutex
	listeners []listener
	wrong     map[string]string // why a place cannot be listened on
	conns     map[net.Conn]bool

	held *taken // handed out, and not known to be recorded
}

var _ source.Source = (*Source)(nil)

// New returns the source of this name. It listens nowhere yet.
func New(name string, c config.Syslog) *Source {
	s := &Source{name: name, c: c, retry: retry, queue: newQueue(name), wrong: map[string]string{}, conns: map[net.Conn]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends all connections, and returns when nothing runs any more.
func (s *Source) Close() {
	s.stop()
	s.queue.close()
	s.mu.Lock()
	for _, l := range s.listeners {
		l.close()
	}
	s.listeners = nil
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.workers.Wait()
}

// Chunks yields what is sent, of each sender in turn. Only errors of listening are
// yielded; it is tried again. One sequence may run at a time.
func (s *Source) Chunks(ctx context.Context, _ map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		tick := time.NewTicker(s.retry)
		defer tick.Stop()
		if !s.listen(yield) {
			return
		}
		for ctx.Err() == nil {
			if s.held == nil {
				if t, ok := s.queue.take(); ok {
					s.held = &t
				}
			}
			if s.held != nil {
				if !yield(s.chunk(*s.held), nil) {
					return
				}
				s.held = nil
				continue
			}
			select {
			case <-ctx.Done():
			case <-s.queue.wake:
			case now := <-tick.C:
				s.queue.forget(now)
				if !s.listen(yield) {
					return
				}
			}
		}
	}
}

func (s *Source) chunk(t taken) edgeban.Chunk {
	return edgeban.Chunk{
		Source: s.name, Stream: t.stream, Origin: t.origin, Text: t.text.Bytes, Base: t.base,
		Read: time.Now(), Live: true, End: t.end,
	}
}

// listen opens what is not open, and yields what is newly wrong.
func (s *Source) listen(yield func(edgeban.Chunk, error) bool) bool {
	for _, at := range s.c.Listen {
		if err := s.listenAt(at); err != nil && !yield(edgeban.Chunk{}, fmt.Errorf("source %s: %w", s.name, err)) {
			return false
		}
	}
	return true
}

// listenAt opens a place, unless it is open. Its error is told once.
func (s *Source) listenAt(at string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || slices.ContainsFunc(s.listeners, func(l listener) bool { return l.at == at }) {
		return nil
	}
	l, err := listen(s.ctx, s.c, at)
	if err != nil {
		known := s.wrong[at] == err.Error()
		if s.wrong[at] = err.Error(); known {
			return nil
		}
		return err
	}
	delete(s.wrong, at)
	s.listeners = append(s.listeners, l)
	s.workers.Go(func() {
		if l.stream != nil {
			s.accept(l.stream)
		} else {
			s.packets(l.packet)
		}
	})
	return nil
}

// open counts a connection in, and reports whether there is room for it.
func (s *Source) open(conn net.Conn, whom string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.conns) >= maxConns || !s.queue.open(whom) {
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Source) shut(conn net.Conn, whom string) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	s.queue.shut(whom)
}

// Addrs returns where it listens now.
func (s *Source) Addrs() (addrs []net.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.stream != nil {
			addrs = append(addrs, l.stream.Addr())
		} else {
			addrs = append(addrs, l.packet.LocalAddr())
		}
	}
	return addrs
}

// Status returns the source itself and its senders.
func (s *Source) Status() []source.Status {
	s.mu.Lock()
	own := source.Status{Origin: s.name, Path: strings.Join(s.c.Listen, " "), Live: true}
	var wrong []string
	for _, text := range s.wrong {
		wrong = append(wrong, "source "+s.name+": "+text)
	}
	s.mu.Unlock()
	slices.Sort(wrong)
	own.Note = s.queue.note()
	all := append([]source.Status{own}, s.queue.status()...)
	for i, text := range wrong { // each by itself, as it was told
		if i == 0 {
			all[0].Err = text
		} else {
			all = append(all, source.Status{Origin: s.name, Err: text})
		}
	}
	return all
}
