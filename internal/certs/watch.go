package certs

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	poll     = time.Minute     // whatever inotify misses is found then
	firstTry = time.Second     // the shortest and
	lastTry  = 5 * time.Minute // the longest wait before what failed is tried again
)

// A watch follows acme.json.
type watch struct {
	o      Options
	folder *folder
	fs     *fsnotify.Watcher // nil if there is only polling
	said   string            // the last trouble that was logged

	pending []Reload // what is to be told, nil for nothing
	again   time.Time
	wait    time.Duration

	warned, told map[string]time.Time // by name
	tellAgain    time.Time
}

// Watch exports whenever acme.json changes, until ctx is done, and then returns nil.
// What goes wrong is logged and tried again; an error is one of the beginning: the
// folder cannot be written, or another process has it.
func Watch(ctx context.Context, o Options) error {
	f, err := open(o.Dir, o.Group)
	if err != nil {
		return err
	}
	defer f.close()
	w := &watch{o: o, folder: f, warned: map[string]time.Time{}, told: map[string]time.Time{}}
	if f.pending() {
		w.due()
	}
	if !o.NoInotify {
		// Its buffer lets a burst of events be passed over at once.
		if w.fs, err = fsnotify.NewBufferedWatcher(4096); err != nil {
			o.Log.Warn("the system does not tell when acme.json is written, it is polled instead", "error", err)
		} else {
			defer w.fs.Close()
		}
	}
	for ctx.Err() == nil {
		w.step(ctx)
		w.sleep(ctx)
	}
	return nil
}

// step looks once. Events are dropped before the file is read: what they told of is
// read now, and what comes while it is read wakes the next step.
func (w *watch) step(ctx context.Context) {
	w.listen()
	results, err := pass(ctx, w.o, w.folder)
	if ctx.Err() != nil {
		return
	}
	w.complain(err)
	for _, r := range results {
		if r.Changed {
			w.o.Log.Info("certificate written", "name", r.Name, "resolver", r.Resolver, "domains", r.Domains, "expires", r.Expires)
			w.due()
		}
	}
	w.reload(ctx, time.Now())
	w.warn(ctx, time.Now())
}

// complain logs a trouble once, and that it is over.
func (w *watch) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == w.said:
	case err != nil:
		w.o.Log.Error("certificates are not exported; it is tried again", "error", err)
	default:
		w.o.Log.Info("all certificates are exported again")
	}
	w.said = text
}

// due says that everything is to be loaded, at once.
func (w *watch) due() { w.pending, w.again, w.wait = w.o.Reloads, time.Time{}, firstTry }

// reload has loaded what is pending, more and more slowly while it fails: a Dovecot
// that starts with these files is not there yet.
func (w *watch) reload(ctx context.Context, now time.Time) {
	if !w.folder.pending() || now.Before(w.again) {
		return
	}
	failed, err := reload(ctx, w.pending, w.o.names(w.folder))
	if w.pending = failed; len(failed) > 0 {
		w.o.Log.Warn("changed certificates are not loaded; it is tried again", "error", err, "in", w.wait)
		w.again, w.wait = now.Add(w.wait), min(2*w.wait, lastTry)
		return
	}
	if err := w.folder.reloaded(); err != nil {
		w.o.Log.Warn("it could not be written down that certificates are loaded; it is done again", "error", err)
		w.again = now.Add(lastTry)
		return
	}
	for _, r := range w.o.Reloads {
		w.o.Log.Info("changed certificates are loaded", "by", r.String())
	}
}

// listen drops the events so far, and sees to it that the file is watched as it is
// now: the folder for a file that is made or renamed, the file itself for one that
// is mounted, whose folder is another than the one that we see.
func (w *watch) listen() {
	if w.fs == nil {
		return
	}
	for {
		select {
		case <-w.fs.Events:
			continue
		case <-w.fs.Errors:
			continue
		default:
		}
		break
	}
	for _, path := range w.paths() {
		_ = w.fs.Add(filepath.Dir(path)) // what cannot be watched is polled
		_ = w.fs.Add(path)
	}
}

// paths returns the path of acme.json, and where its links lead, whether or not the
// file is there yet.
func (w *watch) paths() []string {
	const most = 10 // links, which may lead in a circle
	path := filepath.Clean(w.o.File)
	paths := []string{path}
	for range most {
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
		paths = append(paths, path)
	}
	return paths
}

// sleep returns when acme.json may have changed, or it is time to look anyway.
func (w *watch) sleep(ctx context.Context) {
	next := poll
	if w.folder.pending() {
		next = min(poll, max(time.Until(w.again), 0))
	}
	timer := time.NewTimer(next)
	defer timer.Stop()
	var events chan fsnotify.Event
	var errs chan error
	if w.fs != nil {
		events, errs = w.fs.Events, w.fs.Errors
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-errs: // events were lost
			return
		case ev := <-events:
			if w.concerns(ev) {
				return
			}
		}
	}
}

// concerns reports whether an event is about acme.json: other files of its folder
// may be written all the time.
func (w *watch) concerns(ev fsnotify.Event) bool {
	for _, path := range w.paths() {
		if filepath.Base(ev.Name) == filepath.Base(path) {
			return true
		}
	}
	return false
}
