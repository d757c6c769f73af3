package edgeban

import "context"

// A Grade says how a link of the chain was found, worse ones last.
type Grade uint8

// The grades of a link.
const (
	Good    Grade = iota + 1
	Untried       // nobody could look: what it depends on is broken, or the right to look is missing
	Warning       // it holds, and something about it will hurt one day
	Broken        // bans do not come about, do not hold, or are not told
)

// String returns the word for g.
func (g Grade) String() string {
	switch g {
	case Good:
		return "good"
	case Untried:
		return "not tried"
	case Warning:
		return "warning"
	case Broken:
		return "broken"
	}
	return "unknown"
}

// MarshalText writes the word for g.
func (g Grade) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// A Finding is what was found out about one link of the chain from a log line to a
// firewall and a phone.
type Finding struct {
	Part     string `json:"part"`          // whose link it is: target edge, log /var/log/mail.log
	Link     string `json:"link"`          // which one, in the same words on every look
	Grade    Grade  `json:"verdict"`       //
	Evidence string `json:"evidence"`      // what was seen; may hold text from logs and from other machines
	Fix      string `json:"fix,omitempty"` // what a person is to do, exactly; empty for nothing
}

// A Checker looks at the links that it is responsible for. What it changes to find
// out, it changes back.
type Checker interface {
	// Check returns a finding for each link, those that others depend on first. It
	// leaves Part to whoever knows what the part is called.
	Check(ctx context.Context) []Finding
}
