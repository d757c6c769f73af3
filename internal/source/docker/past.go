package docker

import (
	"context"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// What was read in this time before a restart is shown again, up to so many bytes, so
// that the sessions are found that the next lines belong to.
const (
	recallSpan = 5 * time.Minute
	recallMax  = 64 << 10
)

// A past is the messages that come first and were read before.
type past struct {
	place
	recall bool
	over   bool // a message came that was not read before
	ghost  tail
	text   gather.Text
}

func newPast(t *tail) *past { return &past{place: t.kept, recall: !t.recalled} }

// since returns from when on messages are asked for.
func (p *past) since() time.Time {
	if p.recall {
		return p.anchor.Add(-recallSpan)
	}
	return p.anchor
}

// has reports whether a message was read before. Of those that are not before the
// anchor that is as many as the cursor says, unless they were rotated away.
func (p *past) has(m message) bool {
	before := m.at.Before(p.anchor)
	if p.over = p.over || !before && (p.past == 0 || m.at.After(p.newest)); p.over {
		return false
	}
	if !before {
		p.past--
	}
	if p.recall && !m.at.Before(p.newest.Add(-recallSpan)) {
		p.ghost.add(&p.text, m)
		if len(p.text.Bytes) > 2*recallMax {
			p.text.Last(recallMax)
		}
	}
	return true
}

// recall yields what was read before a restart, once, and reports whether to go on.
func (s *run) recall(ctx context.Context, t *tail, p *past) bool {
	if t.recalled {
		return true
	}
	t.recalled = true
	if p.text.Last(recallMax); p.text.Lines() == 0 {
		return true
	}
	c := edgeban.Chunk{
		Source: s.name, Stream: t.stream, Origin: t.origin, Text: p.text.Bytes, Times: p.text.Times, Stamped: true,
		Base: max(0, p.base-int64(len(p.text.Bytes))), From: t.to, To: t.to, Read: time.Now(), Seen: true,
	}
	p.text = gather.Text{}
	return s.fan.Give(ctx, c, nil)
}
