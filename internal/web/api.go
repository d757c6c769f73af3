// Package web is the API of the running daemon: its types, the server, and the
// client that the commands use over a unix socket. It holds no state and decides
// nothing; a Backend answers.
package web

import (
	"context"
	"iter"
	"net/netip"
	"time"
)

// A Backend answers the API. Errors that are the caller's fault are *BadRequest.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	Bans(ctx context.Context) (iter.Seq[Ban], error)
	Ban(ctx context.Context, r BanRequest) (BanResult, error)
	Unban(ctx context.Context, p netip.Prefix) (UnbanResult, error)
	Why(ctx context.Context, p netip.Prefix) (Why, error)
	Adopt(ctx context.Context) (AdoptResult, error)
}

// BadRequest is an error that the caller can mend.
type BadRequest struct{ Text string }

func (e *BadRequest) Error() string { return e.Text }

// Status is the state of the daemon at a glance.
type Status struct {
	Version   string     `json:"version"`
	Started   time.Time  `json:"started"`
	Now       time.Time  `json:"now"`
	Healthy   bool       `json:"healthy"`
	Troubles  []string   `json:"troubles"` // sentences, each with its way out
	Jails     []Jail     `json:"jails"`
	Targets   []Target   `json:"targets"`
	Notifiers []Notifier `json:"notifiers"`
	Streams   []Stream   `json:"streams"`
	Leaks     []Leak     `json:"leaks,omitempty"` // bans that do not work
}

// Jail is the state of one jail. Counts are since the daemon started.
type Jail struct {
	Name      string `json:"name"`
	Filter    string `json:"filter"`
	Lines     int64  `json:"lines"`
	Failures  int64  `json:"failures"`
	Successes int64  `json:"successes"`
	Ignored   int64  `json:"ignored"`
	Undated   int64  `json:"undated"`
	Counting  int    `json:"counting"`        // subjects that have failed, but not too often
	Banned    int    `json:"banned"`          // standing now
	Names     int64  `json:"names,omitempty"` // failures that named a host in place of an address, and do not count
	Spent     int64  `json:"spent,omitempty"` // searches that gave up: what they would have found is missing
	Skew      string `json:"skew,omitempty"`
}

// Target is the state of one target at the last look.
type Target struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Wanted  int       `json:"wanted"`
	Held    int       `json:"held"`
	Missing int       `json:"missing"`
	Waiting int       `json:"waiting"`
	Refused int       `json:"refused"`
	Foreign int       `json:"foreign"`
	Kept    int       `json:"kept"`
	Looked  time.Time `json:"looked"`
	Error   string    `json:"error,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Doubt   string    `json:"doubt,omitempty"` // why nothing is removed
	Sync    *Sync     `json:"sync,omitempty"`
	Dropped uint64    `json:"dropped,omitempty"` // packets, where it counts
	From    time.Time `json:"from,omitzero"`     // since when: midnight, or when counting began; zero where it does not
	Served  bool      `json:"served,omitempty"`  // a list that others pull
	Notes   []string  `json:"notes,omitempty"`   // what its owner may want to know
}

// Sync is how far a target is that must be told much.
type Sync struct {
	Sent int           `json:"sent"`
	Of   int           `json:"of"`
	Left time.Duration `json:"left"` // about; 0 where it is not known yet
}

// Notifier is the state of one notifier.
type Notifier struct {
	Name  string    `json:"name"`
	Last  time.Time `json:"last,omitzero"` // the last message that was taken
	Error string    `json:"error,omitempty"`
}

// Stream is the state of one log.
type Stream struct {
	Origin  string    `json:"origin"`
	Size    int64     `json:"size"`
	Offset  int64     `json:"offset"`
	Skipped int64     `json:"skipped"`           // lines that were too long
	Source  string    `json:"source,omitempty"`  // the name of the source, of logs that are no files
	Lines   uint64    `json:"lines"`             // that were read since the daemon started
	Dropped uint64    `json:"dropped,omitempty"` // lines that are lost because they came too fast
	Note    string    `json:"note,omitempty"`    // what its owner may want to know
	Read    time.Time `json:"read,omitzero"`
	Live    bool      `json:"live"`
	Error   string    `json:"error,omitempty"`
}

// Ban is a standing ban and where it is held.
type Ban struct {
	Subject  netip.Prefix `json:"subject"`
	Jail     string       `json:"jail"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until,omitzero"` // zero for ever
	Failures int          `json:"failures"`
	Nth      int          `json:"nth"`
	Prolongs bool         `json:"prolongs,omitempty"` // makes a ban longer that stood, and is none of its own
	Reason   string       `json:"reason"`
	Held     []Hold       `json:"held"`
	Refused  string       `json:"refused,omitempty"` // why no target gets it
	Leaking  int          `json:"leaking,omitempty"` // lines that came although it is held
}

