package source

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/glob"
	"github.com/edgeban/edgeban/internal/source/whole"
)

// A reader is one run of a File: the streams that it knows, and whose turn it
// is. It never waits; step does what is to be done now.
type reader struct {
	*File
	globs []string
	watch func(folder string)
	born  func(path string) (made time.Time, ok bool) // not ok where the file system does not know

	tails []*tail
	queue []*tail // those that may have something to read, each once
	out   []yielded
	ended []*tail // those whose end is still to be yielded
	said  map[string]trouble
	buf   []byte

	first    bool            // nothing was looked at yet
	known    map[string]bool // origins of which a cursor was saved
	scans    int
	scanAt   time.Time
	pollAt   time.Time
	scanCost time.Duration
	scanned  time.Time
	folders  map[string][]sight // listed in this rescan
}

// A yielded is what Chunks yields once.
type yielded struct {
	chunk edgeban.Chunk
	err   error
}

func newReader(f *File, cursors map[string]string) *reader {
	r := &reader{
		File:  f,
		watch: func(string) {},
		born:  born,
		said:  map[string]trouble{},
		buf:   make([]byte, headMax+lastMax+whole.MaxText+1),
		first: true, known: map[string]bool{},
	}
	r.globs = r.checkGlobs()
	r.resume(cursors)
	return r
}

// close lets go of all files, and of what was said of them.
func (r *reader) close() {
	for _, t := range r.tails {
		t.close()
		r.unpublish(t.stream())
	}
	for place := range r.said {
		r.trouble(place, "")
	}
}

// take returns what is to be yielded. The text is valid until the next step.
func (r *reader) take() []yielded {
	out := r.out
	r.out = nil
	return out
}

// step looks at the one stream whose turn it is, after the folders if it is time
// for them, and reports whether there is more to do at once.
func (r *reader) step(now time.Time) (busy bool) {
	if !now.Before(r.pollAt) {
		r.pollAt = now.Add(r.c.Poll)
		for _, t := range r.tails {
			r.enqueue(t)
		}
		if r.stale() {
			r.scanAt = now
		}
	}
	if !now.Before(r.scanAt) {
		r.rescan(now)
	}
	if len(r.queue) == 0 {
		r.yieldEnds(now)
		return false
	}
	t := r.queue[0]
	r.queue = r.queue[1:]
	t.queued = false
	r.look(t, now)
	return true
}

// due returns when step has something to do even if nothing happens.
func (r *reader) due() time.Time {
	if r.scanAt.Before(r.pollAt) {
		return r.scanAt
	}
	return r.pollAt
}

func (r *reader) enqueue(t *tail) {
	if !t.queued && t.f != nil {
		t.queued = true
		r.queue = append(r.queue, t)
	}
}

// lookAtAll makes the next step look at everything.
func (r *reader) lookAtAll(now time.Time) { r.pollAt, r.scanAt = now, now }

// written queues the streams of the file at path.
func (r *reader) written(path string) {
	for _, t := range r.tails {
		if t.path == path || t.real == path {
			r.enqueue(t)
		}
	}
}

// renamed looks at the folders soon if what happened at path can matter. Folders
// in which much happens get a tenth of the time at most.
func (r *reader) renamed(path string, now time.Time) {
	matters := slices.ContainsFunc(r.globs, func(pattern string) bool { return glob.Reaches(pattern, path) }) ||
		slices.ContainsFunc(r.tails, func(t *tail) bool { return t.path == path || t.real == path || t.origin == path })
	if !matters {
		return
	}
	soon := r.scanned.Add(10 * r.scanCost)
	if soon.Before(now) {
		soon = now
	}
	if soon.Before(r.scanAt) {
		r.scanAt = soon
	}
}

// stale reports whether a path leads to another file than it did, where nobody
// may have told.
func (r *reader) stale() bool {
	known := map[fileID]bool{}
	for _, t := range r.tails {
		if t.f != nil {
			known[t.id] = true
		}
	}
	for _, t := range r.tails {
		if t.f != nil && !t.gone && !leads(t.path, t.id) {
			return true
		}
	}
	for _, glob := range r.globs {
		if fi, err := os.Stat(glob); err == nil && fi.Mode().IsRegular() && !known[idOf(fi)] && r.said[glob].text == "" {
			return true
		}
	}
	return false
}

