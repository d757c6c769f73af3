package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow reads a File in real time, and sends each line. The polls are so rare
// that only the system can have told of it.
func follow(t *testing.T, globs ...string) (lines chan string, synced func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	lines = make(chan string)
	done := make(chan struct{})
	looked := make(chan struct{}, 1)
	f := NewFile(FileConfig{Globs: globs, Poll: time.Hour, Rescan: time.Hour})
	go func() {
		defer close(done)
		for c, err := range f.Chunks(ctx, nil) {
			if err != nil {
				t.Error(err)
			}
			if len(c.Text) == 0 && !c.End {
				select {
				case looked <- struct{}{}:
				default:
				}
			}
			for line := range strings.Lines(string(c.Text)) {
				select {
				case lines <- strings.TrimSuffix(line, "\n"):
				case <-ctx.Done():
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return lines, func() { <-looked }
}

func wantLine(t *testing.T, lines chan string, want string) {
	t.Helper()
	select {
	case got := <-lines:
		if got != want {
			t.Errorf("got line %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for the line %q", want)
	}
}

func TestInotifyWakesTheReader(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	write(t, path)
	lines, synced := follow(t, path, filepath.Join(dir, "*", "*.log"))
	synced()
	write(t, path, "one")
	wantLine(t, lines, "one")
	rename(t, path, path+".1")
	write(t, path+".1", "two")
	wantLine(t, lines, "two")
	write(t, path, "three")
	wantLine(t, lines, "three")
	copyTruncate(t, path, path+".1")
	write(t, path, "four")
	wantLine(t, lines, "four")
	must(t, os.Mkdir(filepath.Join(dir, "new"), 0o755))
	write(t, filepath.Join(dir, "new", "a.log"), "five")
	wantLine(t, lines, "five")
	write(t, filepath.Join(dir, "new", "a.log"), "six")
	wantLine(t, lines, "six")
	must(t, os.Remove(path))
	write(t, path, "seven")
	wantLine(t, lines, "seven")
}

func TestInotifyFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "logs", "mail.log"), filepath.Join(dir, "data", "1.log")
	write(t, target)
	must(t, os.Mkdir(filepath.Dir(path), 0o755))
	must(t, os.Symlink(target, path))
	lines, synced := follow(t, path)
	synced()
	write(t, target, "one")
	wantLine(t, lines, "one")
	write(t, filepath.Join(dir, "data", "2.log"), "two")
	must(t, os.Symlink(filepath.Join(dir, "data", "2.log"), path+".new"))
	rename(t, path+".new", path)
	wantLine(t, lines, "two")
	write(t, filepath.Join(dir, "data", "2.log"), "three")
	wantLine(t, lines, "three")
}

// A writer at full speed that rotates all the time: every line comes, and once.
func TestRotationUnderLoadLosesNothing(t *testing.T) {
	const n, perFile = 20_000, 500
	path := filepath.Join(t.TempDir(), "mail.log")
	write(t, path)
	lines, synced := follow(t, path)
	synced()
	go func() {
		for i := range n / perFile {
			write(t, path, numbered(i*perFile, perFile)...)
			os.Rename(path, fmt.Sprintf("%s.%d", path, i))
		}
		write(t, path)
	}()
	seen := map[string]bool{}
	for range n {
		select {
		case line := <-lines:
			if seen[line] {
				t.Fatalf("%q came twice", line)
			}
			seen[line] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("waited 20 s for a line, %d of %d came", len(seen), n)
		}
	}
	for _, line := range numbered(0, n) {
		if !seen[line] {
			t.Errorf("%q did not come", line)
		}
	}
}

func TestFolderThatAppearsLater(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "not", "yet", "mail.log")
	write(t, filepath.Join(dir, "other.log"))
	lines, synced := follow(t, path, filepath.Join(dir, "other.log"))
	synced()
	write(t, path, "one")
	wantLine(t, lines, "one")
}

// The latency that matters: from the end of the write to the chunk.
func TestLatency(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	write(t, path)
	lines, synced := follow(t, path)
	synced()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	var took []time.Duration
	for range 200 {
		began := time.Now()
		_, err := io.WriteString(f, "line\n")
		must(t, err)
		wantLine(t, lines, "line")
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("write to chunk: median %v, 99th of 100 %v", took[100], took[198])
	if took[100] > 100*time.Millisecond { // a poll takes an hour; the rest is the machine's load
		t.Errorf("median latency %v, want it far below 1 ms on an idle machine", took[100])
	}
}

func TestWatchingThatFailsIsSaidOnce(t *testing.T) {
	var said bytes.Buffer
	w := newWatcher(FileConfig{Log: slog.New(slog.NewTextHandler(&said, nil))})
	w.close()
	w.add(t.TempDir())
	w.add(t.TempDir())
	if got := strings.Count(said.String(), "max_user_watches"); got != 1 {
		t.Errorf("said %d times that logs are polled, want once: %s", got, said.String())
	}
}

func TestStatusWhileReading(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.log")
	write(t, path, numbered(0, 5000)...)
	f := NewFile(FileConfig{Name: "logs", Globs: []string{path}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			f.Status()
		}
	}()
	var stream string
	for c, err := range f.Chunks(ctx, nil) {
		must(t, err)
		stream = c.Stream
		if s := f.Status(); len(s) > 0 && s[0].Lines == 5000 {
			cancel()
			if want := (Status{Stream: stream, Origin: path, Path: path, Size: s[0].Size, Offset: s[0].Size, Lines: 5000, Read: s[0].Read}); s[0] != want {
				t.Errorf("got status %+v, want %+v", s[0], want)
			}
		}
	}
	if origin, gen, ok := splitStream(stream); !ok || origin != path || len(gen) != 16 {
		t.Errorf("the stream is %q, want the path, @ and 16 hex digits", stream)
	}
}
