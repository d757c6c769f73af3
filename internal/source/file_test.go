package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/glob"
)

func TestFileThatIsMissingTodayIsReadTomorrow(t *testing.T) {
	inBubble(t, []string{"logs/mail.log", "containers/*/*.log"}, func(d *daemon) {
		d.start()
		d.want()
		if got := d.file.Status(); len(got) != 2 || got[0].Err == "" || got[0].Origin != "containers/*/*.log" {
			t.Errorf("the status is %+v, want that nothing matches the two globs", got)
		}
		write(t, "logs/mail.log", "one")
		d.want("one")
		write(t, "containers/a/a.log", "two")
		write(t, "containers/a/a.txt", "not ours")
		d.want("two")
		write(t, "containers/b/b.log", "three")
		d.want("three")
		for _, s := range d.file.Status() {
			if s.Err != "" || s.Lag() != 0 || s.Lines != 1 || !s.Live {
				t.Errorf("the status of %s is %+v, want one line, live", s.Origin, s)
			}
		}
	})
}

func TestGlobs(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"a.log", "b.log", "ab.log", "x/a.log", "y/a.log", "[z]/a.log"} {
		write(t, path, "")
	}
	for pattern, want := range map[string][]string{
		"a.log":          {"a.log"},
		"no.log":         nil,
		"?.log":          {"a.log", "b.log"},
		"[^a].log":       {"b.log"},
		"*/a.log":        {"[z]/a.log", "x/a.log", "y/a.log"},
		"[xy]/*":         {"x/a.log", "y/a.log"},
		`\[z\]/*`:        {"[z]/a.log"},
		"a.log/*":        nil,
		"no/*/such/*.gz": nil,
	} {
		got, err := glob.Expand(pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s matches %q, %v, want %q", pattern, got, err, want)
		}
		if glob, _ := filepath.Glob(pattern); !slices.Equal(glob, got) {
			t.Errorf("%s matches %q, filepath.Glob says %q", pattern, got, glob)
		}
		for _, path := range got {
			if !glob.Matches(pattern, path) || !glob.Reaches(pattern, path) || !glob.Reaches(pattern, filepath.Dir(path)) && filepath.Dir(path) != "." {
				t.Errorf("%s does not reach %s", pattern, path)
			}
		}
	}
}

func TestLiveOnceTheEndWasReached(t *testing.T) {
	inBubble(t, []string{"*.log"}, func(d *daemon) {
		write(t, "old.log", strings.Repeat(strings.Repeat("x", 99)+"\n", 5000)) // two chunks
		d.start()
		d.pass(time.Second)
		if len(d.chunks) < 2 {
			t.Fatalf("%d chunks, want at least 2", len(d.chunks))
		}
		for _, c := range d.chunks {
			if c.Live {
				t.Errorf("what was there before the start is live at %d", c.Base)
			}
		}
		d.lines()
		write(t, "old.log", "a new line")
		write(t, "new.log", "a new file")
		d.pass(11 * time.Second)
		for _, c := range d.chunks {
			if !c.Live {
				t.Errorf("%q is not live", c.Text)
			}
		}
		d.want("a new line", "a new file")
		d.stop()
		write(t, "old.log", "while down")
		d.start()
		if d.chunks[0].Live {
			t.Error("what was written while the daemon was down is live")
		}
		d.want("while down")
	})
}

func TestHugeFileIsBegunNearItsEnd(t *testing.T) {
	inBubble(t, []string{"*.log"}, func(d *daemon) {
		lines := numbered(0, 3000)
		write(t, "old.log", lines...)
		d.c.FirstRead = 1000
		d.start()
		d.pass(11 * time.Second)
		got := d.lines()
		if n := len(got); n < 10 || n > 20 || !slices.Equal(got, lines[len(lines)-n:]) {
			t.Errorf("got %d lines, want the last that fit into 1000 bytes", n)
		}
		write(t, "new.log", lines...) // while we run: all of it is new
		d.want(lines...)
		d.stop()
		write(t, "old.log", "one")
		d.start()
		d.want("one")
	})
}

