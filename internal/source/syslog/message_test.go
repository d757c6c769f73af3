package syslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

func TestHeadersBecomeThoseOfAFile(t *testing.T) {
	for _, tt := range []struct{ msg, want, bare string }{
		{"<22>Nov 22 11:45:28 mail[21]: Nov 22 11:29:49 x", "Nov 22 11:45:28 mail[21]: Nov 22 11:29:49 x", "Nov 22 11:29:49 x"},
		{"<22>Nov  2 11:45:28 vm mail[21]: x: y", "Nov  2 11:45:28 vm mail[21]: x: y", "x: y"},
		{"<22>Nov  2 11:45:28 no tag here", "Nov  2 11:45:28 no tag here", "Nov  2 11:45:28 no tag here"},
		{"<165>1 2003-10-11T22:14:15.003Z h.example app 8 ID47 [a@1 b=\"c\\\"]\" d=\"]\"][e] \uFEFFtext", "2003-10-11T22:14:15.003Z h.example app[8]: text", "text"},
		{"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 app - - -  two spaces", "2003-08-24T05:14:15.000003-07:00 192.0.2.1 app: two spaces", "two spaces"},
		{"<0>1 - - - - - - all is unknown", "all is unknown", "all is unknown"},
		{"<0>1 - - - - - -", "", ""},
		{"<1>1 yesterday host app - - - x", "1 yesterday host app - - - x", "1 yesterday host app - - - x"},
		{"<1>1 2003-08-24T05:14:15Z host app - - [a x", "1 2003-08-24T05:14:15Z host app - - [a x", "1 2003-08-24T05:14:15Z host app - - [a x"},
		{"<1234>x", "<1234>x", "<1234>x"},
		{"<>x", "<>x", "<>x"},
		{"<1", "<1", "<1"},
		{"no header", "no header", "no header"},
		{"<6>a\xff\xfe", "a\xff\xfe", "a\xff\xfe"},
		// A line that a client made the program write stays part of its message.
		{"<6>Nov 22 11:45:28 a: x\nNov 22 11:45:28 sshd[1]: forged\r\n\x00", `Nov 22 11:45:28 a: x\nNov 22 11:45:28 sshd[1]: forged`, `x\nNov 22 11:45:28 sshd[1]: forged`},
	} {
		for bare, want := range map[bool]string{false: tt.want, true: tt.bare} {
			if want != "" {
				want += "\n"
			}
			var text gather.Text
			if ok := rewrite(&text, []byte(tt.msg), bare); !ok || string(text.Bytes) != want {
				t.Errorf("%q, bare %v: got %q, %v, want %q", tt.msg, bare, text.Bytes, ok, want)
			}
		}
	}
}

func TestTooLongMessageIsLeftOutWhole(t *testing.T) {
	text := gather.Text{}
	rewrite(&text, []byte("<6>first"), false)
	for _, msg := range []string{
		strings.Repeat("x", source.MaxLine+1),
		strings.Repeat("x", source.MaxLine-1) + "\ny", // longer once the newline is shown
	} {
		if rewrite(&text, []byte("<6>"+msg), false) || string(text.Bytes) != "first\n" || text.Lines() != 1 {
			t.Fatalf("%d lines of %d bytes are left, want the first alone", text.Lines(), len(text.Bytes))
		}
	}
	if !rewrite(&text, []byte("<6>"+strings.Repeat("x", source.MaxLine)), false) || text.Lines() != 2 {
		t.Error("a line of the greatest length is left out")
	}
}

// frames reads all messages, an errLong as "LONG".
func frames(wire io.Reader) (all []string, err error) {
	f := framer{in: bufio.NewReaderSize(wire, 4<<10)}
	for {
		msg, err := f.next()
		switch {
		case errors.Is(err, errLong):
			all = append(all, "LONG")
		case err != nil:
			return all, err
		default:
			all = append(all, string(msg))
		}
	}
}

