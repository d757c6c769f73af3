package filter

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
)

// chunks scans each text as a chunk of one stream.
func chunks(s *Scanner, base int64, texts ...string) (all []edgeban.Match) {
	for _, text := range texts {
		c := edgeban.Chunk{Stream: "test", Text: []byte(text), Base: base, Read: captured}
		all = slices.AppendSeq(all, s.Scan(c))
		base += int64(len(text))
	}
	return all
}

func TestChunkBordersDoNotMatter(t *testing.T) {
	for name, filter := range map[string]string{
		"dovecot.pp.log": "dovecot", "postfix.pp.log": "postfix", "docker-json.dovecot.pp.log": "dovecot",
		"traefik-access.pp.log": "traefik", "syslog-iso.syslog.log": "postfix",
	} {
		f := filterOf(t, filter)
		text := string(readCaptured(t, name))
		whole := chunks(f.Scanner(Options{Jail: "j", Zone: time.UTC}), 0, text)
		for _, size := range []int{1, 7} {
			var parts []string
			for lines := range slices.Chunk(slices.Collect(strings.Lines(text)), size) {
				parts = append(parts, strings.Join(lines, ""))
			}
			got := chunks(f.Scanner(Options{Jail: "j", Zone: time.UTC}), 0, parts...)
			if !slices.Equal(got, whole) {
				t.Errorf("%s in chunks of %d lines: %d matches differ from the %d of one chunk", name, size, len(got), len(whole))
			}
		}
	}
}

func TestGateLosesNothing(t *testing.T) {
	for _, name := range []string{"dovecot.pp.log", "postfix.pp.log", "docker-json.postfix.pp.log", "traefik-access.pp.log"} {
		text := readCaptured(t, name)
		for _, filter := range Builtin() {
			f := filterOf(t, filter)
			open := *f
			open.always, open.rules = true, slices.Clone(f.rules)
			for i := range open.rules {
				open.rules[i].mask, open.rules[i].also = 0, nil
			}
			if got, want := scanAll(f, text), scanAll(&open, text); !slices.Equal(got, want) {
				t.Errorf("%s, filter %s: %d matches with the gate, %d without", name, filter, len(got), len(want))
			}
			if f.always {
				t.Errorf("filter %s: a pattern has no literal, so every line is looked at", filter)
			}
		}
	}
}

// TestRestartCountsNoFailureTwice cuts a log at every line: what is read before
// and after the cut, with nothing remembered, is what the whole gives.
func TestRestartCountsNoFailureTwice(t *testing.T) {
	f := filterOf(t, "dovecot")
	text := readCaptured(t, "dovecot.pp.log")
	whole := count(scanAll(f, text), edgeban.Failure)
	for cut := range len(text) {
		if text[cut] != '\n' {
			continue
		}
		o := Options{Jail: "j", Zone: time.UTC}
		ms := chunks(f.Scanner(o), 0, string(text[:cut+1]))
		ms = append(ms, chunks(f.Scanner(o), int64(cut+1), string(text[cut+1:]))...)
		if got := count(ms, edgeban.Failure); !maps.Equal(got, whole) {
			t.Errorf("cut after byte %d:\n%s", cut, diff(got, whole))
		}
	}
}

func TestIDsAreTheLines(t *testing.T) {
	f := filterOf(t, "sshd")
	line := "Nov 22 11:00:01 host sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"
	id := func(jail, stream string, base int64) string {
		c := edgeban.Chunk{Stream: stream, Text: []byte(line), Base: base, Read: captured}
		for m := range f.Scanner(Options{Jail: jail, Zone: time.UTC}).Scan(c) {
			return m.ID
		}
		return ""
	}
	first := id("a", "s", 5)
	if first == "" || first != id("a", "s", 5) {
		t.Errorf("the same line has IDs %q and %q", first, id("a", "s", 5))
	}
	for _, other := range []string{id("b", "s", 5), id("a", "t", 5), id("a", "s", 6)} {
		if other == first {
			t.Errorf("another jail, stream or place has the same ID %q", other)
		}
	}
}

