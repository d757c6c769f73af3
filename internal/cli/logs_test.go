package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPackedLogsAreReadLikeOthers(t *testing.T) {
	const text = "one\ntwo\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, text)
	w.Close()
	dir := t.TempDir()
	for name, tt := range map[string]struct{ file, want, wrong string }{
		"plain":  {file: text, want: text},
		"packed": {file: packed.String(), want: text},
		"empty":  {},
		"torn":   {file: packed.String()[:5], wrong: "torn: unexpected EOF"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		in := (&env{}).logs([]string{path})
		f, err := in.logs[0].Open()
		if err != nil {
			if tt.wrong == "" || !strings.HasSuffix(err.Error(), tt.wrong) {
				t.Errorf("%s: %v, want %q", name, err, tt.wrong)
			}
			continue
		}
		got, err := io.ReadAll(f)
		if string(got) != tt.want || err != nil || tt.wrong != "" {
			t.Errorf("%s: got %q and %v, want %q", name, got, err, tt.want)
		}
		if n := in.read.Load(); n != int64(len(tt.file)) || in.size != n {
			t.Errorf("%s: %d bytes of %d count as read, want all %d", name, n, in.size, len(tt.file))
		}
		f.Close()
	}
}

func TestProgressIsInPercentWhereTheSizeIsKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, 400), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{[]string{path}, "25 %, 6 lines, 3 lines/s"},
		{[]string{path, path}, "12 %, 6 lines, 3 lines/s"},
		{[]string{path, "-"}, "6 lines, 3 lines/s"},
	} {
		in := (&env{}).logs(tt.paths)
		in.read.Store(100)
		if got := in.progress(6, 2*time.Second); got != tt.want {
			t.Errorf("%d files: got %q, want %q", len(tt.paths), got, tt.want)
		}
	}
}

func TestAFolderIsNoLog(t *testing.T) {
	dir := t.TempDir()
	_, err := (&env{}).logs([]string{dir}).logs[0].Open()
	if want := dir + " is a folder: name the logs in it"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The standard input has no size, and is waited for, whatever a file there is called.
func TestTheStandardInputIsNoFileCalledSo(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("-", []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := (&env{}).logs([]string{"-"}).size; got != 0 {
		t.Errorf("got %d bytes, want 0: it is not known", got)
	}
}
