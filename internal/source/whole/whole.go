// Package whole cuts what is read into whole lines.
package whole

import (
	"bytes"
	"io"
	"iter"
)

const (
	// MaxLine is how many bytes a line may have before its \n. A longer one is
	// skipped whole: half a line is a line that nobody wrote.
	MaxLine = 64 << 10

	// MaxText is how many bytes are one piece of text at most.
	MaxText = 256 << 10
)

// Lines returns how many bytes of data are lines that are not too long, and
// whether what follows them is one that is. It looks for the last \n of each
// window that one line may fill, so most lines are never looked at.
func Lines(data []byte) (n int, long bool) {
	for {
		window := data[n:min(n+MaxLine+1, len(data))]
		i := bytes.LastIndexByte(window, '\n')
		if i < 0 {
			return n, len(window) == MaxLine+1
		}
		n += i + 1
	}
}

// A Piece is some whole lines, or the last of them and why no more follow.
type Piece struct {
	Text []byte
	Base int64 // where it begins in what is read
	Err  error // io.EOF at the end
}

// A Buffer holds the text of a piece. It has one byte more for the \n of a last line
// without.
type Buffer [MaxText + 1]byte

// Pieces yields what in holds, a last line that has no \n with one. Lines that are too
// long are skipped. The text of a piece is in the buffer that next has returned last; it
// is called again when another is asked for.
func Pieces(in io.Reader, next func() *Buffer) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		buf := next()
		var have int // bytes in buf, the first of which is the start of a line
		var base int64
		var skipping bool
		for {
			n, err := in.Read(buf[have:MaxText])
			have += n
			for {
				if skipping {
					n := bytes.IndexByte(buf[:have], '\n') + 1
					skipping = n == 0
					if skipping {
						n = have
					}
					have, base = copy(buf[:], buf[n:have]), base+int64(n)
				}
				n, long := Lines(buf[:have])
				if n > 0 {
					if !yield(Piece{Text: buf[:n], Base: base}) {
						return
					}
					last := buf
					buf = next()
					have, base = copy(buf[:], last[n:have]), base+int64(n)
				}
				if !long {
					break
				}
				skipping = true
			}
			if err != nil {
				last := Piece{Base: base, Err: err}
				if have > 0 {
					last.Text = append(buf[:have], '\n')
				}
				yield(last)
				return
			}
		}
	}
}
