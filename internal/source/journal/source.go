// Package journal reads systemd's journal: what journalctl prints, or what a
// systemd-journal-gatewayd serves.
//
// Which unit wrote an entry journald says, never the text. A place is found again by
// journald's cursor: nothing is lost while the journal keeps it.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

const (
	// firstRead is how much of the past is read if nothing was ever read.
	firstRead = 24 * time.Hour

	// retry is how long a journal that cannot be read is left alone; longer each time
	// up to longest.
	retry, longest = time.Second, 30 * time.Second

	// maxEntry is how many bytes an entry may have: a line of the longest kind, each
	// byte of it written as a number.
	maxEntry = 4*source.MaxLine + 16<<10

	// maxUnits is how many units are told apart.
	maxUnits = 500
)

// An opener starts reading after a cursor, or at a time if that is empty. The first
// entry may be the cursor's own.
type opener interface {
	open(ctx context.Context, after string, since time.Time) (io.ReadCloser, error)

	// before gives entries up to that of a cursor, some more than recallMax at most, and
	// reports whether the newest comes first.
	before(ctx context.Context, cursor string) (in io.ReadCloser, reverse bool, err error)

	// newest gives the last entry.
	newest(ctx context.Context) (io.ReadCloser, error)
}

// Source reads a journal.
type Source struct {
	name string
	c    config.Journal
	from func() (opener, error)
	gather.Board
}

var _ source.Source = (*Source)(nil)

// New returns the source of this name.
func New(name string, c config.Journal) *Source {
	s := &Source{name: name, c: c}
	s.from = func() (opener, error) {
		if c.URL != "" {
			return newGateway(c)
		}
		return ctl{program: "journalctl", match: c.Match, note: s.note}, nil
	}
	return s
}

// note shows what journalctl says while it goes on, such as whose entries it may not
// read.
func (s *Source) note(text string) {
	s.Change("", func(st *source.Status) { st.Origin, st.Note = s.name, "journalctl: "+text })
}

// A run is one sequence of a Source.
type run struct {
	*Source
	fan    *gather.Fan
	began  time.Time
	stream string
	base   int64  // bytes that were yielded
	after  string // journald's cursor of the last entry that was yielded
	to     string // our cursor that was yielded last
	units  map[string]bool
	sieve  []map[string][]string // what is to be looked for here; nil where the other side does
	text   gather.Text
	unit   string // of what is in text
	live   bool
	last   string // journald's cursor of what is in text
	long   uint64
}

// Chunks yields the entries as lines, those of one unit after the other. What was
// written before the start is not live; if nothing was ever read that is the last day
// with journalctl, the last 10,000 entries with a gateway.
func (s *Source) Chunks(ctx context.Context, cursors map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		r := &run{Source: s, fan: gather.NewFan(), began: time.Now(), units: map[string]bool{}}
		if all := alternatives(s.c.Match); len(all) > 1 && s.c.URL != "" {
			r.sieve = all
		}
		defer s.Clear()
		r.fan.Run(ctx, func(ctx context.Context) {
			r.fan.Go(func() {
				if r.resume(ctx, cursors) && r.recall(ctx) {
					r.follow(ctx)
				}
			})
		}, yield)
	}
}

// resume takes up the one stream that there is, and forgets others.
func (r *run) resume(ctx context.Context, cursors map[string]string) bool {
	for stream, to := range cursors {
		base, after, ok := parseCursor(to)
		if ok && r.stream == "" {
			r.stream, r.base, r.after, r.to = stream, base, after, to
			continue
		}
		if !r.fan.Give(ctx, edgeban.Chunk{Source: r.name, Stream: stream, Origin: r.name, From: to, To: to, Read: time.Now(), End: true}, nil) {
			return false
		}
	}
	if r.stream == "" {
		r.stream = r.name + "@" + gather.Generation()
	}
	return true
}

var cursorRule = regexp.MustCompile(`^[0-9a-z=;]{1,300}$`)

func parseCursor(s string) (base int64, after string, ok bool) {
	f := strings.Fields(s)
	if len(f) != 3 || f[0] != "j1" {
		return 0, "", false
	}
	base, err := strconv.ParseInt(f[1], 10, 64)
	return base, f[2], err == nil && base >= 0 && cursorRule.MatchString(f[2])
}