func TestFraming(t *testing.T) {
	big := "<6>" + strings.Repeat("b", maxFrame-3)
	for _, tt := range []struct{ wire, want string }{
		{"<6>a\n<6>b\r\n<6>c\x00\n", "<6>a\n|<6>b\r\n|<6>c\x00\n"},
		{"4 <6>a5 <6>bb", "<6>a|<6>bb"},
		{"5 <6>a\n4 <6>b\n<6>c\n4 <6>d", "<6>a\n|<6>b|<6>c\n|<6>d"},            // Docker counts its newline, others add one; mixed
		{"7 <6>a\nb\n<6>c\n", "<6>a\nb\n|<6>c\n"},                              // a newline within a counted message
		{"2026 began\n", "2026 began\n"},                                       // no count
		{"0 <6>a\n", "0 <6>a\n"},                                               // none either
		{"9999999 <6>a\n", "9999999 <6>a\n"},                                   // nor this
		{"\n\n\r\n\x00<6>a\n", "<6>a\n"},                                       // nothing between messages
		{big + "\n<6>a\n", big + "\n|<6>a\n"},                                  // as long as may be, and longer:
		{big + strings.Repeat("x", 9999) + "\n<6>a\n", "LONG|<6>a\n"},          //
		{fmt.Sprintf("%d %s<6>a\n", len(big), big), big + "|<6>a\n"},           //
		{fmt.Sprintf("%d %sx<6>a\n", len(big)+1, big), "LONG|<6>a\n"},          //
		{"<6>whole\n<6>half a line is a line that nobody wrote", "<6>whole\n"}, // its connection ended
		{"20 <6>half", ""},
		{"20 ", ""},
		{"20", ""},
	} {
		got, err := frames(strings.NewReader(tt.wire))
		if strings.Join(got, "|") != tt.want || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%.60q: got %.100q, %v, want %.100q", tt.wire, got, err, tt.want)
		}
	}
}

// A line that never ends takes no more memory than one of the greatest length.
func TestLineThatNeverEndsTakesNoMemory(t *testing.T) {
	f := framer{in: bufio.NewReaderSize(io.LimitReader(endless{}, 64<<20), 4<<10)}
	if _, err := f.next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection", err)
	}
	if cap(f.frame) > 3*maxFrame {
		t.Errorf("%d bytes are kept", cap(f.frame))
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// Whatever comes, in whatever pieces: nothing panics, no line holds a newline, none is
// longer than may be, and the pieces change nothing.
func FuzzFraming(f *testing.F) {
	for _, name := range []string{"docker-syslog.default.log", "docker-syslog.rfc5424micro-tls-octet.log", "rsyslog-fwd-tcp-octet.syslog.log"} {
		f.Add(capture(f, name)[:3000], uint16(7))
	}
	f.Add([]byte("99999 <6>x\n10 <6>1 [\x00\n<1>1 - - - - - [a b=\"\\"), uint16(1))
	f.Fuzz(func(t *testing.T, wire []byte, step uint16) {
		whole, _ := frames(bytes.NewReader(wire))
		pieces, _ := frames(&slow{wire, int(step%100) + 1})
		if strings.Join(whole, "|") != strings.Join(pieces, "|") {
			t.Fatalf("at once %q, in pieces %q", whole, pieces)
		}
		for _, bare := range []bool{false, true} {
			var text gather.Text
			for _, msg := range whole {
				rewrite(&text, []byte(msg), bare)
			}
			if n := bytes.Count(text.Bytes, []byte("\n")); n != text.Lines() || n > len(whole) {
				t.Fatalf("%d messages became %d newlines and %d lines", len(whole), n, text.Lines())
			}
			for line := range bytes.Lines(text.Bytes) {
				if len(line) > source.MaxLine+1 {
					t.Fatalf("a line of %d bytes", len(line))
				}
			}
		}
	})
}

// A slow reader gives a few bytes at a time.
type slow struct {
	rest []byte
	step int
}

func (s *slow) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest[:min(s.step, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}
