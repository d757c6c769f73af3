package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// recallMax is how many entries are shown again that were read before a restart, so
// that the sessions are found that the next belong to.
const recallMax = 1000

// recallPatience is how long that may take: a journal that cannot say it is read on
// without.
const recallPatience = 30 * time.Second

// recall shows the last entries again, and reports whether to go on.
func (r *run) recall(ctx context.Context) bool {
	if r.after == "" {
		return true
	}
	lines := r.before(ctx)
	var text gather.Text
	origin := ""
	give := func() bool {
		if text.Lines() == 0 {
			return true
		}
		c := edgeban.Chunk{
			Source: r.name, Stream: r.stream, Origin: origin, Text: text.Bytes, Times: text.Times,
			Base: max(0, r.base-int64(len(text.Bytes))), From: r.to, To: r.to, Read: time.Now(), Seen: true,
		}
		ok := r.fan.Give(ctx, c, nil)
		text.Reset()
		return ok
	}
	for _, e := range lines {
		if from := r.origin(e.unit()); from != origin || len(text.Bytes) >= gather.Enough {
			if !give() {
				return false
			}
			origin = from
		}
		written, _ := e.at()
		e.add(&text, written)
	}
	return give() && ctx.Err() == nil
}

// before returns the last entries up to the cursor, the oldest first.
func (r *run) before(ctx context.Context) (all []entry) {
	from, err := r.from()
	if err != nil {
		return nil // follow says why
	}
	ctx, cancel := context.WithTimeout(ctx, recallPatience)
	defer cancel()
	body, reverse, err := from.before(ctx, r.after)
	if err != nil {
		return nil
	}
	defer func() { _ = body.Close() }()
	in := bufio.NewReaderSize(body, 64<<10)
	var line, buf []byte
	for size := 0; len(all) < recallMax && size < 1<<20; size += len(line) {
		if line, buf, err = readLine(in, buf); err != nil {
			break
		}
		var e entry
		if json.Unmarshal(line, &e) != nil || !cursorRule.MatchString(e.Cursor) || !r.sifted(line) {
			continue
		}
		all = append(all, e)
		if !reverse && e.Cursor == r.after {
			break
		}
	}
	if reverse {
		slices.Reverse(all)
	}
	return all
}
