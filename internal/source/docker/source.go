// Package docker reads what containers write, by the API of their engine: it lists
// and inspects containers, follows their logs, and is told of what happens to them. It
// sends nothing but GET, so that a proxy can keep it from anything else.
//
// Whose a line is the engine says. A place in a log is found again by the engine's
// times, so that nothing is lost while the engine keeps it; what was rotated away
// meanwhile is. Lines of 16 KiB and more are left out.
package docker

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// Config says which containers are read, and by which engine.
type Config struct {
	Name  string   // of the source
	URL   string   // unix:// and a path, or http:// and a host
	Globs []string // of origins, NAME/CONTAINER
	Log   *slog.Logger
}

const (
	// firstRead is how much of the past of a container is read of which nothing was
	// ever read.
	firstRead = 24 * time.Hour

	// look is the time between two lists, whatever events say.
	look = 30 * time.Second

	// retry is how long an engine that does not answer is left alone, and how much
	// longer each time up to a look.
	retry = time.Second

	// most is how many containers are followed at a time.
	most = 512
)

// Source reads containers.
type Source struct {
	c Config
	gather.Board
}

var _ source.Source = (*Source)(nil)

// New returns the source that reads what c names.
func New(c Config) *Source {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{c: c}
}

// A run is one sequence of a Source.
type run struct {
	*Source
	name   string
	client *client
	fan    *gather.Fan
	began  time.Time
	self   string // the host's name, which in a container is the begin of its ID

	mu    sync.Mutex
	tails map[string]*tail  // by ID
	saved map[string]string // cursors of containers that are not followed, by stream
	names map[string]string // the origins of those that were
	note  string            // what was left out
	said  map[string]string // errors that were told, by what they are about
	wake  chan struct{}
}

// Chunks yields the lines of all containers. The lines that a container wrote before
// the start are not live; of one that is read for the first time they are those of
// the last day.
func (s *Source) Chunks(ctx context.Context, cursors map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		r := &run{
			Source: s, name: s.c.Name, client: newClient(s.c.URL), fan: gather.NewFan(), began: time.Now(),
			tails: map[string]*tail{}, saved: map[string]string{}, names: map[string]string{}, said: map[string]string{}, wake: make(chan struct{}, 1),
		}
		r.self, _ = os.Hostname()
		defer r.client.close()
		defer s.Clear()
		for stream, to := range cursors {
			r.saved[stream] = to
		}
		r.fan.Run(ctx, func(ctx context.Context) {
			r.fan.Go(func() { r.listen(ctx) })
			r.fan.Go(func() { r.watch(ctx) })
		}, yield)
	}
}

// poke has the containers looked at soon.
func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// listen is told of events, until ctx is done. Of what it missed watch finds out.
func (r *run) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.client.events(ctx, func() { r.stirAll(); r.poke() }, func(e event) {
			r.stir(e.Actor.ID)
			r.poke()
		})
		if ctx.Err() == nil && err != nil {
			r.c.Log.Debug("events ended", "source", r.name, "err", err)
		}
		pause(ctx, nil, 5*retry)
	}
}

// stir notes that there may be more of a container than was read.
func (r *run) stir(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tails[id]; t != nil {
		t.again = true
	}
}

func (r *run) stirAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tails {
		t.again = true
	}
}

// watch sees to it that each container that is to be read is followed.
func (r *run) watch(ctx context.Context) {
	for ctx.Err() == nil {
		all, err := r.client.list(ctx)
		var next time.Duration
		if err != nil {
			next = 5 * retry
			r.complain(ctx, "", r.client.explain(err))
		} else {
			next = r.attend(ctx, all, time.Now())
			r.calm("")
		}
		if pause(ctx, r.wake, next) {
			pause(ctx, nil, 100*time.Millisecond) // what happens happens in bursts
		}
	}
}

// pause waits, and reports whether it was woken.
func pause(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-wake:
		return true
	}
	return false
}

// wanted reports whether some jail reads a container. Our own log holds what others
// wrote, and is not read.
func (r *run) wanted(c container) bool {
	if len(r.self) == 12 && strings.HasPrefix(c.ID, r.self) {
		return false
	}
	return slices.ContainsFunc(r.c.Globs, func(glob string) bool {
		ok, err := path.Match(glob, r.name+"/"+c.name())
		return ok && err == nil
	})
}

