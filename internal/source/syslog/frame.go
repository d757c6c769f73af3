package syslog

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/edgeban/edgeban/internal/source"
)

// maxFrame is how many bytes a message may have: a line, and its header.
const maxFrame = source.MaxLine + 1024

// errLong says that a frame was longer than maxFrame and is skipped.
var errLong = errors.New("the message is too long")

// A framer cuts a connection into messages as RFC 6587 has it: each with the count of
// its bytes before it, or each ended by a newline. Senders may mix them.
type framer struct {
	in    *bufio.Reader
	begin func() // called when a message has begun whose end is not there yet
	frame []byte // of one that does not lie in in's buffer
}

// next returns the next message, valid until the next call, or errLong for one that
// was skipped. What lacks its end when the connection ends is no message.
func (f *framer) next() ([]byte, error) {
	if cap(f.frame) > 8<<10 {
		f.frame = nil // connections that wait keep no room of large messages
	}
	if err := f.skipEnds(); err != nil {
		return nil, err
	}
	n, digits, err := f.count()
	switch {
	case err != nil:
		return nil, err
	case digits == 0:
		return f.line()
	case n > maxFrame:
		f.started()
		if _, err := io.CopyN(io.Discard, f.in, int64(digits+1+n)); err != nil {
			return nil, err
		}
		return nil, errLong
	}
	return f.counted(digits+1, n)
}

// skipEnds passes over newlines and zeros between messages.
func (f *framer) skipEnds() error {
	for {
		b, err := f.in.ReadByte()
		if err != nil {
			return err
		}
		if b != '\n' && b != '\r' && b != 0 {
			return f.in.UnreadByte()
		}
	}
}

// maxDigits is how many digits a count may have. Whoever counts more bytes skips
// nearly a megabyte at most.
const maxDigits = 6

// count looks for a count: digits, a space and the < of a priority. Digits is 0 if
// there is none.
func (f *framer) count() (n, digits int, err error) {
	for {
		if f.in.Buffered() <= digits {
			f.started()
		}
		head, err := f.in.Peek(digits + 1)
		if err != nil {
			return 0, 0, err
		}
		b := head[digits]
		if !isDigit(b) {
			break
		}
		if digits == 0 && b == '0' || digits == maxDigits {
			return 0, 0, nil
		}
		n, digits = 10*n+int(b-'0'), digits+1
	}
	if digits == 0 {
		return 0, 0, nil
	}
	if f.in.Buffered() <= digits+1 {
		f.started()
	}
	head, err := f.in.Peek(digits + 2)
	if err != nil {
		return 0, 0, err
	}
	if head[digits] != ' ' || head[digits+1] != '<' {
		return 0, 0, nil
	}
	return n, digits, nil
}

// counted reads a message of n bytes after as many bytes of its count.
func (f *framer) counted(count, n int) ([]byte, error) {
	if _, err := f.in.Discard(count); err != nil {
		return nil, err
	}
	if f.in.Buffered() < n {
		f.started()
	}
	f.frame = f.frame[:0]
	for len(f.frame) < n { // grows with what is there: a count alone takes no memory
		if _, err := f.in.Peek(1); err != nil {
			return nil, err
		}
		some, err := f.in.Peek(min(f.in.Buffered(), n-len(f.frame)))
		if err != nil {
			return nil, err
		}
		f.frame = append(f.frame, some...)
		if _, err := f.in.Discard(len(some)); err != nil {
			return nil, err
		}
	}
	return f.frame, nil
}

// line reads a message up to a newline.
func (f *framer) line() ([]byte, error) {
	if some, _ := f.in.Peek(f.in.Buffered()); bytes.IndexByte(some, '\n') < 0 {
		f.started()
	}
	part, err := f.in.ReadSlice('\n')
	if err == nil {
		return part, nil
	}
	f.frame = append(f.frame[:0], part...)
	long := false
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = f.in.ReadSlice('\n')
		if long = long || len(f.frame)+len(part) > maxFrame+1; !long {
			f.frame = append(f.frame, part...)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case long:
		return nil, errLong
	}
	return f.frame, nil
}

// started tells that a message has begun.
func (f *framer) started() {
	if f.begin != nil {
		f.begin()
	}
}