func TestTextIsCutAtARune(t *testing.T) {
	f := filterOf(t, "sshd")
	name := strings.Repeat("é", 300) + "\xff\x00"
	ms := scanAll(f, []byte("Nov 22 11:00:01 h sshd[1]: Failed password for invalid user "+name+" from 203.0.113.9 port 1 ssh2\r\n"))
	if len(ms) != 1 {
		t.Fatalf("%d matches, want 1", len(ms))
	}
	if m := ms[0]; len(m.Text) > edgeban.MaxText || len(m.Text) < edgeban.MaxText-4 || strings.ToValidUTF8(m.Text, "") != m.Text || len(m.User) > edgeban.MaxText {
		t.Errorf("text of %d bytes, user of %d: %q", len(m.Text), len(m.User), m.Text)
	}
}

func TestDirtyLinesAreReadAndDoNotPanic(t *testing.T) {
	f := filterOf(t, "sshd")
	line := "Nov 22 11:00:01 h sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2"
	for _, text := range []string{"\x00\x00\x00" + line + "\r\n", line + "\n", "\n\n\r\n" + line + "\n", line} {
		if n := len(scanAll(f, []byte(text))); n != 1 {
			t.Errorf("%q: %d matches, want 1", text, n)
		}
	}
}

func TestPiecesOfALongContainerLineAreNotLines(t *testing.T) {
	f := filterOf(t, "sshd")
	forged := "Nov 22 11:00:01 h sshd[1]: Failed password for root from 198.51.100.77 port 1 ssh2"
	record := func(text, stream string) string {
		return `{"log":"` + text + `","stream":"` + stream + `","time":"2026-11-22T11:00:01Z"}` + "\n"
	}
	long := record(strings.Repeat("x", maxRecord), "stdout")
	other := record(strings.ReplaceAll(forged, "198.51.100.77", "203.0.113.9")+`\n`, "stderr")
	end := record(forged+`\n`, "stdout")
	for _, parts := range [][]string{{long + other + end}, {long, other, end}, {long + end + other}, {long, end + other}} {
		ms := chunks(f.Scanner(Options{Zone: time.UTC}), 0, parts...)
		if len(ms) != 1 || ms[0].Addr != netip.MustParseAddr("203.0.113.9") {
			t.Errorf("%d matches, want the one of the other stream", len(ms))
		}
	}
	if ms := chunks(f.Scanner(Options{Zone: time.UTC}), 0, long+end+end); len(ms) != 1 {
		t.Errorf("%d matches, want the line after the long one", len(ms))
	}
}

