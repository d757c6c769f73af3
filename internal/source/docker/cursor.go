package docker

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A cursor is how far the log of a container was read. The engine finds a place by
// time alone, many lines may have the same, and those of the two streams are not
// quite in order. So it is a time, and how many of the messages that are not
// before it were read: after a restart as many are skipped.
type cursor struct {
	anchor time.Time
	past   int       // messages read that are not before the anchor
	newest time.Time // of all that were read
	open   [2]bool   // by stream: the last message was only part of a line
	base   int64     // bytes that were yielded
}

func (c cursor) String() string {
	open := 0
	for i, o := range c.open {
		if o {
			open |= 1 << i
		}
	}
	return fmt.Sprintf("d1 %s %d %s %d %d", c.anchor.UTC().Format(time.RFC3339Nano), c.past, c.newest.UTC().Format(time.RFC3339Nano), open, c.base)
}

func parseCursor(s string) (cursor, error) {
	bad := fmt.Errorf("the cursor %q is none of a container's", clip(s))
	f := strings.Fields(s)
	if len(f) != 6 || f[0] != "d1" {
		return cursor{}, bad
	}
	var c cursor
	var err [5]error
	var open int
	c.anchor, err[0] = time.Parse(time.RFC3339Nano, f[1])
	c.past, err[1] = strconv.Atoi(f[2])
	c.newest, err[2] = time.Parse(time.RFC3339Nano, f[3])
	open, err[3] = strconv.Atoi(f[4])
	c.base, err[4] = strconv.ParseInt(f[5], 10, 64)
	for _, e := range err {
		if e != nil {
			return cursor{}, bad
		}
	}
	if c.past < 0 || c.base < 0 || open < 0 || open > 3 {
		return cursor{}, bad
	}
	c.open = [2]bool{open&1 != 0, open&2 != 0}
	return c, nil
}

// disorder is how far apart the times of messages may lie that follow each other.
const disorder = 5 * time.Second

// A place is where a reader is: a cursor, and the anchor that will be the next.
type place struct {
	cursor
	next time.Time // zero for none
	late int       // messages read that are not before next
}

// pass notes a message that was read.
func (p *place) pass(at time.Time) {
	if !at.Before(p.anchor) {
		p.past++
	}
	switch {
	case !p.next.IsZero() && !at.Before(p.next):
		p.late++
	case p.next.IsZero() && at.After(p.newest) && at.Sub(p.anchor) > disorder:
		p.next, p.late = at, 1 // none before it was as late
	}
	if at.After(p.newest) {
		p.newest = at
	}
	if !p.next.IsZero() && p.newest.Sub(p.next) > disorder {
		p.anchor, p.past, p.next = p.next, p.late, time.Time{}
	}
}
