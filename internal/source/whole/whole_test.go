package whole

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWholeLines(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	for _, c := range []struct {
		text string
		n    int
		long bool
	}{
		{"", 0, false},
		{"half", 0, false},
		{"a\nb\nc", 4, false},
		{long[1:] + "\n", MaxLine + 1, false},
		{long[1:], 0, false},
		{long, 0, true},
		{"a\n" + long + "\n", 2, true},
	} {
		if n, long := Lines([]byte(c.text)); n != c.n || long != c.long {
			t.Errorf("%.10q (%d bytes): got %d, %v, want %d, %v", c.text, len(c.text), n, long, c.n, c.long)
		}
	}
}

// A buffer that is in use is not written to while others are filled. One that is given
// back may come next, or not.
func TestPiecesStayInTheirBuffers(t *testing.T) {
	var lines []string
	for n := range 3000 {
		lines = append(lines, strings.Repeat(string(rune('a'+n%26)), n%1500))
	}
	text := strings.Join(lines, "\n") + "\n" + strings.Repeat("x", 3*MaxLine) + "\nlast"
	want := strings.Join(lines, "\n") + "\nlast\n"
	for kept := range 4 {
		for _, in := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			var got strings.Builder
			var free []*Buffer
			var last *Buffer
			var held []func() // what is made of a piece as late as may be
			next := func() *Buffer {
				last = new(Buffer)
				if n := len(free); n > 0 {
					last, free = free[n-1], free[:n-1]
				}
				return last
			}
			pieces := 0
			for p := range Pieces(in, next) {
				if pieces++; p.Err != nil && !errors.Is(p.Err, io.EOF) {
					t.Fatal(p.Err)
				}
				buf := last
				held = append(held, func() {
					got.Write(p.Text)
					free = append(free, buf)
				})
				if len(held) > kept {
					held[0]()
					held = held[1:]
				}
			}
			for _, do := range held {
				do()
			}
			if got.String() != want || pieces < 8 || len(free) > kept+2 {
				t.Errorf("%d kept: %d pieces of %d bytes in %d buffers, want several of %d, or they differ", kept, pieces, got.Len(), len(free), len(want))
			}
		}
	}
}