func TestOnlyDockersShapeIsUnwrapped(t *testing.T) {
	f := filterOf(t, "sshd")
	forged := "Nov 22 11:00:01 h sshd[1]: Failed password for root from 198.51.100.77 port 1 ssh2"
	for _, line := range []string{
		`{"log":"` + forged + `"}`,
		`{"log":"` + forged + `","level":"info","stream":"stdout","time":"2026-11-22T11:00:01Z"}`,
		`{"log":"` + forged + `\n","stream":"web","time":"2026-11-22T11:00:01Z"}`,
		`{"log":"x\n` + forged + `\n","stream":"stdout","time":"2026-11-22T11:00:01Z"}`,
		`{"log":"` + forged, `{"log":"` + forged + `\`, `{"log":"` + forged + `\u12`,
	} {
		if ms := scanAll(f, []byte(line+"\n")); len(ms) != 0 {
			t.Errorf("%s: %d matches, want none", line, len(ms))
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	f := filterOf(t, "sshd")
	s := f.Scanner(Options{Zone: time.UTC})
	var text bytes.Buffer
	for n := range 5 * maxSessions {
		fmt.Fprintf(&text, "Nov 22 11:00:01 h sshd[%d]: Failed password for root from 203.0.113.9 port 1 ssh2\n", n)
	}
	if got := len(chunks(s, 0, text.String())); got != 5*maxSessions {
		t.Errorf("%d matches, want all", got)
	}
	if n := len(s.sessions.young) + len(s.sessions.old); n > 2*maxSessions {
		t.Errorf("%d sessions are remembered, want %d at most", n, 2*maxSessions)
	}
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	f := filterOf(t, "sshd")
	line := "Nov 22 11:%02d:00 h sshd[1]: Invalid user x from 203.0.113.9 port 22\n"
	ms := chunks(f.Scanner(Options{Zone: time.UTC}), 0, fmt.Sprintf(line, 0)+fmt.Sprintf(line, 1)+fmt.Sprintf(line, 10))
	if len(ms) != 2 {
		t.Errorf("%d matches, want 2: nine minutes later the same port is another connection", len(ms))
	}
}

func TestACountIsBounded(t *testing.T) {
	f := filterOf(t, "dovecot")
	line := "Nov 22 11:52:31 imap-login: Info: Disconnected (auth failed, 99999999999999999999 attempts in 18 secs): user=<a>, rip=203.0.113.143, lip=172.30.0.2, session=<x>\n"
	if got := count(scanAll(f, []byte(line)), edgeban.Failure); !maps.Equal(got, tally{netip.MustParseAddr("203.0.113.143"): mostCount}) {
		t.Errorf("got %v, want %d", got, mostCount)
	}
}

func TestALineTooLongIsLeftOutWhole(t *testing.T) {
	s := filterOf(t, "sshd").Scanner(Options{Zone: time.UTC})
	line := "Nov 22 11:00:01 h sshd[1]: Failed password for invalid user %s from 203.0.113.9 port 1 ssh2\n"
	ms := chunks(s, 0, fmt.Sprintf(line, strings.Repeat("x", MaxLine))+fmt.Sprintf(line, "x"))
	if len(ms) != 1 || s.Stats().Long != 1 {
		t.Errorf("%d matches and %d long lines, want 1 and 1", len(ms), s.Stats().Long)
	}
}

func TestStatsSayWhatWasSeen(t *testing.T) {
	f := filterOf(t, "sshd")
	s := f.Scanner(Options{Zone: time.UTC})
	chunks(s, 0, "Failed password for root from 203.0.113.9 port 1 ssh2\n"+
		"Nov 22 11:00:01 h sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"+
		"Nov 22 11:00:01 h sshd[1]: Failed password for root from 999.0.113.9 port 1 ssh2\n"+
		"Nov 22 11:00:01 h sshd[1]: Accepted password for root from 203.0.113.9 port 1 ssh2\n"+
		"Nov 22 11:00:01 h sshd[1]: x\n")
	want := Stats{Lines: 5, Dated: 2, Undated: 1, Failures: 1, Successes: 1, Invalid: 1}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLinesThatFailNothingAllocateNothing(t *testing.T) {
	f := filterOf(t, "postfix")
	var text bytes.Buffer
	for n := range 1000 {
		text.WriteString("Nov 22 11:34:" + strconv.Itoa(10+n%50) + " mail postfix/smtpd[1]: connect from unknown[203.0.113.9]\n")
		text.WriteString("Nov 22 11:34:10 mail postfix/smtps/smtpd[1]: warning: unknown[203.0.113.9]: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=x\n")
	}
	s := f.Scanner(Options{Zone: time.UTC})
	c := edgeban.Chunk{Stream: "test", Text: text.Bytes(), Read: captured}
	allocs := testing.AllocsPerRun(5, func() {
		for range s.Scan(c) {
			t.Error("a match, want none")
		}
	})
	// The race detector makes regexp's pools forget, so that this is not 0 there.
	if allocs > 950 {
		t.Errorf("%.0f allocations for 2000 lines, want none a line", allocs)
	}
}
