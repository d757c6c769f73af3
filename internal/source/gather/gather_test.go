package gather

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source"
)

func TestNoPartOfALineBecomesALineOfItsOwn(t *testing.T) {
	at := time.Unix(1, 0)
	for _, tt := range []struct {
		parts []string
		want  string
		ok    bool
	}{
		{[]string{"a", " b"}, "a b\n", true},
		{[]string{"a\n"}, "a\n", true},
		{[]string{"a\r\n\x00\n"}, "a\n", true},
		{[]string{"a\nsshd[1]: b"}, `a\nsshd[1]: b` + "\n", true},
		{[]string{"\n"}, "", true},
		{nil, "", true},
		{[]string{strings.Repeat("x", source.MaxLine), "y"}, "", false},
		{[]string{strings.Repeat("x\n", source.MaxLine/2-1), "y"}, "", false}, // longer once shown
	} {
		text := Text{Bytes: []byte("before\n"), Times: []time.Time{at}}
		var parts [][]byte
		for _, p := range tt.parts {
			parts = append(parts, []byte(p))
		}
		ok := text.Add(at, parts...)
		if got := strings.TrimPrefix(string(text.Bytes), "before\n"); ok != tt.ok || got != tt.want || text.Lines() != strings.Count(string(text.Bytes), "\n") {
			t.Errorf("%.40q: got %.40q, %v with %d times, want %.40q, %v", tt.parts, got, ok, text.Lines(), tt.want, tt.ok)
		}
	}
}

func TestLastLinesAreKeptWithTheirTimes(t *testing.T) {
	for most, want := range map[int]string{100: "one\ntwo\nthree\n", 14: "one\ntwo\nthree\n", 13: "two\nthree\n", 11: "two\nthree\n", 9: "three\n", 7: "three\n", 6: "", 0: ""} {
		var text Text
		for i, line := range []string{"one", "two", "three"} {
			text.Add(time.Unix(int64(i), 0), []byte(line))
		}
		text.Last(most)
		if string(text.Bytes) != want || text.Lines() != strings.Count(want, "\n") || text.Lines() > 0 && text.Times[text.Lines()-1].Unix() != 2 {
			t.Errorf("of the last %d bytes: %q with %v, want %q", most, text.Bytes, text.Times, want)
		}
	}
}

// A worker goes on when its chunk was taken, and not before; at the end none is left,
// and what was not taken is known not to be.
func TestWorkersWaitUntilTheirChunkIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := NewFan(), t.Context()
		ctx, cancel := context.WithCancel(ctx)
		var given, refused atomic.Int32
		var seen []string
		f.Run(ctx, func(ctx context.Context) {
			for _, name := range []string{"a", "b"} {
				f.Go(func() {
					for f.Give(ctx, edgeban.Chunk{Stream: name}, nil) {
						given.Add(1)
					}
					refused.Add(1)
				})
			}
		}, func(c edgeban.Chunk, _ error) bool {
			synctest.Wait()
			before := given.Load()
			time.Sleep(time.Minute) // whoever records takes its time
			synctest.Wait()
			if given.Load() != before {
				t.Errorf("somebody went on before %s was taken", c.Stream)
			}
			if seen = append(seen, c.Stream); len(seen) == 6 {
				cancel()
			}
			return len(seen) < 6
		})
		if given.Load() != 5 || refused.Load() != 2 {
			t.Errorf("%d chunks were taken, %d workers have ended; want 5 and 2", given.Load(), refused.Load())
		}
	})
}
