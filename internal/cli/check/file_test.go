package check

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whoever may not read a log is told which group may, wherever that is known.
func TestDeniedLogNamesTheGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	denied := &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
	if got := explain(path, denied).Error(); !strings.Contains(got, "may not read it; it belongs to group ") || !strings.Contains(got, "--group-add") {
		t.Errorf("got %q, want the group and how to add it", got)
	}
	if got := explain(path+".gone", denied).Error(); !strings.HasSuffix(got, "may not read it") {
		t.Errorf("got %q, want no more than what is known", got)
	}
	if _, err := Size(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: got %v, want that it is no regular file", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Size(pipe); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a named pipe: got %v, want that it is no regular file, at once", err)
	}
}
