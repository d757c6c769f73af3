package syslog

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
)

// captured is when the captured logs count as read: no line is younger.
var captured = time.Date(2026, time.November, 22, 13, 0, 0, 0, time.UTC)

func capture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if os.IsNotExist(err) {
		data, err = os.ReadFile(filepath.Join("../../filter/testdata/captured", name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A post is a Source that runs, and what it yields.
type post struct {
	*Source
	t      testing.TB
	chunks chan edgeban.Chunk
	errs   chan error
	stop   context.CancelFunc
	ended  chan struct{}
}

// posted starts a Source and waits until it listens.
func posted(t testing.TB, c config.Syslog) *post {
	p := &post{Source: New("mail", c), t: t}
	t.Cleanup(p.Close)
	p.sequence()
	t.Cleanup(func() { p.end() })
	for len(p.Addrs()) < len(c.Listen) {
		select {
		case err := <-p.errs:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	return p
}

// sequence begins a sequence of chunks, as a generation of the daemon does.
func (p *post) sequence() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.chunks, p.errs, p.ended = make(chan edgeban.Chunk), make(chan error, 10), make(chan struct{})
	go func() {
		defer close(p.ended)
		for c, err := range p.Chunks(ctx, nil) {
			if err != nil {
				p.errs <- err
				continue
			}
			c.Text = bytes.Clone(c.Text)
			select {
			case p.chunks <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (p *post) end() {
	p.stop()
	<-p.ended
}

// lines reads so many lines.
func (p *post) lines(n int) (text []byte, origins []string) {
	p.t.Helper()
	for bytes.Count(text, []byte("\n")) < n {
		select {
		case c := <-p.chunks:
			if c.Base != int64(len(text)) && len(origins) == 1 && origins[0] == c.Origin {
				p.t.Errorf("the chunk says that it begins at %d, want %d", c.Base, len(text))
			}
			text = append(text, c.Text...)
			if !slices.Contains(origins, c.Origin) {
				origins = append(origins, c.Origin)
			}
		case <-time.After(20 * time.Second):
			p.t.Fatalf("%d lines came, want %d:\n%s", bytes.Count(text, []byte("\n")), n, text)
		}
	}
	return text, origins
}

// matches are what both filters of mail find, but for the times.
func matches(t *testing.T, text []byte, timed bool) (all []string) {
	for _, name := range []string{"dovecot", "postfix"} {
		f, err := filter.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		c := edgeban.Chunk{Stream: "s", Text: text, Read: captured}
		for m := range f.Scanner(filter.Options{Jail: name, Zone: time.UTC}).Scan(c) {
			s := fmt.Sprintf("%s %v %v %d %q", name, m.Kind, m.Addr, m.Count, m.User)
			if timed {
				s += m.Time.UTC().Format(" 15:04:05.000000")
			}
			all = append(all, s)
		}
	}
	return all
}

// pair makes a certificate for loopback, in files.
func selfSigned(t testing.TB) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &of, &of, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// dial connects to where p listens, over TLS if the scheme says so.
func (p *post) dial(scheme string) net.Conn {
	p.t.Helper()
	at := p.Addrs()[0]
	conn, err := net.Dial(at.Network(), at.String())
	if err != nil {
		p.t.Fatal(err)
	}
	if scheme == "tls" {
		roots := x509.NewCertPool()
		data, err := os.ReadFile(p.c.Cert)
		if err != nil {
			p.t.Fatal(err)
		}
		roots.AppendCertsFromPEM(data)
		conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// send sends a capture as it went over the wire: a packet for each line where there
// are packets, else all at once.
func send(t *testing.T, conn net.Conn, capture []byte, packets bool) {
	t.Helper()
	pieces := [][]byte{capture}
	if packets {
		pieces = bytes.SplitAfter(capture, []byte("\n"))
	}
	for _, piece := range pieces {
		if len(piece) == 0 {
			continue
		}
		if _, err := conn.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
}

var transports = map[string]struct {
	listen  func(dir string) string
	packets bool
}{
	"udp":      {func(string) string { return "udp://127.0.0.1:0" }, true},
	"tcp":      {func(string) string { return "tcp://127.0.0.1:0" }, false},
	"tls":      {func(string) string { return "tls://127.0.0.1:0" }, false},
	"unix":     {func(dir string) string { return "unix://" + dir + "/s" }, false},
	"unixgram": {func(dir string) string { return "unixgram://" + dir + "/d" }, true},
}

// plainly returns the lines of the plain logs that a capture of Docker's driver holds,
// and how many those are.
func plainly(t *testing.T, wire []byte) (plain []byte, n int) {
	for _, name := range []string{"dovecot.pp.log", "postfix.pp.log"} {
		for line := range bytes.Lines(capture(t, name)) {
			if bytes.Contains(wire, append([]byte("]: "), line...)) || bytes.Contains(wire, append([]byte(" - "), line...)) {
				plain = append(plain, line...)
				n++
			}
		}
	}
	return plain, n
}

// What Docker's driver and rsyslog really send gives what the plain log gives, over
// each transport.
func TestCapturedTrafficGivesTheMatchesOfThePlainLog(t *testing.T) {
	for _, name := range []string{
		"docker-syslog.default.log", "docker-syslog.rfc3164.log", "docker-syslog.rfc5424.log", "docker-syslog.rfc5424micro-tls-octet.log",
		"rsyslog-fwd-tcp-octet.syslog.log", "rsyslog-fwd-udp-5424.syslog.log",
	} {
		for scheme, tt := range transports {
			if tt.packets && strings.Contains(name, "octet") {
				continue // packets are not counted
			}
			t.Run(name+"/"+scheme, func(t *testing.T) {
				wire := capture(t, name)
				docker := strings.HasPrefix(name, "docker")
				plain, n := capture(t, "syslog-iso.syslog.log"), bytes.Count(wire, []byte("\n"))
				if docker {
					plain, n = plainly(t, wire)
				}
				want := matches(t, plain, !docker)
				if len(want) < 5 {
					t.Fatalf("the plain log has only %d matches", len(want))
				}
				c := config.Syslog{Listen: []string{tt.listen(t.TempDir())}}
				c.Cert, c.Key = selfSigned(t)
				p := posted(t, c)
				send(t, p.dial(scheme), wire, tt.packets)
				got, origins := p.lines(n)
				if got := matches(t, got, !docker); !slices.Equal(got, want) {
					t.Errorf("got %d matches\n%s\nwant %d\n%s", len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
				}
				whom := "mail/127.0.0.1"
				if strings.HasPrefix(scheme, "unix") {
					whom = "mail/local"
				}
				if len(origins) != 1 || origins[0] != whom {
					t.Errorf("it came from %q, want %s: who sent it the transport says", origins, whom)
				}
			})
		}
	}
}

// Patterns in the way of fail2ban are written for what the container wrote, so with
// bare: the lines must be just that.
func TestBareMessagesAreThePlainLog(t *testing.T) {
	for _, name := range []string{"docker-syslog.default.log", "docker-syslog.rfc3164.log", "docker-syslog.rfc5424.log", "docker-syslog.rfc5424micro-tls-octet.log"} {
		wire := capture(t, name)
		want, n := plainly(t, wire)
		p := posted(t, config.Syslog{Listen: []string{"tcp://127.0.0.1:0"}, Bare: true})
		send(t, p.dial("tcp"), wire, false)
		if got, _ := p.lines(n); !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// What rsyslog forwards becomes what it writes to a file itself, byte by byte, but for
// what it cuts off names when it forwards (postfix/smtpd) and the second space that it
// sends.
func TestForwardedLinesAreThoseThatRsyslogWrites(t *testing.T) {
	file := strings.ReplaceAll(string(capture(t, "syslog-iso.syslog.log")), ":  ", ": ")
	want := regexp.MustCompile(`postfix/[a-z0-9/]+\[`).ReplaceAllString(file, "postfix[")
	wire := capture(t, "rsyslog-fwd-udp-5424.syslog.log")
	p := posted(t, config.Syslog{Listen: []string{"udp://127.0.0.1:0"}})
	send(t, p.dial("udp"), wire, true)
	got, _ := p.lines(bytes.Count(wire, []byte("\n")))
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
