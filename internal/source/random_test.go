package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEachLineOnce does 2,000 random histories of one log: writes of whole and
// half lines, every kind of rotation, several between two looks, a writer that
// goes on in the old file, and a daemon that is stopped, killed between a chunk
// and its record, and started again.
//
// A line must be recorded exactly once. It is excused only if it was lost by
// nature: at some moment before it was recorded no uncompressed file of the
// folder held it, and no file that the running reader had open did (but for one
// that was overwritten in place: whether its lines are new nobody can say if it is
// old itself). So a line is not excused if the file was renamed, nor if copytruncate
// left a copy. It is also excused if its halves came to stand in two files: then no
// file ever held the line.
func TestEachLineOnce(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
			t.Setenv("TMPDIR", "/dev/shm") // t.TempDir is ten times faster there
		}
		histories(t, 0, 1800)
	})
	t.Run("disk", func(t *testing.T) { // where inodes are given away again at once
		histories(t, 1800, 2000)
	})
}

func histories(t *testing.T, first, end uint64) {
	for seed := first; seed < end && !t.Failed(); seed++ {
		h := newHistory(t, seed)
		for range 15 + h.rnd.IntN(45) {
			h.one()
		}
		h.finish()
		os.RemoveAll(h.dir)
	}
}

// A history is a folder, a writer, a daemon, and what each line went through.
type history struct {
	t    *testing.T
	seed uint64
	rnd  *rand.Rand
	dir  string
	log  string
	ops  []string

	w    *os.File // where the writer writes
	half string   // what it still has to write of a line

	file    *File
	r       *reader // nil while the daemon is down
	cursors map[string]string

	now    time.Time            // passes between things that happen, and only then
	births map[uint64]time.Time // of the files, by inode
	over   map[uint64]bool      // those that were overwritten since

	lines    int
	recorded map[int]int
	excused  map[int]bool
	dropped  map[int]bool
	buf      []byte
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), cursors: map[string]string{}, recorded: map[int]int{}, excused: map[int]bool{}, dropped: map[int]bool{}, buf: make([]byte, 1<<17), now: time.Now(), births: map[uint64]time.Time{}, over: map[uint64]bool{}}
	h.log = filepath.Join(h.dir, "log")
	globs := []string{h.log}
	if h.rnd.IntN(3) == 0 {
		globs = []string{h.log + "*"}
	}
	h.file = NewFile(FileConfig{Name: "s", Globs: globs, NoInotify: true})
	h.reopen()
	if h.rnd.IntN(2) == 0 {
		h.write()
	}
	h.start()
	h.look(1000, false)
	return h
}

func (h *history) one() {
	ops := []struct {
		weight int
		name   string
		do     func()
	}{
		{30, "write", h.write},
		{25, "look", func() { h.look(1000, false) }},
		{5, "glance", func() { h.look(h.rnd.IntN(4), false) }},
		{8, "rename", func() { h.rename(); h.reopen() }},
		{4, "rename, old writer", h.rename},
		{4, "reopen", h.reopen},
		{6, "copytruncate", h.copytruncate},
		{2, "copy over", h.copyOver},
		{2, "truncate", func() { h.try(os.Truncate(h.log, 0)) }},
		{3, "recreate", func() { h.try(os.Remove(h.log)); h.reopen() }},
		{3, "compress", h.compress},
		{2, "quiet", h.quiet},
		{6, "stop", h.stop},
		{2, "kill", func() { h.look(h.rnd.IntN(5), true); h.stop() }},
		{8, "start", h.start},
	}
	n := 0
	for _, op := range ops {
		n += op.weight
	}
	n = h.rnd.IntN(n)
	for _, op := range ops {
		if n -= op.weight; n < 0 {
			h.ops = append(h.ops, op.name)
			op.do()
			if h.rnd.IntN(3) == 0 {
				h.now = h.now.Add(time.Duration(1+h.rnd.IntN(10)) * time.Second)
			}
			return
		}
	}
}

