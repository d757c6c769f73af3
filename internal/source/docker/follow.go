package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// A tail is a container that is followed.
type tail struct {
	id, origin, stream string
	place              place  // how far it was read
	kept               place  // how far it was yielded
	to                 string // the cursor that was yielded last

	recalled bool // it is new, or what was read of it before a restart was shown

	running bool // there is a goroutine that reads it
	cancel  context.CancelFunc
	again   bool // something happened: there may be more than was read
	retryAt time.Time
	fails   int
}

// follow reads a container until its log ends, which it does not while it runs.
func (s *run) follow(ctx context.Context, t *tail) error {
	t.place = t.kept // what was read and not yielded comes again
	tty, err := s.client.tty(ctx, t.id)
	if err != nil {
		return err
	}
	past := newPast(t)
	body, err := s.client.logs(ctx, t.id, past.since())
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	s.Change(t.stream, func(st *source.Status) { st.Err = "" })
	in := newLog(body, tty)
	var text gather.Text
	var long uint64
	for {
		m, err := in.next()
		if err != nil {
			if !s.give(ctx, t, &text, &long) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		if past.has(m) {
			continue
		}
		if !s.recall(ctx, t, past) {
			return nil
		}
		if live := !m.at.Before(s.began); live != t.live(s.began) && text.Lines() > 0 && !s.give(ctx, t, &text, &long) {
			return nil
		}
		t.place.pass(m.at)
		long += t.add(&text, m)
		if (len(text.Bytes) >= gather.Enough || in.waits()) && !s.give(ctx, t, &text, &long) {
			return nil
		}
	}
}

// live reports whether what was read last was written after a time.
func (t *tail) live(began time.Time) bool { return !t.place.newest.Before(began) }

// add takes the line of a message in, and returns how many it skips.
func (t *tail) add(text *gather.Text, m message) (long uint64) {
	i := m.index()
	whole, more := !t.place.open[i], m.long || !bytes.HasSuffix(m.text, []byte("\n"))
	if m.long && bytes.HasSuffix(m.text, []byte("\n")) {
		more = false // skipped up to its end
	}
	t.place.open[i] = more
	switch {
	case more && whole, m.long && !more:
		return 1
	case more, !whole:
		return 0
	}
	if !text.Add(m.at, m.text) {
		return 1
	}
	return 0
}

// give yields what was read, if anything was, and reports whether to go on.
func (s *run) give(ctx context.Context, t *tail, text *gather.Text, long *uint64) bool {
	if text.Lines() == 0 && *long == 0 {
		return true
	}
	now := time.Now()
	c := edgeban.Chunk{
		Source: s.name, Stream: t.stream, Origin: t.origin, Text: text.Bytes, Times: text.Times, Stamped: true,
		Base: t.place.base, From: t.to, Read: now, Live: t.live(s.began),
	}
	t.place.base += int64(len(text.Bytes))
	c.To = t.place.String()
	lines := uint64(text.Lines())
	if !s.fan.Give(ctx, c, nil) {
		return false
	}
	t.to, t.kept = c.To, t.place
	s.Change(t.stream, func(st *source.Status) {
		st.Lines += lines
		st.Long += *long
		st.Read, st.Live = now, c.Live
	})
	text.Reset()
	*long = 0
	return true
}
