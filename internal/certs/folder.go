package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/store/lease"
)

// The files of a certificate. The names of the first two are certbot's.
const (
	chainFile = "fullchain.pem"
	keyFile   = "privkey.pem"
	bothFile  = "combined.pem" // key and chain: one file is one reading
)

const (
	versions = ".versions"
	readable = 0o755 // of folders: what needs a secret kept is the mode of its file
)

// A folder holds exported certificates:
//
//	mail.example.org -> .versions/mail.example.org/20260102T150405-1
//	.versions/mail.example.org/20260102T150405-1/{fullchain,privkey,combined}.pem
//
// A version is complete and on disk before the link is renamed over the old one, so
// whoever opens combined.pem, or the folder and then two files in it, has one pair.
// Two paths that are opened one after the other may still fall on both sides of that
// rename, which no writer can prevent: the reload that follows mends it. The version
// before stays for those who hold it open.
type folder struct {
	dir   string
	group int // that may read keys; negative for none
	lock  *lease.File
}

// open takes the folder for this process.
func open(dir string, group int) (*folder, error) {
	f := &folder{dir: dir, group: group}
	if err := makeFolder(f.path("")); err != nil {
		return nil, f.explain(err)
	}
	lock, err := lease.Take(f.path(".lock"))
	if err != nil {
		return nil, f.explain(err)
	}
	f.lock = lock
	if err := lock.Sign(); err != nil {
		return nil, errors.Join(f.explain(err), lock.Close())
	}
	return f, nil
}

func (f *folder) close() { _ = f.lock.Close() } // the end of the process frees it, too

// path returns a path among the versions. Ours begin with a dot, those of
// certificates never do.
func (f *folder) path(name string) string { return filepath.Join(f.dir, versions, name) }

// place returns the path of a file of a certificate, as programs are told it.
func (f *folder) place(name, file string) string { return filepath.Join(f.dir, name, file) }

// put makes a certificate the one that is held, and reports whether it was another.
// After an error it is still the old one.
func (f *folder) put(name string, p pair, now time.Time) (bool, error) {
	if f.holds(name, p) {
		return false, nil
	}
	if info, err := os.Lstat(filepath.Join(f.dir, name)); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return false, fmt.Errorf("%s is there and is not ours; move it away, or choose another NAME=", filepath.Join(f.dir, name))
	}
	version, err := f.write(name, p, now)
	if err == nil {
		// Before the switch: a crash after it must not leave the old one loaded.
		if err = os.WriteFile(f.path(pendingFile), nil, 0o644); err == nil {
			err = f.point(name, version)
		}
		if err != nil {
			err = errors.Join(err, os.RemoveAll(version))
		}
	}
	if err != nil {
		return false, f.explain(err)
	}
	return true, nil
}

// holds reports whether a certificate is held just so.
func (f *folder) holds(name string, p pair) bool {
	for _, file := range f.files(p) {
		path := f.place(name, file.name)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != file.mode || !f.isOurs(info) {
			return false
		}
		if text, err := readFile(path); err != nil || !bytes.Equal(text, file.text) {
			return false
		}
	}
	return true
}

func (f *folder) isOurs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (f.group < 0 || int(st.Gid) == f.group)
}

type file struct {
	name string
	mode fs.FileMode
	text []byte
}

func (f *folder) files(p pair) []file {
	secret := fs.FileMode(0o600)
	if f.group >= 0 {
		secret = 0o640
	}
	return []file{{chainFile, 0o644, p.chain}, {keyFile, secret, p.key}, {bothFile, secret, p.both()}}
}

// write makes a version, and removes what there is of it if it cannot.
func (f *folder) write(name string, p pair, now time.Time) (string, error) {
	parent := f.path(name)
	if err := makeFolder(parent); err != nil {
		return "", err
	}
	version, err := os.MkdirTemp(parent, now.UTC().Format("20060102T150405-*"))
	if err != nil {
		return "", err
	}
	for _, file := range f.files(p) {
		if err = f.create(filepath.Join(version, file.name), file); err != nil {
			break
		}
	}
	if err == nil {
		err = os.Chmod(version, readable)
	}
	if err = errors.Join(err, flush(version), flush(parent)); err != nil {
		return "", errors.Join(err, os.RemoveAll(version))
	}
	return version, nil
}

// create writes a file whose mode no umask changes, and that nobody may open before
// it has it.
func (f *folder) create(path string, c file) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(c.text)
	if err == nil && f.group >= 0 {
		err = w.Chown(-1, f.group)
	}
	if err == nil {
		err = w.Chmod(c.mode)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// point switches a certificate to a version, and removes the versions that nobody
// can have open any more.
func (f *folder) point(name, version string) error {
	link, next := filepath.Join(f.dir, name), f.path(".next")
	before, _ := os.Readlink(link)
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Relative, so that the folder may be mounted anywhere.
	if err := os.Symlink(filepath.Join(versions, name, filepath.Base(version)), next); err != nil {
		return err
	}
	if err := os.Rename(next, link); err != nil {
		return err
	}
	old, err := os.ReadDir(filepath.Dir(version))
	if err != nil {
		return nil //nolint:nilerror // it is switched; what is left over is removed by the next
	}
	for _, d := range old {
		if d.Name() != filepath.Base(version) && d.Name() != filepath.Base(before) {
			_ = os.RemoveAll(f.path(filepath.Join(name, d.Name()))) // the next tries again
		}
	}
	_ = flush(f.dir) // if it is lost, the next start writes it again
	return nil
}

// list returns the names of the certificates that are held.
func (f *folder) list() []string {
	var names []string
	found, _ := os.ReadDir(f.dir) // what cannot be listed cannot be written, which is told
	for _, d := range found {
		to, err := os.Readlink(filepath.Join(f.dir, d.Name()))
		if err == nil && filepath.Dir(to) == filepath.Join(versions, d.Name()) {
			names = append(names, d.Name())
		}
	}
	return names
}

// pendingFile is there while what was written is not loaded yet.
const pendingFile = ".reload-pending"

func (f *folder) pending() bool {
	_, err := os.Lstat(f.path(pendingFile))
	return err == nil
}

func (f *folder) reloaded() error {
	if err := os.Remove(f.path(pendingFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain(err)
	}
	return nil
}

// explain words why the folder cannot be written, and the way out.
func (f *folder) explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM) && f.group >= 0:
		return fmt.Errorf("%w: uid %d is not in group %d, so it may not give it the keys; add the group (group_add: [\"%d\"])", err, os.Geteuid(), f.group, f.group)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: uid %d may not write to %s; let it: chown -R %d %s", err, os.Geteuid(), f.dir, os.Geteuid(), f.dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount a volume at %s that can be written", err, f.dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: the certificates that were there stay; make room", err)
	}
	return err
}

// makeFolder makes a folder that everybody may enter, whatever the umask.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, readable); err != nil {
		return err
	}
	return os.Chmod(path, readable)
}

// flush waits until what a folder lists is on disk.
func flush(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
