package syslog

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/source"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

// of returns the status of an origin.
func (p *post) of(origin string) (s source.Status) {
	for _, s := range p.Status() {
		if s.Origin == origin {
			return s
		}
	}
	return s
}

func TestOnlyThoseWhoMaySendAreHeard(t *testing.T) {
	s := New("mail", config.Syslog{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}})
	for from, want := range map[string]string{
		"127.0.0.1:5":             "127.0.0.1",
		"[::1]:5":                 "::1",
		"192.0.2.7:5":             "192.0.2.7",
		"[::ffff:192.0.2.7]:5":    "192.0.2.7",
		"[2001:db8::1]:5":         "2001:db8::1",
		"[2001:db8::2]:5":         "",
		"198.51.100.1:5":          "",
		"[fe80::1%eth0]:5":        "",
		"[::ffff:198.51.100.1]:5": "",
	} {
		whom, ok := s.whom(net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)))
		if ok != (want != "") || ok && whom != want {
			t.Errorf("%s: %s, %v, want %q", from, whom, ok, want)
		}
	}
	s.queue.refuse("198.51.100.1")
	if note := s.Status()[0].Note; !strings.Contains(note, "1 refused") || !strings.Contains(note, "198.51.100.1") {
		t.Errorf("status says %q, want who was refused", note)
	}
}

// A hostname in a message is the sender's to choose: it names nobody.
func TestForgedHostnameIsNoOrigin(t *testing.T) {
	p := posted(t, config.Syslog{Listen: []string{"udp://127.0.0.1:0"}})
	conn := p.dial("udp")
	for _, msg := range []string{"<6>1 2026-11-22T11:45:28Z 192.0.2.66 sshd 1 - - x", "<6>Nov 22 11:45:28 192.0.2.66 sshd[1]: x"} {
		send(t, conn, []byte(msg), true)
	}
	if _, origins := p.lines(2); len(origins) != 1 || origins[0] != "mail/127.0.0.1" {
		t.Errorf("it came from %q, want the address of the transport", origins)
	}
}

// While nothing is recorded, packets are lost and counted, a connection waits, and
// neither takes more memory than its cap.
func TestSendersAreHeldBack(t *testing.T) {
	p := posted(t, config.Syslog{Listen: []string{"udp://127.0.0.1:0"}})
	p.end() // the ledger takes nothing
	conn := p.dial("udp")
	line := []byte("<6>" + strings.Repeat("u", 1000))
	until(t, "a packet is counted as lost", func() bool {
		send(t, conn, line, true)
		return p.of("mail/127.0.0.1").Dropped > 0
	})
	if n := p.queue.bytes; n > perSender {
		t.Errorf("%d bytes wait, want %d at most", n, perSender)
	}

	q := posted(t, config.Syslog{Listen: []string{"tcp://127.0.0.1:0"}})
	q.end()
	stream := q.dial("tcp")
	const lines = 20_000 // of 1,000 bytes: more than all buffers on the way
	sent := make(chan error, 1)
	go func() {
		_, err := stream.Write(bytes.Repeat(append(bytes.Repeat([]byte("t"), 1000), '\n'), lines))
		sent <- err
	}()
	until(t, "the sender's room is full", func() bool { return q.of("mail/127.0.0.1").Lines >= perSender/1001-1 })
	q.sequence()
	if text, _ := q.lines(lines); bytes.Count(text, []byte("\n")) != lines {
		t.Errorf("%d lines came, want %d", bytes.Count(text, []byte("\n")), lines)
	}
	if s := q.of("mail/127.0.0.1"); s.Dropped != 0 || <-sent != nil {
		t.Errorf("%d lines were lost, want none", s.Dropped)
	}
}