// follow reads until ctx is done, again and again.
func (r *run) follow(ctx context.Context) {
	said, wait := "", retry
	for {
		before := r.after
		err := r.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.after != before {
			wait = retry
		}
		if err != nil {
			text := fmt.Sprintf("source %s: %v", r.name, err)
			r.Change("", func(st *source.Status) { st.Origin, st.Path, st.Err = r.name, r.c.URL, text })
			if text != said && !r.fan.Give(ctx, edgeban.Chunk{Stream: r.stream}, fmt.Errorf("source %s: %w", r.name, err)) {
				return
			}
			said = text
		} else {
			said = ""
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		wait = min(2*wait, longest)
	}
}

// once reads until the other side ends it.
func (r *run) once(ctx context.Context) error {
	from, err := r.from()
	if err != nil {
		return err
	}
	body, err := from.open(ctx, r.after, r.began.Add(-firstRead))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	r.text.Reset()
	r.last = ""
	in := bufio.NewReaderSize(body, 64<<10)
	var buf []byte
	for {
		var line []byte
		line, buf, err = readLine(in, buf)
		switch {
		case errors.Is(err, errLong):
			r.long++
		case err != nil:
			r.give(ctx)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		case !r.take(ctx, line):
			return nil
		}
		r.Change("", func(st *source.Status) { st.Origin, st.Path, st.Err, st.Long = r.name, r.c.URL, "", st.Long+r.long })
		r.long = 0
		if some, _ := in.Peek(in.Buffered()); bytes.IndexByte(some, '\n') < 0 && !r.give(ctx) {
			return nil
		}
	}
}

var errLong = errors.New("the entry is too long")

// readLine reads a line of any length, of which no more than maxEntry are kept.
func readLine(in *bufio.Reader, buf []byte) (line, room []byte, err error) {
	if line, err = in.ReadSlice('\n'); err == nil {
		return line, buf, nil
	}
	buf = append(buf[:0], line...)
	long := false
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = in.ReadSlice('\n')
		if long = long || len(buf)+len(line) > maxEntry; !long {
			buf = append(buf, line...)
		}
	}
	switch {
	case err != nil:
		return nil, buf, err
	case long:
		return nil, nil, errLong
	}
	return buf, buf, nil
}

// take takes an entry in, and reports whether to go on.
func (r *run) take(ctx context.Context, line []byte) bool {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil || !cursorRule.MatchString(e.Cursor) {
		if len(bytes.TrimSpace(line)) > 0 { // a gateway sends empty ones
			r.long++
		}
		return true
	}
	if e.Cursor == r.after || e.Cursor == r.last {
		return true
	}
	if !r.sifted(line) {
		return true
	}
	written, taken := e.at()
	unit, live := r.origin(e.unit()), !taken.Before(r.began)
	if (unit != r.unit || live != r.live || len(r.text.Bytes) >= gather.Enough) && !r.give(ctx) {
		return false
	}
	r.unit, r.live, r.last = unit, live, e.Cursor
	if !e.add(&r.text, written) {
		r.long++
	}
	return true
}

// sifted reports whether an entry is looked for.
func (r *run) sifted(line []byte) bool {
	if r.sieve == nil {
		return true
	}
	var all map[string]value
	return json.Unmarshal(line, &all) == nil && has(all, r.sieve)
}

// origin returns the name of a unit, or of all those that are too many.
func (r *run) origin(unit string) string {
	if !r.units[unit] {
		if len(r.units) >= maxUnits {
			return r.name + "/others"
		}
		r.units[unit] = true
	}
	return r.name + "/" + unit
}

// give yields what was taken in, if anything was, and reports whether to go on.
func (r *run) give(ctx context.Context) bool {
	if r.text.Lines() == 0 {
		return true
	}
	now, lines := time.Now(), uint64(r.text.Lines())
	c := edgeban.Chunk{
		Source: r.name, Stream: r.stream, Origin: r.unit, Text: r.text.Bytes, Times: r.text.Times,
		Base: r.base, From: r.to, Read: now, Live: r.live,
	}
	r.base += int64(len(r.text.Bytes))
	c.To = fmt.Sprintf("j1 %d %s", r.base, r.last)
	if !r.fan.Give(ctx, c, nil) {
		return false
	}
	r.to, r.after = c.To, r.last
	r.Change(c.Origin, func(st *source.Status) {
		st.Stream, st.Origin, st.Live, st.Read = r.stream, c.Origin, c.Live, now
		st.Lines += lines
	})
	r.text.Reset()
	return true
}
