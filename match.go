package edgeban

import (
	"net/netip"
	"time"
)

// Kind says what a match is evidence of.
type Kind uint8

// The kinds of match.
const (
	Failure Kind = iota + 1
	Success
)

// String returns the word for k.
func (k Kind) String() string {
	switch k {
	case Failure:
		return "failure"
	case Success:
		return "success"
	}
	return "unknown"
}

// MaxText is how many bytes of a line are kept as evidence. Text from logs is
// hostile: it is cut here and escaped wherever it is shown.
const MaxText = 512

// A Match is one failure or success that a filter read out of a line.
type Match struct {
	ID      string       // the same line and jail give the same ID on every reading
	Jail    string       //
	Kind    Kind         //
	Addr    netip.Addr   // who; never a zone, never IPv4-mapped
	Subject netip.Prefix // what would be banned for it: Addr, or the network that the jail bans around it
	Count   int          // how many it stands for: lines that say "3 attempts", and coalesced floods, count more than one
	Time    time.Time    // when the line says that it happened, never later than when it was read
	User    string       // as the client gave it; empty if unknown
	Text    string       // the line, cut to MaxText bytes: evidence for people
	Ignored string       // why it does not count, or empty; decided before the ledger so that folds stay pure
}
