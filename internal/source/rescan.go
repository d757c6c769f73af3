package source

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/source/glob"
)

// A sight is a regular, uncompressed file as it was found under a path.
type sight struct {
	path string
	id   fileID
	size int64
	mod  time.Time
}

// rescan looks at the folders: where the known files are now, what became of
// those that hold other content, and which files are new.
func (r *reader) rescan(now time.Time) {
	began := time.Now()
	r.scanAt = now.Add(r.c.Rescan)
	r.scans++
	r.folders = map[string][]sight{}
	for _, pattern := range r.globs {
		for _, folder := range glob.Folders(pattern) {
			r.watch(folder)
		}
	}
	found := r.find()
	newest, had := r.newest(), r.ids()
	for _, t := range r.tails {
		r.place(t, found, now)
	}
	if !r.house(found, now) {
		r.folders = map[string][]sight{} // perhaps one was renamed while we looked
		found = r.find()
		if !r.house(found, now) {
			r.bury(newest)
		}
	}
	r.fetchMissed(newest, had, now)
	for _, s := range found {
		r.adopt(s, s.path, now)
	}
	for _, t := range r.tails {
		r.enqueue(t)
	}
	r.settle()
	r.first = false
	r.scanned, r.scanCost = now, time.Since(began)
}

// find returns what the globs match, and complains of what cannot be read.
func (r *reader) find() []sight {
	var found []sight
	for _, pattern := range r.globs {
		paths, err := glob.Expand(pattern)
		if err != nil {
			r.complain(pattern, explain(pattern, err))
		}
		before := len(found)
		for _, path := range paths {
			if compressed(path) || slices.ContainsFunc(found, func(s sight) bool { return s.path == path }) {
				continue
			}
			fi, err := os.Stat(path)
			switch {
			case err == nil && fi.Mode().IsRegular():
				found = append(found, sight{path, idOf(fi), fi.Size(), fi.ModTime()})
			case err == nil && fi.IsDir() && path != pattern, glob.Missing(err): // a folder among the logs, a link to nothing
			case err == nil:
				r.complain(path, explain(path, notRegular(fi.Mode())))
			default:
				r.complain(path, explain(path, err))
			}
		}
		if err == nil && len(paths) == 0 && len(found) == before && r.mention(pattern, "no file matches yet") {
			r.c.Log.Warn("no file matches yet; it is read as soon as there is one", "logpath", pattern)
		}
	}
	return found
}

// A visit is when a stream's file was last seen at its origin.
type visit struct {
	*tail
	at time.Time
}

// newest returns, by origin, the stream whose file was there last.
func (r *reader) newest() map[string]visit {
	newest := map[string]visit{}
	for _, t := range slices.Concat(r.ended, r.tails) {
		if n, ok := newest[t.origin]; !ok || !t.at.Before(n.at) {
			newest[t.origin] = visit{t, t.at}
		}
	}
	return newest
}

// ids returns the files that streams have, or had until they were truncated.
func (r *reader) ids() map[fileID]bool {
	had := map[fileID]bool{}
	for _, t := range slices.Concat(r.ended, r.tails) {
		had[t.id], had[t.left] = true, true
	}
	return had
}