func TestBusyFileDoesNotStarveAnother(t *testing.T) {
	inBubble(t, []string{"*.log"}, func(d *daemon) {
		write(t, "a.log", strings.Repeat(strings.Repeat("x", 99)+"\n", 100_000)) // 10 MB
		write(t, "b.log", "one")
		d.start()
		i := slices.IndexFunc(d.chunks, func(c edgeban.Chunk) bool { return c.Origin == "b.log" })
		if i < 0 || i > 1 {
			t.Errorf("the small file is the %dth, want its turn after one chunk", i+1)
		}
	})
}

func TestTwoNamesOfAFileAreReadOnce(t *testing.T) {
	inBubble(t, []string{"*.log"}, func(d *daemon) {
		write(t, "a.log", "one")
		must(t, os.Link("a.log", "b.log"))
		must(t, os.Symlink("a.log", "c.log"))
		d.start()
		d.want("one")
		must(t, os.Remove("a.log"))
		write(t, "b.log", "two")
		d.want("two")
	})
}

// withoutRights runs f as one who may not read what belongs to others, as far as
// files are concerned.
func withoutRights(t *testing.T, f func()) {
	if os.Getuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := syscall.Setfsuid(65532); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func TestForbiddenFileSaysTheWayOut(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	t.Chdir(dir)
	write(t, "a.log", "secret")
	write(t, "b.log", "one")
	write(t, "closed/c.log", "secret")
	must(t, os.Chmod("a.log", 0o240))
	must(t, os.Chmod("closed", 0o200))
	gid := os.Getgid()
	if os.Getuid() == 0 {
		must(t, os.Chown("a.log", 0, 4)) // withoutRights keeps our group
		gid = 4
	}
	r := newReader(NewFile(FileConfig{Name: "logs", Globs: []string{"*.log", "closed/*.log"}, NoInotify: true}), nil)
	defer r.close()
	var errs, lines []string
	look := func() {
		errs, lines = nil, nil
		r.lookAtAll(time.Now())
		for busy := true; busy; {
			busy = r.step(time.Now())
			for _, got := range r.take() {
				if got.err != nil {
					errs = append(errs, got.err.Error())
				}
				lines = append(lines, strings.Split(string(got.chunk.Text), "\n")...)
			}
		}
	}
	withoutRights(t, look)
	if len(errs) != 2 || !slices.Contains(lines, "one") {
		t.Fatalf("got errors %q and lines %q, want two errors and the lines of the other file", errs, lines)
	}
	for i, want := range [][]string{
		{"closed/*.log", "mode 0200", "chmod g+rx closed", fmt.Sprintf(`group_add: ["%d"]`, os.Getgid())},
		{"a.log", "mode 0240", fmt.Sprintf("uid %d", os.Getuid()), fmt.Sprintf("add `group_add: [\"%d\"]`", gid)},
	} {
		for _, part := range want {
			if !strings.Contains(errs[i], part) {
				t.Errorf("got error %q, want it to say %q", errs[i], part)
			}
		}
	}
	withoutRights(t, look)
	if len(errs) > 0 {
		t.Errorf("the same trouble is told again: %q", errs)
	}
	must(t, os.Chmod("a.log", 0o200))
	withoutRights(t, look)
	if len(errs) != 1 || !strings.Contains(errs[0], "chmod g+r a.log") {
		t.Errorf("got errors %q, want the new trouble", errs)
	}
	must(t, os.Chmod("a.log", 0o644))
	must(t, os.Chmod("closed", 0o755))
	withoutRights(t, look)
	if len(errs) > 0 || !slices.Contains(lines, "secret") {
		t.Errorf("got errors %q and lines %q, want none and what may be read now", errs, lines)
	}
	for _, s := range r.Status() {
		if s.Err != "" {
			t.Errorf("%s is still in trouble: %s", s.Origin, s.Err)
		}
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	for name, made := range map[string]struct {
		make func(string) error
		want string
	}{
		"pipe.log":   {func(p string) error { return syscall.Mkfifo(p, 0o644) }, "named pipe"},
		"dir.log":    {func(p string) error { return os.Mkdir(p, 0o755) }, "name the files in it"},
		"device.log": {func(p string) error { return os.Symlink("/dev/null", p) }, "device"},
		"loop.log":   {func(p string) error { return os.Symlink(p, p) }, "circle"},
	} {
		inBubble(t, []string{name, "b.log"}, func(d *daemon) {
			must(t, made.make(name))
			write(t, "b.log", "one")
			d.start()
			d.wantError(name, made.want)
			d.want("one")
			must(t, os.Remove(name))
			write(t, name, "two")
			d.want("two")
		})
	}
}

// What a link leads to may change between the look at it and the opening.
func TestLinkToAPipeNeverWaits(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, syscall.Mkfifo("pipe", 0o644))
	must(t, os.Symlink("pipe", "link"))
	if f, err := openRegular("link"); err == nil {
		f.Close()
		t.Error("a pipe was opened, want it refused")
	}
}

func TestErrorsSayTheWayOut(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ESTALE: "mount it again", syscall.EIO: "the kernel's log", syscall.EMFILE: "nofile", syscall.ELOOP: "circle",
	} {
		err := explain("mail.log", &os.PathError{Op: "read", Path: "mail.log", Err: errno})
		if !errors.Is(err, errno) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "mail.log") != 1 {
			t.Errorf("got error %q, want it to name the file once and to say %q", err, want)
		}
	}
}