// One who sends without end takes nobody's turn.
func TestEachSenderHasItsTurn(t *testing.T) {
	q := newQueue("mail")
	put := func(whom string, n int) {
		for range n {
			q.put(delivery{whom: whom, msg: bytes.Repeat([]byte("x"), 1000)}, time.Now())
		}
	}
	put("192.0.2.1", 1000)
	put("192.0.2.2", 1)
	put("192.0.2.1", 1000)
	first, _ := q.take()
	put("192.0.2.1", 1000)
	second, _ := q.take()
	if first.origin != "mail/192.0.2.1" || second.origin != "mail/192.0.2.2" || second.text.Lines() != 1 {
		t.Errorf("first %s, then %s; want each in turn", first.origin, second.origin)
	}
	if n := len(first.text.Bytes); n > perSender {
		t.Errorf("%d bytes waited of one sender", n)
	}
}

// With packets of forged addresses anybody can seem to be thousands.
func TestThousandsOfSendersTakeBoundedMemory(t *testing.T) {
	q := newQueue("mail")
	at := time.Now()
	for i := range 3 * maxSenders {
		q.put(delivery{whom: fmt.Sprint(i), msg: bytes.Repeat([]byte("x"), 60_000)}, at)
	}
	if len(q.senders) != maxSenders || q.bytes > perSource+maxSenders*61_000 || q.bytes > 2*perSource*2 {
		t.Errorf("%d senders, %d bytes wait", len(q.senders), q.bytes)
	}
	if note := q.note(); !strings.Contains(note, fmt.Sprint(2*maxSenders)) {
		t.Errorf("status says %q, want how many were left out", note)
	}
	for range maxSenders {
		q.take()
	}
	q.forget(at.Add(idle))
	ended := 0
	for {
		c, ok := q.take()
		if !ok {
			break
		}
		if c.end && len(c.text.Bytes) == 0 {
			ended++
		}
	}
	if len(q.senders) != 0 || ended == 0 {
		t.Errorf("after an hour of silence %d senders are known, %d have ended", len(q.senders), ended)
	}
}

func TestConnectionsBeyondTheCapAreRefused(t *testing.T) {
	p := posted(t, config.Syslog{Listen: []string{"tcp://127.0.0.1:0"}})
	var conns []net.Conn
	for range maxOwn + 20 {
		conns = append(conns, p.dial("tcp"))
	}
	until(t, "20 connections are refused", func() bool { return strings.Contains(p.Status()[0].Note, "20 refused") })
	send(t, conns[0], []byte("<6>still heard\n"), false)
	if got, _ := p.lines(1); string(got) != "still heard\n" {
		t.Errorf("got %q", got)
	}
	_ = conns[0].Close()
	until(t, "there is room for another", func() bool {
		c := p.dial("tcp")
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return os.IsTimeout(err)
	})
}

// A message that is begun and not ended keeps its connection for half a minute; one
// that says nothing may stay.
func TestSlowSenderIsCutOffAndASilentOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for begun, want := range map[string]bool{"": true, "<6>never": false, "30 <6>never": false, "3": false} {
			s := New("mail", config.Syslog{})
			ours, theirs := net.Pipe()
			ended := make(chan struct{})
			go func() { s.messages(ours, "x"); close(ended) }()
			if begun != "" {
				if _, err := theirs.Write([]byte(begun)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(whole + time.Second)
			synctest.Wait()
			select {
			case <-ended:
				if want {
					t.Errorf("after %q: cut off", begun)
				}
			default:
				if !want {
					t.Errorf("after %q: still there", begun)
				}
			}
			theirs.Close()
			<-ended
			s.Close()
		}
	})
}

// A reload begins another sequence: what came meanwhile is its first, what was not
// recorded comes again as the same lines, and no connection is cut.
func TestReloadLosesNothing(t *testing.T) {
	p := posted(t, config.Syslog{Listen: []string{"tcp://127.0.0.1:0"}})
	conn := p.dial("tcp")
	send(t, conn, []byte("<6>one\n"), false)
	until(t, "a line has come", func() bool { return p.of("mail/127.0.0.1").Lines == 1 })
	until(t, "it is handed out", func() bool {
		p.queue.mu.Lock()
		defer p.queue.mu.Unlock()
		return len(p.queue.turns) == 0
	})
	p.end() // before anybody has recorded it
	send(t, conn, []byte("<6>two\n"), false)
	until(t, "the next has come", func() bool { return p.of("mail/127.0.0.1").Lines == 2 })
	p.sequence()
	first := <-p.chunks
	second := <-p.chunks
	if string(first.Text) != "one\n" || string(second.Text) != "two\n" || first.Base != 0 || second.Base != 4 || first.Stream != second.Stream {
		t.Errorf("got %+v and %+v, want both lines of one stream", first, second)
	}
	if !first.Live || first.From != "" || first.To != "" || first.Source != "mail" {
		t.Errorf("got %+v, want a live chunk without cursors", first)
	}
}

