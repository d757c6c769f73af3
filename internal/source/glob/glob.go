// Package glob says which paths a pattern matches, and where something can happen
// that changes it. It reads folders, and opens no file.
package glob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func HasMeta(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// Expand returns the paths that a pattern matches now, as filepath.Glob does, but
// a folder that may not be read is an error: silence would look like no logs.
func Expand(pattern string) ([]string, error) {
	if !HasMeta(pattern) {
		if _, err := os.Lstat(pattern); err != nil {
			return nil, NotMissing(err)
		}
		return []string{pattern}, nil
	}
	folders, err := Expand(filepath.Dir(pattern))
	var paths []string
	for _, folder := range folders {
		found, e := within(folder, filepath.Base(pattern))
		paths = append(paths, found...)
		err = errors.Join(err, e)
	}
	return paths, err
}

// within returns the paths in a folder whose name matches last.
func within(folder, last string) ([]string, error) {
	if !HasMeta(last) {
		path := filepath.Join(folder, last)
		if _, err := os.Lstat(path); err != nil {
			return nil, NotMissing(err)
		}
		return []string{path}, nil
	}
	entries, err := os.ReadDir(folder)
	var paths []string
	for _, e := range entries {
		if ok, _ := filepath.Match(last, e.Name()); ok {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths, NotMissing(err)
}

func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// NotMissing returns err, but nil if it says that there is nothing yet.
func NotMissing(err error) error {
	if Missing(err) {
		return nil
	}
	return err
}

// Folders returns the folders in which something can happen that changes what
// a pattern matches: those of its files, and those where folders may appear.
func Folders(pattern string) []string {
	var folders []string
	for d := filepath.Dir(pattern); ; d = filepath.Dir(d) {
		found, _ := Expand(d) // what cannot be read is reported where files are looked for
		folders = append(folders, found...)
		if len(found) > 0 && !HasMeta(d) || d == filepath.Dir(d) {
			return folders
		}
	}
}

// Reaches reports whether path, or a folder with that name, can be on the way to
// what the pattern matches.
func Reaches(pattern, path string) bool {
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(q) > len(p) {
		return false
	}
	for i := range q {
		if ok, _ := filepath.Match(p[i], q[i]); !ok {
			return false
		}
	}
	return true
}

// Matches reports whether path is what the pattern names.
func Matches(pattern, path string) bool {
	ok, err := filepath.Match(pattern, path)
	return err == nil && ok || pattern == path
}