func TestBadGlobs(t *testing.T) {
	for _, globs := range [][]string{nil, {"[a"}, {""}} {
		inBubble(t, globs, func(d *daemon) {
			n := 0
			for _, err := range NewFile(d.c).Chunks(t.Context(), nil) {
				n++
				if !edgeban.IsPermanent(err) {
					t.Errorf("globs %q: got error %v, want a permanent one", globs, err)
				}
			}
			if n != 1 {
				t.Errorf("globs %q: %d errors, then the end; want 1", globs, n)
			}
		})
	}
	inBubble(t, []string{"[a", "mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		d.start()
		d.wantError("[a")
		d.want("one")
	})
}

func TestStopClosesEverything(t *testing.T) {
	t.Chdir(t.TempDir())
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	write(t, "a.log", "one")
	write(t, "b.log", "two")
	before, goroutines := open(), runtime.NumGoroutine()
	for _, noInotify := range []bool{true, false} {
		for stopAfter := range 4 {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			for _, err := range NewFile(FileConfig{Globs: []string{"*.log"}, NoInotify: noInotify}).Chunks(ctx, nil) {
				must(t, err)
				if n++; n == 1 && stopAfter == 0 {
					break
				}
				if n == 2 {
					time.AfterFunc(time.Duration(stopAfter-1)*time.Millisecond, cancel) // while it waits
				}
			}
			cancel()
		}
	}
	if got := open(); got > before {
		t.Errorf("%d files are open, were %d", got, before)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, were %d", runtime.NumGoroutine(), goroutines)
		}
	}
}

func BenchmarkFile(b *testing.B) {
	dir := b.TempDir()
	line := "Nov 22 17:43:12 mail postfix/smtpd[1234]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x\n"
	const size = 64 << 20
	path := filepath.Join(dir, "mail.log")
	if err := os.WriteFile(path, []byte(strings.Repeat(line, size/len(line)+1)), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for c, err := range NewFile(FileConfig{Globs: []string{path}, FirstRead: 1 << 40}).Chunks(b.Context(), nil) {
			if err != nil {
				b.Fatal(err)
			}
			if n += len(c.Text); n >= size {
				break
			}
		}
	}
}