// Hold is one ban at one target. It is held if Held is set.
type Hold struct {
	Subject  netip.Prefix `json:"subject"` // the entry: the ban's subject, or its address where a target takes no networks
	Target   string       `json:"target"`
	Sent     time.Time    `json:"sent,omitzero"`
	Held     time.Time    `json:"held,omitzero"`
	Released time.Time    `json:"released,omitzero"`
	Foreign  bool         `json:"foreign,omitempty"`
	Served   bool         `json:"served,omitempty"`  // in a list that others pull: held where they do
	Packets  uint64       `json:"packets,omitempty"` // dropped, where the target counts
}

// Leak is an entry whose lines keep coming although it is held.
type Leak struct {
	Subject netip.Prefix `json:"subject"` // the entry
	Targets []string     `json:"targets"` // that hold it
	Since   time.Time    `json:"since"`   // all of them
	Lines   int          `json:"lines"`   // later than that, those left out that may have been under way
	Last    time.Time    `json:"last"`
	Cause   string       `json:"cause,omitempty"` // a word; empty while it is looked for
	Why     string       `json:"why,omitempty"`   // what was seen, and the way out
}

// BanRequest asks for a ban by hand.
type BanRequest struct {
	Subject netip.Prefix  `json:"subject"`
	For     time.Duration `json:"for"` // negative for ever
	Reason  string        `json:"reason"`
}

// BanResult says what became of it.
type BanResult struct {
	Ban Ban `json:"ban"`
}

// UnbanResult says what was lifted.
type UnbanResult struct {
	Lifted []Ban `json:"lifted"`
}

// Why is the story of an address.
type Why struct {
	Prefix    netip.Prefix `json:"prefix"`
	Protected string       `json:"protected,omitempty"` // why it is never banned
	Bans      []Ban        `json:"bans"`                // all that are remembered, oldest first
	Lines     []Line       `json:"lines"`               // oldest first
	Steps     []Step       `json:"steps,omitempty"`     // the targets that hold it as well because it leaked
	Lifts     []Lifted     `json:"lifts"`
	Holds     []Hold       `json:"holds"`
	Leaks     []Leak       `json:"leaks,omitempty"`
}

// Step is a target that holds a ban as well, because it leaked at those before.
type Step struct {
	Subject netip.Prefix `json:"subject"`
	At      time.Time    `json:"at"`
	From    string       `json:"from"`
	To      string       `json:"to"`
	Why     string       `json:"why"`
}

// Line is one match.
type Line struct {
	Time    time.Time  `json:"time"`
	Jail    string     `json:"jail"`
	Kind    string     `json:"kind"`
	Addr    netip.Addr `json:"addr"`
	Count   int        `json:"count"`
	User    string     `json:"user,omitempty"`
	Text    string     `json:"text"`
	Ignored string     `json:"ignored,omitempty"`
}

// Lifted is a ban ended by hand.
type Lifted struct {
	Jail string    `json:"jail"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
}

// AdoptResult says what became ours.
type AdoptResult struct {
	Adopted map[string]int `json:"adopted"` // entries, by target
	Found   bool           `json:"found"`   // the ledger counted as lost until now
}
