package source

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

// FileConfig says which files are read, and how patiently.
type FileConfig struct {
	Name  string   // of the source
	Globs []string // as filepath.Match reads them; looked at again and again

	Poll      time.Duration // between two looks at files that are known, even if the system tells of writes; 1s if 0
	Rescan    time.Duration // between two looks at what the globs match; 10s if 0
	Quiet     time.Duration // how long a file that has no name any more must be silent to be given up; 60s if 0
	FirstRead int64         // bytes of a file that are read if nothing was ever read of it; 64 MiB if 0
	NoInotify bool          // only poll

	Log *slog.Logger // may be nil
}

// File reads the files that match globs, through every kind of rotation.
type File struct {
	c FileConfig

	mu       sync.Mutex
	streams  map[string]Status // by stream
	troubles map[string]Status // by path or glob
}

var _ Source = (*File)(nil)

// NewFile returns the source that reads what c names.
func NewFile(c FileConfig) *File {
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Rescan = cmp.Or(c.Rescan, 10*time.Second)
	c.Quiet = cmp.Or(c.Quiet, time.Minute)
	c.FirstRead = cmp.Or(c.FirstRead, 64<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &File{c: c, streams: map[string]Status{}, troubles: map[string]Status{}}
}

// Chunks yields the lines of all files, a chunk of each in turn. It is called by
// one goroutine at a time.
//
// A file that is there at the start is read from its saved cursor; without one
// from its beginning, but no more than FirstRead. Until the end of such a file
// was reached once its chunks are not live. A file that appears later is read
// from its beginning, and is live.
//
// A rotated file is read on for as long as a name in its folder leads to it, by
// the origin under which it was found first, and then until it was Quiet. After
// that its stream ends. What was rotated while nobody looked is searched for in
// the same folder. Compressed files are never read.
//
// A cursor that cannot be read is an error; its file is then read from the
// beginning as a new stream: lines may be judged twice, with the times that they
// carry, but none is lost.
func (f *File) Chunks(ctx context.Context, cursors map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		w := newWatcher(f.c)
		defer w.close()
		r := newReader(f, cursors)
		r.watch = w.add
		defer r.close()
		for ctx.Err() == nil {
			w.drain(r)
			busy := r.step(time.Now())
			for _, got := range r.take() {
				if !yield(got.chunk, got.err) || ctx.Err() != nil {
					return
				}
			}
			if len(r.globs) == 0 {
				return
			}
			if !busy {
				w.wait(ctx, r)
			}
		}
	}
}

// A Status is how far one stream was read.
type Status struct {
	Stream string    // empty for what could not be opened
	Origin string    // the path under which it was found, or the glob that matches nothing
	Path   string    // where it is now
	Size   int64     // bytes, when last looked at
	Offset int64     // bytes that were yielded, or skipped as too long
	Lines  uint64    // that were yielded since the start of the daemon
	Long   uint64    // lines that were skipped because they are longer than MaxLine
	Read   time.Time // when something was read last
	Live   bool
	Err    string // the trouble that it is in, or empty

	// Of sources that are no files:
	Dropped uint64 // lines that came faster than they could be recorded, and are lost
	Note    string // what its owner may want to know, or empty
}

// Lag returns how many bytes are there that were not yielded.
func (s Status) Lag() int64 { return max(0, s.Size-s.Offset) }

// Status returns the state of every stream and of what cannot be read, by
// origin. It may be called at any time by anyone.
func (f *File) Status() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.AppendSeq(slices.Collect(maps.Values(f.streams)), maps.Values(f.troubles))
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Stream, b.Stream))
	})
	return all
}

func (f *File) publish(s Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams[s.Stream] = s
}

func (f *File) unpublish(stream string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.streams, stream)
}

// trouble notes what a path or a glob suffers from; an empty text ends it.
func (f *File) trouble(place, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.troubles, place)
	if text != "" {
		f.troubles[place] = Status{Origin: place, Path: place, Err: text}
	}
}
