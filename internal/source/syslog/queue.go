package syslog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

const (
	// perSender is how many bytes of one sender may wait to be recorded. Beyond it
	// UDP loses lines, which is counted, and TCP is read no more.
	perSender = 256 << 10

	// perSource is the same for all senders together.
	perSource = 16 << 20

	// maxSenders is how many addresses are known at a time. With UDP whoever may
	// forge an address of allow: chooses it.
	maxSenders = 1024

	// idle is how long a sender without a connection may be silent before it is
	// forgotten.
	idle = time.Hour
)

// A sender is one address, and what it sent that is still to be yielded.
type sender struct {
	origin string
	stream string
	base   int64 // bytes that were taken
	text   gather.Text
	conns  int
	queued bool
	stat   source.Status
}

// A queue is what senders sent. Each has its turn, however much another sends.
type queue struct {
	name string

	mu      sync.Mutex
	room    sync.Cond // something was taken
	senders map[string]*sender
	turns   []*sender
	ended   []*sender // forgotten, which is still to be yielded
	bytes   int
	closed  bool
	strange uint64 // messages and connections that were refused
	last    string // who sent the last of them
	crowd   uint64 // those of senders beyond maxSenders
	wake    chan struct{}
}

func newQueue(name string) *queue {
	q := &queue{name: name, senders: map[string]*sender{}, wake: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// sender returns the sender of this name, nil if there are too many.
func (q *queue) sender(whom string) *sender {
	s := q.senders[whom]
	if s == nil {
		if len(q.senders) >= maxSenders {
			q.crowd++
			return nil
		}
		origin := q.name + "/" + whom
		s = &sender{origin: origin, stream: origin + "@" + gather.Generation()}
		s.stat = source.Status{Stream: s.stream, Origin: origin, Live: true}
		q.senders[whom] = s
	}
	return s
}

// A delivery is a message and how it came.
type delivery struct {
	whom string
	msg  []byte
	bare bool
	wait bool // the sender can: nothing is lost
}

// put takes a message in. It is false once the queue is closed.
func (q *queue) put(d delivery, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.sender(d.whom)
	if s == nil {
		return !q.closed
	}
	for !q.closed && q.full(s, len(d.msg)) {
		if !d.wait {
			s.stat.Dropped++
			return true
		}
		q.room.Wait()
	}
	if q.closed {
		return false
	}
	before, lines := len(s.text.Bytes), s.text.Lines()
	if !rewrite(&s.text, d.msg, d.bare) {
		s.stat.Long++
	}
	s.stat.Read = now
	s.stat.Lines += uint64(s.text.Lines() - lines)
	q.bytes += len(s.text.Bytes) - before
	if !s.queued && len(s.text.Bytes) > 0 {
		s.queued = true
		q.turns = append(q.turns, s)
		q.poke()
	}
	return true
}

func (q *queue) full(s *sender, more int) bool {
	return len(s.text.Bytes) > 0 && (len(s.text.Bytes)+more > perSender || q.bytes+more > perSource)
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// long counts a message that was skipped.
func (q *queue) long(whom string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.sender(whom); s != nil {
		s.stat.Long++
	}
}

// refuse counts what came from somebody who may not send.
func (q *queue) refuse(whom string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.strange++
	q.last = whom
}

// A taken is what is to be yielded: the lines of a sender, or that it has ended.
type taken struct {
	*sender
	text gather.Text
	base int64
	end  bool
}

// take returns what is next, if anything is.
func (q *queue) take() (taken, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) > 0 {
		s := q.turns[0]
		q.turns = q.turns[1:]
		t := taken{sender: s, text: s.text, base: s.base}
		s.queued, s.text = false, gather.Text{}
		s.base += int64(len(t.text.Bytes))
		q.bytes -= len(t.text.Bytes)
		q.room.Broadcast()
		return t, true
	}
	if len(q.ended) > 0 {
		s := q.ended[0]
		q.ended = q.ended[1:]
		return taken{sender: s, base: s.base, end: true}, true
	}
	return taken{}, false
}

// forget lets go of senders that are long silent.
func (q *queue) forget(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for whom, s := range q.senders {
		if s.conns == 0 && !s.queued && now.Sub(s.stat.Read) >= idle {
			delete(q.senders, whom)
			if s.base > 0 {
				q.ended = append(q.ended, s)
				q.poke()
			}
		}
	}
}

// close wakes whoever waits, for good.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
}

// open counts a connection of a sender in, unless he has too many.
func (q *queue) open(whom string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.sender(whom)
	if s == nil || s.conns >= maxOwn {
		return false
	}
	s.conns++
	return true
}

func (q *queue) shut(whom string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.senders[whom]; s != nil {
		s.conns--
	}
}

// note says what was refused.
func (q *queue) note() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var parts []string
	if q.strange > 0 {
		parts = append(parts, fmt.Sprintf("%d refused (messages or connections that allow: does not name, or too many), the last from %s", q.strange, q.last))
	}
	if q.crowd > 0 {
		parts = append(parts, fmt.Sprintf("%d left out, being from more than %d senders", q.crowd, maxSenders))
	}
	return strings.Join(parts, "; ")
}

func (q *queue) status() (all []source.Status) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.senders {
		all = append(all, s.stat)
	}
	slices.SortFunc(all, func(a, b source.Status) int { return cmp.Compare(a.Origin, b.Origin) })
	return all
}
