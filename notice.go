package edgeban

import (
	"context"
	"net/netip"
	"time"
)

// A NoticeKind says what a notice is about; the words of `on:` in the configuration.
type NoticeKind string

// The kinds of notice.
const (
	NoticeBan     NoticeKind = "ban"     // an outside subject was banned
	NoticeUnban   NoticeKind = "unban"   // a target was seen to have let it go
	NoticeInside  NoticeKind = "inside"  // an inside address is attacking
	NoticeLeak    NoticeKind = "leak"    // lines of a subject keep coming although it is held
	NoticeTrouble NoticeKind = "trouble" // something needs a person
)

// A Notice is something that people are to be told, at least once. It is data;
// each notifier words it.
type Notice struct {
	ID       Seq // given by the outbox, ascending; 0 before
	Kind     NoticeKind
	Time     time.Time
	Jail     string
	Subject  netip.Prefix
	Until    time.Time // of a ban; zero means for ever
	Failures int       // of a ban; the lines of a leak
	Nth      int
	User     string // as the client gave it: hostile
	Text     string // the last line of a ban, the sentence of a trouble, the likely reason of a leak: hostile
	Zone     string // of an inside one; only when it is told
	Host     string // the name of an inside one; only when it is told: hostile
	Look     string // what people are to look at; only when it is told
	Doors    string // which targets are to hold an inside one; only when it is told
	Target   string // which target an unban, a leak or a trouble is about; who is seen to hold a ban or an inside one when it is told

	// After is how long it took, from being sent to being seen there, until a ban
	// was held. It is known when that is told, and not kept.
	After time.Duration
}

// An Outbox holds notices until each notifier has told them.
type Outbox interface {
	// Post adds notices that no event carries.
	Post(ctx context.Context, notices []Notice) error

	// Pending waits until there is something that the notifier has not told, and
	// returns at most limit of it, oldest first, by ascending IDs. A notifier that was never seen
	// before starts at the end: the past is not told.
	Pending(ctx context.Context, notifier string, limit int) ([]Notice, error)

	// Told says that the notifier has told everything up to the ID. With 0 it only
	// makes a notifier known.
	Told(ctx context.Context, notifier string, through Seq) error
}

// A Notifier tells people.
type Notifier interface {
	// Notify tells the notices in one message. An error marked Permanent is not
	// worth a retry with the same notices; a RetryAfter says when to try again;
	// both together mean that a person must mend the configuration meanwhile.
	Notify(ctx context.Context, notices []Notice) error
}