// attend starts what is to be followed, ends what is gone, and returns when to look
// again.
func (r *run) attend(ctx context.Context, all []container, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note = ""
	next, there, known := look, map[string]bool{}, map[string]bool{}
	for _, c := range all {
		known[c.ID] = true
		if !r.wanted(c) || !isID(c.ID) {
			continue
		}
		if len(there) == most {
			r.note = fmt.Sprintf("more than %d containers: the others are not read; name fewer in source:", most)
			continue
		}
		there[c.ID] = true
		t := r.tail(c)
		if t.running && t.origin != r.name+"/"+c.name() {
			t.cancel() // it has another name, and is read on by that
		}
		if t.running || c.State != "running" && !t.again {
			continue
		}
		if wait := t.retryAt.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		t.running, t.again = true, false
		t.origin = r.name + "/" + c.name()
		r.Change(t.stream, func(s *source.Status) { s.Stream, s.Origin = t.stream, t.origin })
		var own context.Context
		own, t.cancel = context.WithCancel(ctx)
		r.fan.Go(func() { r.read(own, t) })
	}
	for id, t := range r.tails {
		switch {
		case there[id]:
		case t.running:
			t.cancel() // it is gone, or has a name that nobody reads
		default:
			delete(r.tails, id)
			delete(r.said, "container "+id)
			r.Remove(t.stream)
			if t.to != "" {
				r.saved[t.stream], r.names[t.stream] = t.to, t.origin
			}
		}
	}
	for stream, to := range r.saved {
		if id := strings.Split(stream, "@")[1:]; len(id) == 0 || !known[id[0]] || r.tails[id[0]] != nil { // it went while nobody looked, or the cursor is of no use
			delete(r.saved, stream)
			origin := cmp.Or(r.names[stream], r.name)
			delete(r.names, stream)
			r.fan.Go(func() { r.end(ctx, stream, origin, to) })
		}
	}
	return next
}

// isID reports whether an ID is as the engine makes them: it is part of a path.
func isID(id string) bool {
	return len(id) >= 12 && len(id) <= 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// tail returns the container's tail, a new one at its saved cursor or a day ago.
func (r *run) tail(c container) *tail {
	if t := r.tails[c.ID]; t != nil {
		return t
	}
	t := &tail{id: c.ID, stream: r.name + "@" + c.ID, again: true, recalled: true}
	start := r.began.Add(-firstRead)
	t.kept.anchor, t.kept.newest = start, start
	for stream, to := range r.saved {
		if stream != t.stream && !strings.HasPrefix(stream, t.stream+"@") {
			continue
		}
		at, err := parseCursor(to)
		if err != nil { // its lines are new ones then
			t.stream += "@" + gather.Generation()
			break
		}
		delete(r.saved, stream)
		t.stream, t.kept.cursor, t.to, t.recalled = stream, at, to, false
		break
	}
	r.tails[c.ID] = t
	return t
}

// read follows a container once, and notes how that ended.
func (r *run) read(ctx context.Context, t *tail) {
	defer t.cancel()
	err := r.follow(ctx, t)
	about := "container " + t.id
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("container %s: %w", t.origin, r.client.explain(err))
		r.complain(ctx, about, err)
		r.Change(t.stream, func(s *source.Status) { s.Err = r.word(err) })
	} else {
		r.calm(about)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.running = false
	if t.fails++; err == nil {
		t.fails = 0
	}
	t.again = t.again || err != nil || ctx.Err() != nil
	t.retryAt = time.Now().Add(min(look, retry<<min(t.fails, 5)))
	r.poke()
}

// end has the cursor of a container forgotten that is no more.
func (r *run) end(ctx context.Context, stream, origin, to string) {
	r.fan.Give(ctx, edgeban.Chunk{
		Source: r.name, Stream: stream, Origin: origin, From: to, To: to, Read: time.Now(), Live: true, End: true,
	}, nil)
}

// word is an error as it is told.
func (r *run) word(err error) string { return fmt.Sprintf("source %s: %v", r.name, err) }

// complain tells an error once, until it is another one or over.
func (r *run) complain(ctx context.Context, about string, err error) {
	if ctx.Err() != nil {
		return
	}
	text := r.word(err)
	r.mu.Lock()
	known := r.said[about] == text
	r.said[about] = text
	r.mu.Unlock()
	if about == "" {
		r.Change("", func(s *source.Status) { s.Origin, s.Path, s.Err = r.name, r.c.URL, text })
	}
	if !known {
		r.fan.Give(ctx, edgeban.Chunk{Stream: about}, fmt.Errorf("source %s: %w", r.name, err))
	}
}

func (r *run) calm(about string) {
	r.mu.Lock()
	delete(r.said, about)
	note := r.note
	r.mu.Unlock()
	if about == "" {
		r.Change("", func(s *source.Status) {
			*s = source.Status{Origin: r.name, Path: r.c.URL, Live: true, Read: time.Now(), Note: note}
		})
	}
}
