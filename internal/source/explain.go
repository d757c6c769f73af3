package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/glob"
)

var errForeign = errors.New("the cursor belongs to another stream")

// notRegular is the error for what is no file that can be read from any place.
func notRegular(mode fs.FileMode) error {
	switch {
	case mode.IsDir():
		return errors.New("it is a folder: name the files in it, like " + `"*.log"`)
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("it is a named pipe: let the service write to a regular file, or pipe it into standard input")
	case mode&fs.ModeSocket != 0:
		return errors.New("it is a socket: let the service write to a regular file")
	}
	return errors.New("it is a device: let the service write to a regular file (a container's /dev/stdout is kept by its runtime)")
}

// explain words an error with a path: what happened, and the way out. All are
// tried again.
func explain(path string, err error) error {
	var advice string
	switch {
	case errors.Is(err, fs.ErrPermission):
		return denied(path, err)
	case errors.Is(err, syscall.ESTALE):
		advice = "the network file system has lost it; if it does not come back, mount it again"
	case errors.Is(err, syscall.EIO):
		advice = "the disk or the network behind it does not answer; the kernel's log says why"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		advice = "raise the limit of open files (ulimits: nofile in compose, LimitNOFILE in systemd)"
	case errors.Is(err, syscall.ELOOP):
		advice = "symbolic links lead in a circle; let the path end at a file"
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if advice == "" {
		return fmt.Errorf("log %s: %w", path, err)
	}
	return advised{fmt.Errorf("log %s: %w", path, err), advice}
}

// advised is an error with the way out.
type advised struct {
	error
	advice string
}

func (a advised) Error() string { return a.error.Error() + ": " + a.advice }
func (a advised) Unwrap() error { return a.error }

// Readable says why the log at path cannot be read, and the way out as far as it is
// known; nothing if it can be.
func Readable(path string) (evidence, fix string) {
	info, err := os.Stat(path) // before opening it: a named pipe would block
	if err == nil && !info.Mode().IsRegular() {
		what, fix, _ := strings.Cut(notRegular(info.Mode()).Error(), ": ")
		return what, fix
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			f.Close()
			return "", ""
		}
	}
	err = explain(path, err)
	if a, ok := errors.AsType[advised](err); ok {
		return a.error.Error(), a.advice
	}
	return err.Error(), ""
}

// denied says who we are, whose the file or the folder before it is, and what
// would let us read it.
func denied(path string, err error) error {
	place := culprit(path)
	fi, statErr := os.Stat(place)
	if statErr != nil {
		return fmt.Errorf("log %s: %w", path, err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("log %s: %w", path, err)
	}
	need, letter := fs.FileMode(0o040), "r"
	if fi.IsDir() {
		need, letter = 0o050, "rx"
	}
	advice := fmt.Sprintf("add `group_add: [\"%d\"]` to the container, or run edgeban with that group, or `chmod o+%s %s`", st.Gid, letter, place)
	if fi.Mode()&need != need {
		advice = fmt.Sprintf("its group may not read it either: `chmod g+%s %s`, and add `group_add: [\"%d\"]` to the container", letter, place, st.Gid)
	}
	groups, _ := os.Getgroups()
	return advised{fmt.Errorf("log %s: %w: edgeban runs as uid %d, gid %d, groups %v; %s belongs to uid %d, gid %d and has mode %04o",
		path, fs.ErrPermission, os.Geteuid(), os.Getegid(), groups, place, st.Uid, st.Gid, fi.Mode().Perm()), advice}
}

// culprit returns the first part of path that keeps us out: a folder that may not
// be entered or listed, or the file.
func culprit(path string) string {
	for glob.HasMeta(path) {
		path = filepath.Dir(path)
	}
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// complain tells the trouble with a place, again only if it is another one.
func (r *reader) complain(place string, err error) {
	if r.mention(place, err.Error()) {
		r.out = append(r.out, yielded{err: err})
	}
}

// A trouble is what was told last of a place.
type trouble struct {
	text string
	scan int // when it was seen last
}

// mention notes the trouble with a place, and reports whether it is a new one.
func (r *reader) mention(place, text string) bool {
	was := r.said[place]
	r.said[place] = trouble{text, r.scans}
	r.trouble(place, text)
	return was.text != text
}

// calm ends the trouble with a place.
func (r *reader) calm(place string) {
	if _, ok := r.said[place]; ok {
		delete(r.said, place)
		r.trouble(place, "")
	}
}

// settle ends the troubles that this rescan did not meet any more. Those of files
// that are open end when they are read.
func (r *reader) settle() {
	open := map[string]bool{}
	for _, t := range r.tails {
		open[t.path] = t.f != nil
	}
	for place, s := range r.said {
		if s.scan > 0 && s.scan != r.scans && !open[place] {
			r.calm(place)
		}
	}
}

// complainOfCursor tells that a cursor is of no use, and has it forgotten.
func (r *reader) complainOfCursor(stream, cursor string, err error) {
	r.out = append(r.out,
		yielded{err: fmt.Errorf("stream %s: %w: its file is read again from the start, so lines may be judged twice (with their own times) but none is lost; nothing needs to be done", stream, err)},
		yielded{chunk: edgeban.Chunk{
			Source: r.c.Name, Stream: stream, Origin: stream[:max(0, strings.LastIndexByte(stream, '@'))],
			From: cursor, To: cursor, End: true,
		}})
}

// checkGlobs returns the globs that can be used. Without any nothing can follow.
func (r *reader) checkGlobs() []string {
	var good []string
	for _, pattern := range r.c.Globs {
		if _, err := filepath.Match(pattern, ""); err != nil || pattern == "" {
			r.complain(pattern, edgeban.Permanent(fmt.Errorf("source %s: %q is no pattern of file names: close its [ with a ], or write \\[", r.c.Name, pattern)))
			continue
		}
		good = append(good, pattern)
	}
	if len(r.c.Globs) == 0 {
		r.complain("", edgeban.Permanent(fmt.Errorf("source %s: it names no file: give it a logpath", r.c.Name)))
	}
	return good
}