// finish lets the writer end its line and the daemon read all there is.
func (h *history) finish() {
	h.ops = append(h.ops, "finish")
	h.reopen()
	h.start()
	h.look(1000, false)
	h.quiet()
	h.look(1000, false)
	var wrong []string
	for n := range h.lines {
		if got := h.recorded[n]; got > 1 || got == 0 && !h.excused[n] {
			wrong = append(wrong, fmt.Sprintf("line %d: %d times", n, got))
		}
	}
	if len(wrong) > 0 {
		h.t.Errorf("seed %d: not recorded once: %s; globs %q\n%s", h.seed, strings.Join(wrong, ", "), h.file.c.Globs, strings.Join(h.ops, "\n"))
	}
	h.stop()
	h.w.Close()
}

func (h *history) try(err error) {
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
}

// write writes up to three lines, and perhaps leaves the last one half.
func (h *history) write() {
	for range 1 + h.rnd.IntN(3) {
		if h.half == "" {
			h.half = fmt.Sprintf("%06d line x%s end\n", h.lines, strings.Repeat("x", h.rnd.IntN(90)*h.rnd.IntN(20)))
			h.lines++
		}
		n := len(h.half)
		if h.rnd.IntN(5) == 0 {
			n = min(n, 6+h.rnd.IntN(n)) // the number at least: no two files begin alike
		}
		h.put(n)
	}
}

func (h *history) put(n int) {
	_, err := h.w.WriteString(h.half[:n])
	h.try(err)
	h.half = h.half[n:]
}

// reopen lets the writer end its line and go to what the path leads to.
func (h *history) reopen() {
	if h.w != nil {
		h.put(len(h.half))
		h.w.Close()
	}
	h.create(h.log)
	w, err := os.OpenFile(h.log, os.O_APPEND|os.O_WRONLY, 0o644)
	h.try(err)
	h.w = w
}

// create makes a file unless it is there, and notes when.
func (h *history) create(path string) {
	fi, err := os.Stat(path)
	if err == nil {
		h.over[idOf(fi).ino] = path != h.log
		return
	}
	h.try(os.WriteFile(path, nil, 0o644))
	fi, err = os.Stat(path)
	h.try(err)
	h.births[idOf(fi).ino], h.over[idOf(fi).ino] = h.now, false
}

// born is when a file was made, in the time of the history.
func (h *history) born(path string) (time.Time, bool) {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}, false
	}
	made, ok := h.births[idOf(fi).ino]
	return made, ok
}

func (h *history) shift() {
	h.try(os.Rename(h.log+".2", h.log+".3"))
	h.try(os.Rename(h.log+".1", h.log+".2"))
}

func (h *history) rename() {
	h.shift()
	h.try(os.Rename(h.log, h.log+".1"))
}

func (h *history) copytruncate() {
	h.shift()
	h.copyOver()
}

// copyOver copies the log into a file that is perhaps there, and truncates it.
// The reader may look in between, the writer may not write.
func (h *history) copyOver() {
	data, err := os.ReadFile(h.log)
	if err != nil {
		return
	}
	h.create(h.log + ".1")
	h.try(os.WriteFile(h.log+".1", data[:h.rnd.IntN(len(data)+1)], 0o644))
	if h.rnd.IntN(3) == 0 {
		h.look(1000, false)
	}
	f, err := os.OpenFile(h.log+".1", os.O_WRONLY, 0)
	h.try(err)
	_, err = f.WriteAt(data, 0)
	h.try(err)
	f.Close()
	if h.rnd.IntN(3) == 0 {
		h.look(1000, false)
	}
	h.try(os.Truncate(h.log, 0))
}

func (h *history) compress() {
	name := fmt.Sprintf("%s.%d", h.log, 1+h.rnd.IntN(3))
	data, err := os.ReadFile(name)
	if err == nil {
		h.try(os.WriteFile(name+".gz", data, 0o644))
		h.try(os.Remove(name))
	}
}

// quiet lets a minute pass in which nobody writes. A half line in a file that
// was rotated is given up in it.
func (h *history) quiet() {
	if h.r == nil {
		return
	}
	h.put(len(h.half))
	h.look(1000, false)
	for _, t := range h.r.tails {
		t.moved = t.moved.Add(-2 * h.r.c.Quiet)
	}
	h.look(1000, false)
}

