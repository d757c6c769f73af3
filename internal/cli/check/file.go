package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Size returns the size of a log, or says why it cannot be read and what lets it.
func Size(path string) (int64, error) {
	info, err := os.Stat(path) // before opening it: a named pipe would block
	if err == nil && !info.Mode().IsRegular() {
		return 0, errors.New("this is no regular file; name the files in a folder, as in /logs/*.log")
	}
	if err != nil {
		return 0, explain(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, explain(path, err)
	}
	return info.Size(), f.Close()
}

// reachable says why a glob that names no file can name none.
func reachable(glob string) error {
	dir := filepath.Dir(glob)
	for strings.ContainsAny(dir, `*?[\`) {
		dir = filepath.Dir(dir)
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s; is it mounted?", dir)
	}
	if err != nil {
		return explain(dir, err)
	}
	return f.Close()
}

// explain words an error of a file, and says which group lets us in.
func explain(path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	text := fmt.Sprintf("uid %d may not read it", os.Getuid())
	if info, err := os.Stat(path); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			text += fmt.Sprintf(`; it belongs to group %d: add that (group_add: ["%d"] in compose, --group-add %d in docker)`, st.Gid, st.Gid, st.Gid)
		}
	}
	return errors.New(text)
}