// siblings returns the regular files of a folder that are not compressed.
func (r *reader) siblings(folder string) ([]sight, error) {
	if all, ok := r.folders[folder]; ok {
		return all, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []sight
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if e.IsDir() || compressed(path) || isSilly(e.Name()) {
			continue
		}
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			all = append(all, sight{path, idOf(fi), fi.Size(), fi.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b sight) int { return a.mod.Compare(b.mod) })
	r.folders[folder] = all
	return all, nil
}

// isSilly reports whether a name is the one that NFS gives to a deleted file
// while somebody, perhaps we, holds it open.
func isSilly(name string) bool { return len(name) > 4 && name[:4] == ".nfs" }

// place finds out where the file of t is now, or that it holds other content.
func (r *reader) place(t *tail, found []sight, now time.Time) {
	if t.f == nil {
		return
	}
	if err := t.check(r.buf); errors.Is(err, errReplaced) || errors.Is(err, syscall.ESTALE) {
		r.lose(t)
		t.replaced = errors.Is(err, errReplaced)
		return
	}
	switch {
	case leads(t.origin, t.id):
		r.move(t, t.origin)
		t.at = now
	case leads(t.path, t.id):
		r.move(t, t.path)
	case leads(t.real, t.id):
		r.move(t, t.real)
	default:
		beside, _ := r.siblings(filepath.Dir(t.origin))
		beyond, _ := r.siblings(filepath.Dir(t.real))
		for _, s := range slices.Concat(found, beside, beyond) {
			if s.id == t.id {
				r.move(t, s.path)
				return
			}
		}
		t.gone = true
	}
}

// move notes that the file of t is at path.
func (r *reader) move(t *tail, path string) {
	t.gone = false
	if t.path == path && t.real != "" {
		return
	}
	t.path, t.real = path, path
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(real) != filepath.Base(path) || err == nil && !sameFolder(real, path) {
		t.real = real
		r.watch(filepath.Dir(real))
	}
}

func sameFolder(a, b string) bool {
	as, errA := os.Stat(filepath.Dir(a))
	bs, errB := os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(as, bs)
}

// lose takes the file away from a stream whose content it does not hold any more.
func (r *reader) lose(t *tail) {
	t.print = t.fingerprint()
	t.close()
	t.path, t.real = "", ""
}

// holder returns the stream that has the file.
func (r *reader) holder(id fileID) *tail {
	for _, t := range r.tails {
		if t.f != nil && t.id == id {
			return t
		}
	}
	return nil
}

// adopt begins a stream with a file that no stream has.
func (r *reader) adopt(s sight, origin string, now time.Time) *tail {
	if r.holder(s.id) != nil {
		return nil
	}
	f, err := openRegular(s.path)
	if glob.Missing(err) {
		return nil
	}
	if err != nil {
		r.complain(s.path, explain(s.path, err))
		return nil
	}
	t := &tail{gen: newGeneration(), origin: origin, at: now, live: !r.first, tell: true}
	if err = t.attach(f, now); err == nil && r.holder(t.id) != nil {
		t.close() // it was renamed just now
		return nil
	}
	if err == nil && r.first && !r.known[origin] && t.size > r.c.FirstRead {
		err = r.startNearEnd(t, s.path)
	}
	if err != nil {
		t.close()
		r.complain(s.path, explain(s.path, err))
		return nil
	}
	r.move(t, s.path)
	t.cursor = t.encode()
	r.tails = append(r.tails, t)
	return t
}

// startNearEnd leaves out the old part of a huge file of which nothing is known.
func (r *reader) startNearEnd(t *tail, path string) error {
	at := t.size - r.c.FirstRead
	buf := r.buf[:MaxLine+1]
	n, err := t.f.ReadAt(buf, at)
	if n == 0 && err != nil {
		return err
	}
	if i := slices.Index(buf[:n], '\n'); i >= 0 {
		at += int64(i) + 1
	}
	r.c.Log.Info("a huge log is read for the first time, from near its end", "path", path, "size", t.size, "from", at)
	return t.jump(at)
}

// house finds the file of each stream that has none: after a start, and when a
// file was found to hold other content. The furthest go first: little content is
// easily mistaken for the beginning of much. It reports whether none is left that
// must be somewhere.
func (r *reader) house(found []sight, now time.Time) (done bool) {
	var homeless []*tail
	for _, t := range r.tails {
		if t.f == nil {
			homeless = append(homeless, t)
		}
	}
	slices.SortFunc(homeless, func(a, b *tail) int { return cmp.Compare(b.offset, a.offset) })
	done = true
	for _, t := range homeless {
		housed, sure := r.houseOne(t, found, now)
		t.dead = sure && !housed
		done = done && !t.dead
	}
	return done
}

// bury ends the streams whose content is nowhere any more.
func (r *reader) bury(newest map[string]visit) {
	for _, t := range slices.Clone(r.tails) {
		if !t.dead {
			continue
		}
		if t.size > t.offset || t.size == 0 && newest[t.origin].tail == t {
			r.c.Log.Warn("a log was truncated, deleted, compressed or moved to another folder; what was written to it last may not have been read",
				"path", t.origin, "offset", t.offset)
		}
		r.end(t)
	}
}

// forgetAfter is how long the cursor of a file is kept whose path leads nowhere:
// a mount may be late.
const forgetAfter = 7 * 24 * time.Hour

// houseOne looks for the content of t in its folder. Sure says that it can be
// nowhere else: all that could hold it was looked at, and it was seen to be
// replaced, or another file is in its place.
func (r *reader) houseOne(t *tail, found []sight, now time.Time) (housed, sure bool) {
	folder := filepath.Dir(t.origin)
	beside, err := r.siblings(folder)
	if glob.NotMissing(err) != nil {
		r.complain(folder, explain(folder, err))
	}
	if real, e := filepath.EvalSymlinks(t.origin); e == nil && !sameFolder(real, t.origin) {
		beyond, _ := r.siblings(filepath.Dir(real))
		beside = slices.Concat(beside, beyond)
	}
	sure = err == nil && (t.replaced || now.Sub(t.at) > forgetAfter)
	ranks := map[string]int{}
	candidates := slices.DeleteFunc(slices.Concat(beside, found), func(s sight) bool {
		sure = sure || err == nil && s.path == t.origin
		_, twice := ranks[s.path]
		ranks[s.path] = r.rank(t, s)
		return twice || ranks[s.path] == 0
	})
	slices.SortStableFunc(candidates, func(a, b sight) int {
		return cmp.Or(cmp.Compare(ranks[b.path], ranks[a.path]), b.mod.Compare(a.mod))
	})
	for _, s := range candidates {
		f, err := openRegular(s.path)
		if glob.NotMissing(err) != nil && ranks[s.path] > 1 {
			r.complain(s.path, explain(s.path, err))
			sure = false
		}
		if err != nil {
			continue
		}
		if r.settleIn(t, f, s.path, now) {
			return true, true
		}
		f.Close()
	}
	for _, h := range r.tails { // a copy that has lost its name meanwhile
		if t.offset > 0 && h.f != nil && h.offset == 0 && siblingOf(t.origin, h.path) && r.settleIn(t, h.f, h.path, now) {
			return true, true
		}
	}
	return false, sure
}

// rank says how much speaks for s being the file of t, before its content does;
// 0 rules it out.
func (r *reader) rank(t *tail, s sight) int {
	if h := r.holder(s.id); h != nil && h.offset > 0 || s.size < t.offset {
		return 0
	}
	turned := siblingOf(t.origin, s.path)
	switch {
	case t.offset == 0 && s.path != t.origin && !turned: // an inode alone proves nothing
		return 0
	case s.id == t.id:
		return 4
	case s.id.ino == t.id.ino && filepath.Dir(s.path) == filepath.Dir(t.origin): // the numbers of devices change when a machine starts
		return 3
	case s.path == t.origin:
		return 2
	case t.offset > 0 && turned:
		return 1
	}
	return 0
}

// settleIn makes f the file of t if it holds what was read from t.
func (r *reader) settleIn(t *tail, f *os.File, path string, now time.Time) bool {
	head, last, err := around(f, t.offset)
	if err != nil || fingerprintOf(head, last) != t.print {
		return false
	}
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	if h := r.holder(idOf(fi)); h != nil { // a copy that nothing was read of
		if h.f == f {
			h.f = nil
		}
		r.end(h)
	}
	if t.tell = idOf(fi) != t.id; t.tell && path != t.origin {
		t.left = t.id
	}
	if t.attach(f, now) != nil {
		return false
	}
	t.head, t.last, t.replaced = head, last, false
	r.move(t, path)
	if path == t.origin {
		t.at, t.left = now, fileID{}
	}
	return true
}

// resume makes a stream without a file of each saved cursor of an origin that the
// globs still match. What cannot be read is ended: its file begins a new stream.
func (r *reader) resume(cursors map[string]string) {
	for _, stream := range slices.Sorted(maps.Keys(cursors)) {
		origin, gen, ok := splitStream(stream)
		c, err := parseCursor(cursors[stream])
		if !ok || err == nil && c.gen != gen {
			err = errForeign
		}
		if err != nil {
			r.complainOfCursor(stream, cursors[stream], err)
		}
		if err == nil && !slices.ContainsFunc(r.globs, func(pattern string) bool { return glob.Matches(pattern, origin) }) {
			continue
		}
		r.known[origin] = true
		if err == nil {
			r.tails = append(r.tails, &tail{
				gen: gen, origin: origin, id: c.id, at: c.at, offset: c.offset, print: c.print,
				told: true, recall: c.offset > 0, cursor: cursors[stream],
			})
		}
	}
}
