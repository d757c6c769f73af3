package edgeban

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"
)

var (
	// ErrNotFound is returned for a ban or a snapshot that no ledger knows.
	ErrNotFound = errors.New("not found")

	// ErrFull is returned by Record when the ledger cannot write and has taken
	// into memory what it may. The caller waits and tries the same batch again:
	// the log is the queue.
	ErrFull = errors.New("the ledger cannot write and its memory is full")
)

// A Batch is what one chunk gave: its matches, and the cursor after it.
type Batch struct {
	Source, Stream string
	From           string // the cursor that it was read on from; empty where that is not known
	To             string // the cursor to save; empty to save none
	End            bool   // the stream has ended: its cursor is forgotten
	Read           time.Time
	Matches        []Match // in the order of their lines
}

// A Ledger is the durable record of matches and bans: one sequence of events.
//
// Times come from the caller, never from the store. Every call may be repeated.
// If the disk refuses, calls succeed in memory, the cursors stay unsaved, and
// the store says so where it was told to. Package storetest holds every ledger
// to all of it.
type Ledger interface {
	// Record appends the batch's matches and saves its cursor, all or nothing.
	// A match whose ID is there already is left out; the same batch twice
	// changes nothing. What was read on from the cursor that is saved is new.
	// Success is told only once the matches survive a kill.
	Record(ctx context.Context, b Batch) error

	// Impose appends the bans and puts their notices into the outbox in the same
	// step, and returns when all survive a loss of power. A ban with the key and the
	// cause of one that is there changes nothing and tells nobody; a cause of 0 is
	// never a repetition.
	Impose(ctx context.Context, vs ...Verdict) error

	// Lift ends all bans of l's key, or returns ErrNotFound if none stands at l.At.
	Lift(ctx context.Context, l Lift) error

	// Note writes down what targets hold. For each subject and target the fields
	// of h replace those known. The notices enter the outbox in the same step; a
	// call in which no h is new is a repetition and tells nobody. That something
	// was sent survives a loss of power, so that it is known as ours.
	Note(ctx context.Context, hs []Held, notices []Notice) error

	// Standing yields, for each key, the ban that stands at t and ends last, in the
	// order of their subjects. What is appended meanwhile is not among them.
	Standing(ctx context.Context, t time.Time) (iter.Seq[Ban], error)

	// Holdings returns what is known of a target's entries now, released ones left out.
	Holdings(ctx context.Context, target string) (Holdings, error)

	// Watch yields the events after a Seq, then whatever is appended, in the one
	// order, until ctx is done (then it just ends). Events that were pruned are
	// left out. They come as many at a time as are there, within reason; the slice
	// is not the receiver's.
	Watch(ctx context.Context, after Seq) iter.Seq2[[]Event, error]

	// Decisions is Watch of bans and lifts alone: whoever follows these is not held
	// up by a flood of matches.
	Decisions(ctx context.Context, after Seq) iter.Seq2[[]Event, error]

	// Head returns the last Seq and the latest time that any event carries.
	Head(ctx context.Context) (Seq, time.Time, error)

	// Snapshot keeps the state of a jail's fold that has judged all events up to
	// s.At, in place of an earlier one, and puts its notices into the outbox in the
	// same step. One of an earlier place than that which is kept changes nothing and
	// tells nobody. s.State is the ledger's from then on: it may be large, and is not
	// copied.
	Snapshot(ctx context.Context, s Snapshot) error

	// Restore returns a jail's last snapshot, or ErrNotFound.
	Restore(ctx context.Context, jail string) (Snapshot, error)
}

// Holdings are what is known of a target's entries at one moment. There may be
// hundreds of thousands, of which no copies are made.
type Holdings interface {
	Len() int
	All() iter.Seq[Held] // in the order of their subjects
	Of(subject netip.Prefix) (Held, bool)
}

// A Verdict is a ban, and what people are told of it.
type Verdict struct {
	Ban
	Notices []Notice
}

// A Snapshot is a jail's fold at a place in the sequence.
type Snapshot struct {
	Jail    string
	At      Seq
	State   []byte
	Notices []Notice // that enter the outbox in the same step, as the state knows; they do not come back with it
}

// A Lease lets one node at a time do a named thing.
type Lease interface {
	// Hold waits until this node holds name and calls f, again after each loss of
	// the lease, at which f's context ends. It returns what f returns, or ctx's
	// error if that is done while it waits.
	Hold(ctx context.Context, name string, f func(context.Context) error) error
}

// Cursors remember how far each stream was read, on the node that reads it.
// They are saved by Record, with what was read.
type Cursors interface {
	// Cursors returns the saved cursor of each stream of a source.
	Cursors(ctx context.Context, source string) (map[string]string, error)
}

// An Archive answers what people ask about the past.
type Archive interface {
	// About returns what is known of every subject and address that lies in p or
	// contains it, oldest first, at most limit matches (the last ones).
	About(ctx context.Context, p netip.Prefix, limit int) (Record, error)
}

// A Record is what an Archive knows about an address.
type Record struct {
	Matches []Match
	Bans    []Ban
	Lifts   []Lift
	Held    []Held
}

// Retention says what Prune may forget.
type Retention struct {
	Matches time.Duration // age of matches that no kept ban was decided by; 0 for no bound
	Bans    time.Duration // age of the end of a ban, and of snapshots of jails that are gone; 0 for no bound
	Jails   []string      // those that judge; nil for all that have a snapshot
	Size    int64         // bytes of the file: beyond it the oldest matches go first; 0 for no bound
}

// A Pruner bounds a ledger.
type Pruner interface {
	// Prune forgets what r allows at t, never a standing ban, a standing hold,
	// or an event that the snapshot of a jail in r has not judged, and gives the
	// space back.
	Prune(ctx context.Context, t time.Time, r Retention) error
}
