package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxRecord is where the engine cuts a line into messages. Such lines are left out
// whole, as in the files of its json-file driver: that they belong together is not
// to be seen from the later ones.
const maxRecord = 16 << 10

// A message is what the engine keeps of a container at once: a line, or a part of one.
type message struct {
	at     time.Time
	text   []byte // with its newline; without if the line goes on
	stderr bool
	long   bool // the text was skipped
}

// index returns which of the two streams it came from.
func (m message) index() int {
	if m.stderr {
		return 1
	}
	return 0
}

// A log reads the messages of a container.
type log struct {
	in   *bufio.Reader
	tty  bool
	text []byte
}

const maxHead = 64 // bytes of a stamp

func newLog(in io.Reader, tty bool) *log {
	return &log{in: bufio.NewReaderSize(in, 2*maxRecord), tty: tty}
}

// waits reports whether the next message is not there yet.
func (l *log) waits() bool {
	if l.tty {
		some, _ := l.in.Peek(l.in.Buffered())
		return bytes.IndexByte(some, '\n') < 0
	}
	head, err := l.in.Peek(min(8, l.in.Buffered()))
	return err != nil || len(head) < 8 || l.in.Buffered() < 8+int(min(binary.BigEndian.Uint32(head[4:]), maxRecord+maxHead))
}

// next returns the next message, valid until the next call.
func (l *log) next() (message, error) {
	if l.tty {
		return l.raw()
	}
	return l.framed()
}

// framed reads a message that has a header: its stream, three zeros, and its length.
func (l *log) framed() (message, error) {
	var head [8]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return message{}, err
	}
	m := message{stderr: head[0] == 2}
	if head[0] > 3 || head[1]|head[2]|head[3] != 0 {
		return m, errors.New("its log is not framed as the engine says")
	}
	size := int64(binary.BigEndian.Uint32(head[4:]))
	keep := min(size, maxRecord+maxHead)
	l.text = append(l.text[:0], make([]byte, keep)...)
	if _, err := io.ReadFull(l.in, l.text); err != nil {
		return m, err
	}
	last := byte(0)
	if size > keep {
		if _, err := io.CopyN(io.Discard, l.in, size-keep-1); err != nil {
			return m, err
		}
		var err error
		if last, err = l.in.ReadByte(); err != nil {
			return m, err
		}
	}
	if head[0] == 3 {
		return m, fmt.Errorf("the engine cannot read its log: %s", clip(string(bytes.TrimSpace(l.text))))
	}
	if err := m.undate(l.text); err != nil {
		return m, err
	}
	if m.long = size > keep; m.long {
		m.text = m.text[:0]
		if last == '\n' {
			m.text = append(m.text, last)
		}
	}
	return m, nil
}

// raw reads a line of a terminal, which has no headers.
func (l *log) raw() (message, error) {
	line, err := l.in.ReadSlice('\n')
	var m message
	if err == nil {
		if err := m.undate(line); err != nil {
			return m, err
		}
		if m.long = len(m.text) > maxRecord; m.long { // the later parts have their stamps within
			m.text = []byte("\n")
		}
		return m, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return m, err
	}
	if err := m.undate(line); err != nil {
		return m, err
	}
	m.long = true
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.in.ReadSlice('\n')
	}
	m.text = []byte("\n")
	return m, err
}

// undate takes the engine's stamp off a message.
func (m *message) undate(text []byte) error {
	word, rest, ok := bytes.Cut(text, []byte(" "))
	if len(word) > maxHead {
		ok = false
	}
	at, err := time.Parse(time.RFC3339Nano, string(word[:min(len(word), maxHead)]))
	if !ok || err != nil {
		return fmt.Errorf("its log has a message without the engine's time: %q", clip(string(text)))
	}
	m.at, m.text = at, rest
	return nil
}
