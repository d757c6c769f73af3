package warm

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string) (*os.File, *File) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w := New(f)
	t.Cleanup(func() { w.Close() })
	return f, w
}

func TestAFileIsReadWholeWhetherItIsInMemoryOrNot(t *testing.T) {
	want := bytes.Repeat([]byte("Nov 30 12:00:00 host sshd[1]: a line of some length\n"), 40_000)
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, w := open(t, path)
	if got, err := io.ReadAll(w); err != nil || !bytes.Equal(got, want) {
		t.Errorf("in memory: got %d bytes and %v, want all %d", len(got), err, len(want))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	forget(t, f)
	if got, err := io.ReadAll(w); err != nil || !bytes.Equal(got, want) {
		t.Errorf("on the disk: got %d bytes and %v, want all %d", len(got), err, len(want))
	}
	_, w = open(t, path)
	if err := iotest.TestReader(w, want); err != nil {
		t.Error(err)
	}
}

// A replay that is made again must print the same, in the same order.
func TestHowMuchIsReadDoesNotDependOnWhatIsInMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, w := open(t, path)
	forget(t, f)
	if _, err := f.ReadAt(make([]byte, 4096), 0); err != nil { // and a bit that is read ahead
		t.Fatal(err)
	}
	for _, want := range []int{600 << 10, 424 << 10} {
		if n, err := w.Read(make([]byte, 600<<10)); n != want || err != nil {
			t.Errorf("got %d bytes and %v, want %d", n, err, want)
		}
	}
}

// forget makes the kernel drop what it holds of a file.
func forget(t *testing.T, f *os.File) {
	t.Helper()
	if err := f.Sync(); err != nil { // what is not written yet, is not dropped
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// What is in memory is read without the scheduler's knowing, or all this is in vain.
func TestWhatIsInMemoryIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, w := open(t, path)
	switch n := w.held(make([]byte, 256<<10)); {
	case w.conn == nil:
		t.Skip("the file system has no reads that never wait")
	case n != 256<<10:
		t.Errorf("got %d bytes of a file that was just written, want 256 KB", n)
	}
}

func TestAFileSystemWithoutSuchReadsIsReadAsUsual(t *testing.T) {
	const path = "/proc/version"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	_, w := open(t, path)
	if got, err := io.ReadAll(w); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
}

func TestErrorsAreThoseOfTheFile(t *testing.T) {
	buf := make([]byte, 100)
	_, folder := open(t, t.TempDir())
	if n, err := folder.Read(buf); n != 0 || !errors.Is(err, unix.EISDIR) {
		t.Errorf("a folder: got %d and %v, want %v", n, err, unix.EISDIR)
	}
	_, closed := open(t, os.DevNull)
	if n, err := closed.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("an empty file: got %d and %v, want %v", n, err, io.EOF)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := closed.Read(buf); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed file: got %d and %v, want %v", n, err, fs.ErrClosed)
	}
}
