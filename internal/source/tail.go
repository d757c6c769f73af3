package source

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"time"

	"github.com/edgeban/edgeban/internal/source/whole"
)

// A tail is one stream: one file's content from its first byte to its last,
// wherever the file is moved meanwhile. It keeps no text between two reads: what
// was not yielded is read again, so a half-written line cannot go stale.
//
// While f is open its inode cannot be given to another file, so the identity of
// an open file is sure; what it holds is compared at each read.
type tail struct {
	gen, origin string

	path     string // where it was last seen
	real     string // the same without symbolic links
	f        *os.File
	id       fileID
	left     fileID    // of the file that held this until it was truncated; what came then nobody may know of
	at       time.Time // when it was last seen at its origin
	gone     bool      // no name leads to it any more
	replaced bool      // its file was seen to hold other content
	dead     bool      // no file holds its content

	offset int64       // the start of the first line that was not yielded
	scan   int64       // how far a line that is too long was read; 0 if there is none
	start  int64       // where that line has its first byte that is not NUL; -1 if not known yet
	head   []byte      // the first bytes
	last   []byte      // those before the offset
	print  fingerprint // of both, while there is no file

	live   bool   // the end was reached once, or it began while we ran
	told   bool   // whoever records has a cursor of it
	recall bool   // it was read before a restart, and those lines were not shown again yet
	tell   bool   // it is to be told where it is, even if there is no text
	queued bool   // it waits for its turn
	cursor string // of the last chunk

	size  int64     // as last seen
	moved time.Time // when the size last changed
	stat  Status
}

func (t *tail) stream() string { return streamName(t.origin, t.gen) }

// away reports whether the file was rotated: it is not where it was found first.
func (t *tail) away() bool { return t.gone || t.path != t.origin }

// encode returns the cursor of where t is.
func (t *tail) encode() string {
	return cursor{gen: t.gen, offset: t.offset, id: cmp.Or(t.left, t.id), at: t.at, print: t.fingerprint()}.String()
}

func (t *tail) fingerprint() fingerprint { return fingerprintOf(t.head, t.last) }

// attach makes f the file of t.
func (t *tail) attach(f *os.File, now time.Time) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	t.f, t.id, t.size, t.moved = f, idOf(fi), fi.Size(), now
	return nil
}

// close forgets the file, not the place in it.
func (t *tail) close() {
	if t.f != nil {
		t.f.Close()
	}
	t.f, t.scan = nil, 0
}

// jump moves to a place that was not reached by reading.
func (t *tail) jump(offset int64) error {
	head, last, err := around(t.f, offset)
	if err != nil {
		return err
	}
	if n := min(len(head), len(t.head), int(min(t.offset, headMax))); !bytes.Equal(head[:n], t.head[:n]) {
		return errReplaced
	}
	t.offset, t.head, t.last = offset, head, last
	return nil
}

// fill reads up to want bytes from the offset on, and what stands before them in
// the same system call: if that is what it was, the bytes follow it. It returns
// all that it read, and how much of it stands before the offset.
func (t *tail) fill(buf []byte, want int) (seen []byte, before int, err error) {
	before = int(min(t.offset, headMax+lastMax))
	if t.offset > headMax+lastMax {
		before = lastMax
		head := buf[:headMax]
		if n, err := t.f.ReadAt(head, 0); n < headMax && err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if !bytes.Equal(head, t.head) {
			return nil, 0, errReplaced
		}
	}
	n, err := t.f.ReadAt(buf[:before+want], t.offset-int64(before))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	seen = buf[:n]
	if n < before || !bytes.HasSuffix(seen[:before], t.last) {
		return nil, 0, errReplaced
	}
	if head := t.head[:min(len(t.head), before)]; int64(before) == t.offset && !bytes.HasPrefix(seen, head) {
		return nil, 0, errReplaced
	}
	return seen, before, nil
}

// check returns errReplaced if the file does not hold what was read from it.
func (t *tail) check(buf []byte) error {
	_, _, err := t.fill(buf, 0)
	return err
}

// read returns the next whole lines, which it puts into buf, and moves past
// them. More says that the end was not reached, even if nothing is returned.
func (t *tail) read(buf []byte) (text []byte, more bool, err error) {
	if t.scan > 0 {
		more, err = t.skip(buf)
		return nil, more, err
	}
	seen, before, err := t.fill(buf, whole.MaxText)
	if err != nil {
		return nil, false, err
	}
	data := seen[before:]
	n, long := whole.Lines(data)
	switch {
	case n > 0:
		t.advance(seen[:before+n], n)
	case long:
		t.scan, t.start = t.offset+MaxLine+1, -1
		t.findStart(data[:MaxLine+1], t.offset)
	}
	return data[:n], n > 0 || long, nil
}

// advance moves n bytes on; seen is what stands before the new place.
func (t *tail) advance(seen []byte, n int) {
	t.offset += int64(n)
	t.last = append(t.last[:0], seen[max(0, len(seen)-lastMax):]...)
	if len(t.head) < headMax && int64(len(seen)) == t.offset {
		t.head = append(t.head[:0], seen[:min(headMax, len(seen))]...)
	}
}

// findStart notes where the first byte that is not NUL is. Zeros in front of a
// line are the hole that copytruncate leaves under a writer that does not append:
// they are no part of it, however many they are.
func (t *tail) findStart(data []byte, at int64) {
	if t.start >= 0 {
		return
	}
	if i := bytes.IndexFunc(data, func(r rune) bool { return r != 0 }); i >= 0 {
		t.start = at + int64(i)
	}
}

// skip reads on through a line that is too long, and keeps none of it. The
// offset stays at its start until its end is found.
func (t *tail) skip(buf []byte) (more bool, err error) {
	if err := t.check(buf); err != nil {
		return false, err
	}
	n, err := t.f.ReadAt(buf[:whole.MaxText], t.scan)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	data := buf[:n]
	if n == 0 {
		return false, t.shrunk()
	}
	t.findStart(data, t.scan)
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		t.scan += int64(n)
		return true, nil
	}
	end := t.scan + int64(i)
	t.scan = 0
	if end-t.start <= MaxLine {
		return true, t.jump(t.start)
	}
	if err := t.jump(end + 1); err != nil {
		return false, err
	}
	t.stat.Long++
	return true, nil
}

// shrunk reads a long line again from its start if its file is shorter now.
func (t *tail) shrunk() error {
	fi, err := t.f.Stat()
	if err == nil && fi.Size() < t.scan {
		t.scan = 0
	}
	return err
}

// rest returns what stands after the last \n as a line, once nobody will end it.
func (t *tail) rest(buf []byte) ([]byte, error) {
	if t.scan > 0 {
		t.stat.Long++
		end := t.scan
		t.scan = 0
		return nil, t.jump(end)
	}
	seen, before, err := t.fill(buf, MaxLine)
	if err != nil || len(seen) == before {
		return nil, err
	}
	if bytes.IndexByte(seen[before:], '\n') >= 0 {
		return nil, nil // it was ended just now
	}
	t.advance(seen, len(seen)-before)
	return append(seen[before:], '\n'), nil
}
