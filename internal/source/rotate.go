package source

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// slack is how far the clock of a file system may be behind ours.
const slack = time.Second

// compressed reports whether a name is that of a compressed log: its lines were
// read, or will not be.
func compressed(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".Z", ".zip", ".7z", ".br":
		return true
	}
	return false
}

// rotatedName reports whether name is what a rotation calls the old file of base:
// mail.log.1, mail.log-20261122, mail-20261122.log, mail.1.log, mail.log.old.
func rotatedName(base, name string) bool {
	if turn, ok := strings.CutPrefix(name, base); ok && isTurn(turn) {
		return true
	}
	ext := filepath.Ext(base)
	turn, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext))
	turn, same := strings.CutSuffix(turn, ext)
	return ok && same && ext != "" && isTurn(turn)
}

func isTurn(s string) bool {
	if s == "~" {
		return true
	}
	if len(s) < 2 || !strings.ContainsAny(s[:1], ".-_") {
		return false
	}
	if '0' <= s[1] && s[1] <= '9' {
		return true
	}
	return slices.Contains([]string{"old", "bak", "prev", "previous", "last", "save", "orig", "copy"}, s[1:])
}

// siblingOf reports whether path is named like a rotated file of origin, beside it.
func siblingOf(origin, path string) bool {
	return filepath.Dir(origin) == filepath.Dir(path) && rotatedName(filepath.Base(origin), filepath.Base(path))
}

// fetchMissed adopts files that came to an origin and were rotated away from it
// between two looks, or while the daemon was down: those beside it that were made
// after the last look that found another file there, and that file itself if it
// holds other content now. So does any file that a stream had, and no stream has
// now. newest holds, by origin, the stream that was there last, and had the files.
func (r *reader) fetchMissed(newest map[string]visit, had map[fileID]bool, now time.Time) {
	var first []*tail // their cursors are saved before any that would hide that they were missed
	for _, origin := range slices.Sorted(maps.Keys(newest)) {
		t := newest[origin]
		waits := t.f == nil && slices.Contains(r.tails, t.tail)
		stays := t.f != nil && !t.away()
		if waits || stays && t.offset > 0 {
			continue
		}
		all, _ := r.siblings(filepath.Dir(origin))
		for _, s := range all {
			// Of a file of which nothing was read yet nobody can say that it was
			// truncated. A copy of what it held has its whole name in front.
			if stays && !strings.HasPrefix(s.path, origin) || !siblingOf(origin, s.path) ||
				r.holder(s.id) != nil || !had[s.id] && r.madeBefore(s, t.at.Add(-slack)) {
				continue
			}
			if missed := r.adopt(s, origin, now); missed != nil {
				missed.at = t.at
				missed.cursor = missed.encode()
				missed.queued = true
				first = append(first, missed)
				r.c.Log.Info("a rotated log was found that nobody had seen before", "path", s.path, "origin", origin)
			}
		}
	}
	r.queue = slices.Concat(first, r.queue)
}

// madeBefore reports whether the file was there before when. Where the file
// system does not know, it is one that was not written since.
func (r *reader) madeBefore(s sight, when time.Time) bool {
	if made, ok := r.born(s.path); ok {
		return made.Before(when)
	}
	return s.mod.Before(when)
}

// isCopy reports whether what t has was or will be read as another stream: while
// copytruncate copies a log, the copy looks like a new file. It waits until the
// log is truncated (then its stream moves into the copy, see house), or until the
// copy was quiet and its lines have all been read from the log.
func (r *reader) isCopy(t *tail, now time.Time) bool {
	fi, err := t.f.Stat()
	if err != nil || fi.Size() == 0 {
		return false // its read says why
	}
	if fi.Size() != t.size {
		t.size, t.moved = fi.Size(), now
	}
	for _, o := range r.tails {
		if o.f == nil || !siblingOf(o.origin, t.path) || o.offset == 0 && o.away() { // the last: two copies do not wait for each other
			continue
		}
		same := beginsWith(o.f, t.f)
		if err := o.check(r.buf); err != nil {
			if errors.Is(err, errReplaced) {
				r.scanAt = now // whether t is its copy is found out there
			}
			return true
		}
		if !same {
			continue
		}
		if now.Sub(t.moved) >= r.c.Quiet && o.offset >= t.size && t.jump(t.size) == nil {
			break
		}
		return true
	}
	return false
}

// openRegular opens a file for reading, without waiting and without touching
// devices, whatever a link that was changed a moment ago leads to.
func openRegular(path string) (*os.File, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, notRegular(fi.Mode())
	}
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	if fi, err = f.Stat(); err == nil && !fi.Mode().IsRegular() {
		err = notRegular(fi.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
