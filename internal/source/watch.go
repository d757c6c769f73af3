package source

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/edgeban/edgeban/internal/source/glob"
)

// A watcher is woken by the system when something happens in a folder. It only
// makes reading prompt: whatever it misses is found by polling.
type watcher struct {
	fs   *fsnotify.Watcher // nil if there is only polling
	log  *slog.Logger
	said bool
}

func newWatcher(c FileConfig) *watcher {
	w := &watcher{log: c.Log}
	if c.NoInotify {
		return w
	}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		w.say(err)
		return w
	}
	w.fs = fs
	return w
}

// close waits for the watcher's goroutine.
func (w *watcher) close() {
	if w.fs != nil {
		w.fs.Close()
	}
}

// add watches a folder, again if it was replaced by another one.
func (w *watcher) add(folder string) {
	if w.fs == nil {
		return
	}
	if err := w.fs.Add(folder); err != nil && !glob.Missing(err) && !errors.Is(err, syscall.EACCES) {
		w.say(err)
	}
}

// say tells once that polling has to do.
func (w *watcher) say(err error) {
	if w.said {
		return
	}
	w.said = true
	w.log.Warn("the system does not tell when logs are written, they are polled instead; if it has run out of inotify, raise fs.inotify.max_user_instances and fs.inotify.max_user_watches on the host", "error", err)
}

// drain hears what has happened without waiting.
func (w *watcher) drain(r *reader) {
	if w.fs == nil {
		return
	}
	for {
		select {
		case ev := <-w.fs.Events:
			hear(r, ev)
		case <-w.fs.Errors:
			r.lookAtAll(time.Now())
		default:
			return
		}
	}
}

// wait returns when something has happened, or the reader's next look is due.
func (w *watcher) wait(ctx context.Context, r *reader) {
	timer := time.NewTimer(time.Until(r.due()))
	defer timer.Stop()
	var events chan fsnotify.Event
	var errs chan error
	if w.fs != nil {
		events, errs = w.fs.Events, w.fs.Errors
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case ev := <-events:
		hear(r, ev)
	case <-errs: // events were lost
		r.lookAtAll(time.Now())
	}
}

// hear tells the reader where to look.
func hear(r *reader, ev fsnotify.Event) {
	path := filepath.Clean(ev.Name)
	r.written(path)
	if ev.Op != fsnotify.Write {
		r.renamed(path, time.Now())
	}
}
