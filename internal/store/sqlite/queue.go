package sqlite

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	queueLen  = 1000        // the queue is squeezed when it has doubled, and not below this
	flushRows = 1000        // how many rows are written in one transaction when the disk is back
	again     = time.Second // how long a disk that refused is left alone
)

// enqueue lets a change wait in memory for the disk. Matches can be read again
// from the log, so they are bounded; nothing else is turned away.
func (s *Store) enqueue(c change) error {
	var ids []string
	for _, e := range c.events {
		if m, ok := e.Fact.(edgeban.Match); ok {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) > 0 && len(s.waiting)+len(ids) > s.o.MaxPending {
		return fmt.Errorf("%w: %d matches wait: %w", edgeban.ErrFull, len(s.waiting), s.trouble)
	}
	for _, id := range ids {
		s.waiting[id] = struct{}{}
	}
	s.queue = append(s.queue, c)
	if len(s.queue) > s.squeeze {
		s.squeezeQueue()
		s.squeeze = max(queueLen, 2*len(s.queue))
	}
	return nil
}

// flush writes what waits, in order, unless the disk has just refused.
func (s *Store) flush(now bool) {
	if len(s.queue) == 0 || !now && time.Since(s.tried) < again {
		return
	}
	for len(s.queue) > 0 {
		n, rows := 0, 0
		for n < len(s.queue) && rows < flushRows {
			rows += 1 + len(s.queue[n].events) + len(s.queue[n].notices)
			n++
		}
		if err := s.write(context.Background(), s.queue[:n]...); err != nil {
			s.refused(err)
			return
		}
		s.mu.Lock()
		for _, c := range s.queue[:n] {
			s.written(c)
		}
		s.mu.Unlock()
		for _, c := range s.queue[:n] {
			for _, e := range c.events {
				if m, ok := e.Fact.(edgeban.Match); ok {
					delete(s.waiting, m.ID)
				}
			}
		}
		s.queue = slices.Delete(s.queue, 0, n)
	}
	s.queue, s.squeeze = nil, queueLen
	if err := s.file.Sync(); err != nil {
		s.refused(err)
		return
	}
	s.mended()
}

// squeezeQueue drops what a later change in the queue replaces, so that a disk
// that is away for weeks costs no more than what has happened meanwhile. The
// last change is never emptied, so the head is written with it.
func (s *Store) squeezeQueue() {
	type entry struct {
		target  string
		subject netip.Prefix
	}
	cursors, snapshots, tellers := map[stream]bool{}, map[string]bool{}, map[string]bool{}
	helds := map[entry]bool{}
	dropped := map[edgeban.Seq]bool{}
	kept := make([]change, 0, len(s.queue))
	for _, c := range slices.Backward(s.queue) {
		if c.cursor != nil && seen(cursors, c.cursor.stream) {
			c.cursor = nil
		}
		if c.snapshot != nil && seen(snapshots, c.snapshot.Jail) {
			c.snapshot = nil
		}
		if c.told != nil && seen(tellers, c.told.notifier) {
			c.told = nil
		}
		var events []edgeban.Event
		for _, e := range slices.Backward(c.events) {
			if h, ok := e.Fact.(edgeban.Held); ok && seen(helds, entry{h.Target, h.Subject}) {
				dropped[e.Seq] = true
				continue
			}
			events = append(events, e)
		}
		slices.Reverse(events)
		if c.events = events; !c.empty() {
			kept = append(kept, c)
		}
	}
	slices.Reverse(kept)
	s.queue = kept
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetEvents(func(e edgeban.Event) bool { return dropped[e.Seq] })
}

// seen reports whether k was in the set, and puts it there.
func seen[K comparable](set map[K]bool, k K) bool {
	was := set[k]
	set[k] = true
	return was
}
