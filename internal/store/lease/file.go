// Package lease says who may: which process may have a file, and which part of a
// process may do a named thing. It knows nothing of what they do.
package lease

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// ErrTaken is in the error of Take if another process has the file.
var ErrTaken = errors.New("it is in use")

// A File is locked for this process until it is closed, or the process ends.
type File struct {
	f     *os.File
	Known bool // somebody has signed it before
}

// Take locks the file at path, which is made if need be. It names who has it
// already. A file system that cannot lock is an error.
func Take(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	pid, err := io.ReadAll(io.LimitReader(f, 20))
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another edgeban (pid %s) uses it: %w", strings.TrimSpace(string(pid)), ErrTaken)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f, len(pid) > 0}, nil
}

// Sign writes down who has the file. It stays there when the lock is gone. One
// name is as long as another, so that a full disk can take it.
func (l *File) Sign() error {
	_, err := l.f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0)
	return err
}

// Close lets the file go.
func (l *File) Close() error { return l.f.Close() }
