package source

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
)

// A daemon reads a File as the real one does: it records what a chunk holds and
// its cursor, then asks for the next.
type daemon struct {
	t       *testing.T
	c       FileConfig
	file    *File
	cursors map[string]string
	seen    string          // what a restart showed again
	chunks  []edgeban.Chunk // those that lines has not returned
	errs    []string
	stop    func()

	mu sync.Mutex // orders what the test read before what the daemon writes
}

func (d *daemon) sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
}

// inBubble runs f with a folder and a daemon that polls, in time that is not real.
func inBubble(t *testing.T, globs []string, f func(d *daemon)) {
	dir := t.TempDir()
	t.Chdir(dir)
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{t: t, c: FileConfig{Name: "logs", Globs: globs, NoInotify: true}, cursors: map[string]string{}, stop: func() {}}
		f(d)
		d.stop()
	})
}

// start starts the daemon, and waits until it has read what is there.
func (d *daemon) start() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	d.file = NewFile(d.c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.run(d.file.Chunks(ctx, maps.Clone(d.cursors)))
	}()
	d.stop = func() {
		d.sync()
		cancel()
		<-done
		d.stop = func() {}
	}
	synctest.Wait()
}

func (d *daemon) run(chunks iter.Seq2[edgeban.Chunk, error]) {
	for c, err := range chunks {
		d.record(c, err)
	}
}

func (d *daemon) record(c edgeban.Chunk, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.errs = append(d.errs, err.Error())
		return
	}
	if c.Seen {
		d.seen += string(c.Text)
		return
	}
	if was, ok := d.cursors[c.Stream]; ok && was != c.From {
		d.t.Errorf("stream %s goes on from %s, want %s", c.Stream, c.From, was)
	}
	d.cursors[c.Stream] = c.To
	if c.End {
		delete(d.cursors, c.Stream)
	}
	c.Text = bytes.Clone(c.Text)
	d.chunks = append(d.chunks, c)
}

// pass lets time pass.
func (d *daemon) pass(wait time.Duration) {
	d.sync()
	time.Sleep(wait) // in the bubble
	synctest.Wait()
}

// lines returns what came since the last call, without the \n.
func (d *daemon) lines() []string {
	var lines []string
	for _, c := range d.chunks {
		for line := range strings.Lines(string(c.Text)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	d.chunks = nil
	return lines
}

// want lets time pass until everything was looked at, and compares the lines.
func (d *daemon) want(lines ...string) {
	d.t.Helper()
	d.pass(11 * time.Second)
	if got := d.lines(); !slices.Equal(got, lines) {
		d.t.Errorf("got lines %.300q, want %.300q", got, lines)
	}
	if len(d.errs) > 0 {
		d.t.Errorf("got errors %q, want none", d.errs)
		d.errs = nil
	}
}

// wantError compares the one error that came.
func (d *daemon) wantError(parts ...string) {
	d.t.Helper()
	d.pass(11 * time.Second)
	if len(d.errs) != 1 {
		d.t.Fatalf("got errors %q, want one", d.errs)
	}
	for _, part := range parts {
		if !strings.Contains(d.errs[0], part) {
			d.t.Errorf("got error %q, want it to say %q", d.errs[0], part)
		}
	}
	d.errs = nil
}

// write appends to a file, and makes it and its folder if they are missing.
func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	text := strings.Join(lines, "\n")
	if len(lines) > 0 && !strings.HasSuffix(text, half) {
		text += "\n"
	}
	text = strings.TrimSuffix(text, half)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, err)
	must(t, f.Close())
}

// half ends a line that is not written to its end.
const half = "…"

func rename(t *testing.T, from, to string) { t.Helper(); must(t, os.Rename(from, to)) }

// copyTruncate does what logrotate does with copytruncate.
func copyTruncate(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o644))
	must(t, os.Truncate(from, 0))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// numbered returns n different lines, from first on.
func numbered(first, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d of a log that fills more than the head of a file", first+i)
	}
	return lines
}