// A place that is taken is told once, and listened on when it is free.
func TestTakenPortIsTriedAgain(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "tcp://" + other.Addr().String()
	p := &post{Source: New("mail", config.Syslog{Listen: []string{at}}), t: t}
	p.retry = 10 * time.Millisecond
	defer p.Close()
	p.sequence()
	defer func() { p.end() }()
	err = <-p.errs
	if want := "stop what listens there"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), at) {
		t.Errorf("got %v, want the place and the way out", err)
	}
	if got := p.Status()[0].Err; got != err.Error() {
		t.Errorf("status says %q, want %q", got, err)
	}
	other.Close()
	until(t, "it listens", func() bool { return len(p.Addrs()) == 1 })
	if got := p.Status()[0].Err; got != "" {
		t.Errorf("status still says %q", got)
	}
}

func TestSocketOfAnEarlierRunIsReplaced(t *testing.T) {
	dir := t.TempDir()
	for _, scheme := range []string{"unix", "unixgram"} {
		path := filepath.Join(dir, scheme)
		fd, err := net.ListenPacket("unixgram", path) // left behind: it does not remove its file
		if err != nil {
			t.Fatal(err)
		}
		if _, err := listen(context.Background(), config.Syslog{}, scheme+"://"+path); err == nil || !strings.Contains(err.Error(), "stop what listens there") {
			t.Errorf("%s: got %v, want that somebody listens there", scheme, err)
		}
		fd.Close()
		l, err := listen(context.Background(), config.Syslog{}, scheme+"://"+path)
		if err != nil {
			t.Errorf("%s: %v", scheme, err)
			continue
		}
		l.close()
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(context.Background(), config.Syslog{}, "unix://"+file); err == nil {
		t.Error("a file that is no socket was taken")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file is %q, %v", data, err)
	}
}

func TestTLSNeedsTheCertificateOfAClientIfAsked(t *testing.T) {
	cert, key := selfSigned(t)
	p := posted(t, config.Syslog{Listen: []string{"tls://127.0.0.1:0"}, Cert: cert, Key: key, ClientCA: cert})
	conn := p.dial("tls")
	send(t, conn, []byte("<6>x\n"), false)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a client without a certificate was let in")
	}
	mine, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	with, err := tls.Dial("tcp", p.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{mine}})
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	send(t, with, []byte("<6>known\n"), false)
	if got, _ := p.lines(1); string(got) != "known\n" {
		t.Errorf("got %q, want the line of the client with a certificate alone", got)
	}
}

// A certificate is renewed while we run, and written in two steps.
func TestRenewedCertificateIsTaken(t *testing.T) {
	cert, key := selfSigned(t)
	pair := &pair{c: config.Syslog{Cert: cert, Key: key}}
	old, err := pair.certificate()
	if err != nil {
		t.Fatal(err)
	}
	cert2, key2 := selfSigned(t)
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Minute)
		if err := os.Chtimes(to, later, later); err != nil {
			t.Fatal(err)
		}
	}
	move(cert2, cert)
	if now, err := pair.certificate(); err != nil || now != old {
		t.Errorf("between the two writes: %v, %v, want the old one", now == old, err)
	}
	move(key2, key)
	if now, err := pair.certificate(); err != nil || bytes.Equal(now.Certificate[0], old.Certificate[0]) {
		t.Errorf("after both: %v, want the new one", err)
	}
}
