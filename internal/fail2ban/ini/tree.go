// Package ini reads the configuration files of fail2ban: which files make up a
// document and in which order, Python's strict ConfigParser, and its %(name)s.
// It knows no jail and no filter, runs nothing and writes nothing.
package ini

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of a tree. Upstream's own has 300 files of 600 KB in all.
const (
	maxFile  = 1 << 20  // bytes of a file
	maxBytes = 32 << 20 // bytes of all files
	maxFiles = 1000     // files of a document, each as often as it is included
	maxDepth = 20       // of includes
	maxWork  = 1 << 26  // bytes copied for all documents; 100 jails need 4 MB
)

// An Error is what is wrong at a place, and the way out.
type Error struct {
	Place
	Msg string
	Err error // what the system said; may be nil
}

// Error returns file:line: what is wrong.
func (e *Error) Error() string {
	if e.File == "" {
		return e.Msg
	}
	return e.Place.String() + ": " + e.Msg
}

// Unwrap returns what the system said.
func (e *Error) Unwrap() error { return e.Err }

// A Tree is a folder like /etc/fail2ban. It reads each file once.
type Tree struct {
	fsys  fs.FS
	dir   string
	files map[string]*file // by path; nil for what is not there or was skipped
	notes []*Error
	bytes int
	work  int
}

// New returns the tree at dir, an absolute path. The file system is that of the
// whole machine, rooted at /: includes may leave the folder.
func New(fsys fs.FS, dir string) *Tree {
	return &Tree{fsys: fsys, dir: path.Clean(dir), files: map[string]*file{}}
}

// Notes returns which files were skipped, and why.
func (t *Tree) Notes() []*Error { return t.notes }

// Spend accounts for n bytes that are copied while values are expanded. Beyond
// what any honest tree needs it is an error, so that a hostile one ends.
func (t *Tree) Spend(n int) error {
	if t.work += n; t.work > maxWork {
		return &Error{Msg: "the configuration expands to more than it can mean; look for values that repeat each other"}
	}
	return nil
}

// Exists reports whether the document has a file of its own.
func (t *Tree) Exists(name string) bool {
	files, err := t.top(name)
	return err != nil || len(files) > 0
}

// top returns the files of a document that are there, in the order in which they
// are read: NAME.conf, NAME.d/*.conf, NAME.local, NAME.d/*.local.
func (t *Tree) top(name string) ([]string, error) {
	base := path.Join(t.dir, name)
	entries, err := fs.ReadDir(t.fsys, inner(base+".d")) // sorted by name
	if errors.Is(err, fs.ErrPermission) {
		return nil, unreadable(base+".d", err)
	}
	var files []string
	for _, ext := range []string{".conf", ".local"} {
		files = append(files, base+ext)
		for _, e := range entries {
			if n := e.Name(); strings.HasSuffix(n, ext) && n[0] != '.' {
				files = append(files, path.Join(base+".d", n))
			}
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return !t.exists(f) }), nil
}

// inner is how fs.FS names an absolute path.
func inner(abs string) string {
	if abs = strings.TrimPrefix(path.Clean(abs), "/"); abs != "" {
		return abs
	}
	return "."
}

func (t *Tree) exists(name string) bool {
	_, err := fs.Stat(t.fsys, inner(name))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// load returns the parsed file, or nil if there is none or it is not UTF-8.
func (t *Tree) load(name string) (*file, error) {
	if f, ok := t.files[name]; ok {
		return f, nil
	}
	data, err := t.read(name)
	if err != nil || data == nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		t.notes = append(t.notes, &Error{Place: Place{File: name}, Msg: "is not UTF-8 and was left out, as fail2ban does; save it as UTF-8"})
		t.files[name] = nil
		return nil, nil
	}
	f, err := parse(name, string(data))
	if err != nil {
		return nil, err
	}
	t.files[name] = f
	return f, nil
}

// Bytes returns what a file holds that the configuration names: nil if there is
// none, and an error for what is too large or no file.
func (t *Tree) Bytes(name string) ([]byte, error) { return t.read(name) }

// read returns the bytes of a file, or nil if there is none. A folder is none, as
// for upstream; a device such as /dev/null, which hides a file, is an empty one.
func (t *Tree) read(name string) ([]byte, error) {
	info, err := fs.Stat(t.fsys, inner(name))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), err == nil && info.IsDir():
		return nil, nil
	case err != nil:
		return nil, unreadable(name, err)
	case info.Mode()&fs.ModeCharDevice != 0:
		return []byte{}, nil
	case !info.Mode().IsRegular(), strings.HasPrefix(name, "/proc/"), strings.HasPrefix(name, "/sys/"): // to read some of these waits for ever
		return nil, &Error{Place: Place{File: name}, Msg: "is not a file; take it away"}
	}
	r, err := t.fsys.Open(inner(name))
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch t.bytes += len(data); {
	case err != nil:
		return nil, unreadable(name, err)
	case len(data) > maxFile:
		return nil, &Error{Place: Place{File: name}, Msg: fmt.Sprintf("is larger than %d bytes; it is no configuration", maxFile)}
	case t.bytes > maxBytes:
		return nil, &Error{Place: Place{File: name}, Msg: fmt.Sprintf("with it the configuration is larger than %d bytes", maxBytes)}
	}
	return data, nil
}

func unreadable(name string, err error) error {
	msg := "cannot be read"
	if errors.Is(err, fs.ErrPermission) {
		msg = "may not be read; let this user read it"
	} else if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		msg += ": " + pe.Err.Error()
	}
	return &Error{Place{File: name}, msg, err}
}