// look reads what one stream has, up to a chunk of it.
func (r *reader) look(t *tail, now time.Time) {
	if t.f == nil {
		return
	}
	defer func() { r.report(t) }()
	if t.offset == 0 && r.isCopy(t, now) {
		return
	}
	if t.recall {
		r.recall(t, now)
	}
	base, live := t.offset, t.live
	text, more, err := t.read(r.buf)
	switch {
	case errors.Is(err, errReplaced):
		r.scanAt = now // it is found out there what became of it
	case err != nil:
		r.complain(t.path, explain(t.path, err))
	case more:
		t.moved = now
		r.calm(t.path)
		r.enqueue(t)
		if len(text) > 0 {
			r.give(t, edgeban.Chunk{Text: text, Base: base, Live: live}, now)
		}
	default:
		r.calm(t.path)
		r.atEnd(t, now)
	}
}

// atEnd does what is left to do with a stream that has no more whole lines now.
func (r *reader) atEnd(t *tail, now time.Time) {
	live := t.live
	t.live = true
	if fi, err := t.f.Stat(); err == nil && fi.Size() != t.size {
		t.size, t.moved = fi.Size(), now
	}
	chunk, quiet := edgeban.Chunk{Base: t.offset, Live: live}, false
	if t.away() && now.Sub(t.moved) >= r.c.Quiet {
		text, err := t.rest(r.buf)
		if err != nil {
			r.scanAt = now
			return
		}
		chunk.Text, quiet = text, true
	}
	if len(chunk.Text) > 0 || t.tell {
		r.give(t, chunk, now)
	}
	if quiet && t.gone {
		r.end(t)
	}
}

// give yields a chunk of t, which says the text, its place, and if it is live.
func (r *reader) give(t *tail, c edgeban.Chunk, now time.Time) {
	c.Source, c.Stream, c.Origin = r.c.Name, t.stream(), t.origin
	c.From, c.Read = t.cursor, now
	t.cursor = t.encode()
	c.To = t.cursor
	t.told, t.tell = true, false
	t.stat.Lines += uint64(bytes.Count(c.Text, []byte("\n")))
	t.stat.Read = now
	r.out = append(r.out, yielded{chunk: c})
}

// end lets go of a stream of which nothing follows.
func (r *reader) end(t *tail) {
	r.forget(t)
	if t.told {
		r.ended = append(r.ended, t)
	}
}

// yieldEnds has the cursors of ended streams forgotten. The last one of an origin
// waits until its successor's is saved, so that at each moment there is one that
// says how far the origin was read; if none comes it waits until forgetAfter.
func (r *reader) yieldEnds(now time.Time) {
	ended := r.ended
	r.ended = nil
	for i, t := range ended {
		succeeds := func(o *tail) bool { return o.told && o.origin == t.origin && !o.at.Before(t.at) }
		if !slices.ContainsFunc(r.tails, succeeds) && !slices.ContainsFunc(ended[i+1:], succeeds) && now.Sub(t.at) < forgetAfter {
			r.ended = append(r.ended, t)
			continue
		}
		r.out = append(r.out, yielded{chunk: edgeban.Chunk{
			Source: r.c.Name, Stream: t.stream(), Origin: t.origin, Base: t.offset,
			From: t.cursor, To: t.cursor, Read: now, Live: t.live, End: true,
		}})
	}
}

func (r *reader) forget(t *tail) {
	t.close()
	r.unpublish(t.stream())
	r.tails = slices.DeleteFunc(r.tails, func(o *tail) bool { return o == t })
}

// report publishes where t is.
func (r *reader) report(t *tail) {
	if t.f == nil {
		return
	}
	s := t.stat
	s.Stream, s.Origin, s.Path, s.Offset, s.Live = t.stream(), t.origin, t.path, t.offset, t.live
	if fi, err := t.f.Stat(); err == nil {
		s.Size = fi.Size()
	}
	s.Err = r.said[t.path].text
	r.publish(s)
}