func (h *history) start() {
	if h.r == nil {
		h.r = newReader(h.file, h.cursors)
		h.r.born = h.born
	}
}

func (h *history) stop() {
	if h.r != nil {
		h.r.close()
	}
	h.r = nil
}

// look lets the reader do up to n steps as if a poll and a rescan were due, and
// records what it yields; if lost, all but the last.
func (h *history) look(n int, lost bool) {
	if h.r == nil {
		return
	}
	before := h.excuse()
	defer func() { h.drop(before) }()
	h.r.lookAtAll(h.now)
	for range n {
		busy := h.r.step(h.now)
		got := h.r.take()
		killed := lost && len(got) > 0
		if killed {
			got = got[:len(got)-1]
		}
		for _, y := range got {
			h.record(y)
		}
		if killed || !busy {
			return
		}
	}
}

func (h *history) record(y yielded) {
	if y.err != nil {
		h.t.Errorf("seed %d: error %v\n%s", h.seed, y.err, strings.Join(h.ops, "\n"))
		return
	}
	c := y.chunk
	if c.Seen {
		return
	}
	if c.End {
		delete(h.cursors, c.Stream)
	} else {
		h.cursors[c.Stream] = c.To
	}
	if c.Origin != h.log && !slices.Contains(h.file.c.Globs, h.log+"*") {
		h.t.Errorf("seed %d: origin %q, want %q", h.seed, c.Origin, h.log)
	}
	for line := range bytes.Lines(c.Text) {
		if n, ok := number(line); ok {
			h.recorded[n]++
		}
	}
}

// excuse marks the lines that were not recorded and are nowhere any more. Only
// the world does that: lines that go with a file which the reader lets go are
// told apart by dropped.
func (h *history) excuse() map[int]bool {
	held := h.held()
	for n := range h.whole() {
		if !held[n] && h.recorded[n] == 0 && !h.dropped[n] {
			h.excused[n] = true
		}
	}
	return held
}

// drop marks the lines that were there before the reader looked, and are not any
// more although it did not yield them.
func (h *history) drop(before map[int]bool) {
	now := h.held()
	for n := range before {
		if !now[n] && h.recorded[n] == 0 && !h.excused[n] {
			h.dropped[n] = true
		}
	}
}

// whole returns how many lines were written to their end.
func (h *history) whole() int {
	if h.half != "" {
		return h.lines - 1
	}
	return h.lines
}

// held returns the lines that a file of the folder holds, or one that the reader
// has open.
func (h *history) held() map[int]bool {
	held := map[int]bool{}
	scan := func(f *os.File) {
		n, _ := f.ReadAt(h.buf, 0)
		for line := range bytes.Lines(h.buf[:n]) {
			if n, ok := number(line); ok {
				held[n] = true
			}
		}
	}
	paths, _ := filepath.Glob(h.log + "*")
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil || compressed(path) {
			continue
		}
		if fi, err := f.Stat(); err == nil && (!h.over[idOf(fi).ino] || h.reads(idOf(fi))) {
			scan(f)
		}
		f.Close()
	}
	if h.r != nil {
		for _, t := range h.r.tails {
			if t.f == nil || t.check(h.buf) != nil {
				continue
			}
			if fi, err := t.f.Stat(); err == nil && fi.Sys().(*syscall.Stat_t).Nlink == 0 {
				scan(t.f)
			}
		}
	}
	return held
}

// reads reports whether the reader has the file, and it holds what was read of it.
func (h *history) reads(id fileID) bool {
	if h.r == nil {
		return false
	}
	t := h.r.holder(id)
	return t != nil && t.check(h.buf) == nil
}

// number returns which line a line is, if it is whole.
func number(line []byte) (n int, ok bool) {
	digits, rest, ok := bytes.Cut(line, []byte(" line "))
	n, err := strconv.Atoi(string(digits))
	return n, ok && err == nil && string(bytes.TrimLeft(rest, "x")) == " end\n"
}
