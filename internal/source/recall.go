package source

import (
	"bytes"
	"time"

	"github.com/edgeban/edgeban"
)

// recallMax is how much of what was read before a restart is shown again. Five
// minutes of a busy log are more; what is older than that nothing refers to much.
const recallMax = 64 << 10

// recall shows again the lines before the place where a restart goes on, so that
// those who read find the sessions that the next lines belong to.
func (r *reader) recall(t *tail, now time.Time) {
	t.recall = false
	start := max(0, t.offset-recallMax)
	buf := make([]byte, t.offset-start)
	if _, err := t.f.ReadAt(buf, start); err != nil || t.check(r.buf) != nil {
		return // the next read finds out what became of the file
	}
	if start > 0 { // the first line is likely not whole
		i := bytes.IndexByte(buf, '\n') + 1
		buf, start = buf[i:], start+int64(i)
	}
	if len(buf) > 0 && buf[len(buf)-1] == '\n' {
		r.out = append(r.out, yielded{chunk: edgeban.Chunk{
			Source: r.c.Name, Stream: t.stream(), Origin: t.origin, Text: buf, Base: start,
			From: t.cursor, To: t.cursor, Read: now, Seen: true,
		}})
	}
}
