package mail

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// A server is a mail server behind a proxy: it refuses every login, and writes the line
// that Dovecot writes.
type server struct {
	cert  tls.Certificate
	proxy string // whom the log shows in place of clients; clients if empty
	trust bool   // believes a PROXY header of the client's
	mute  bool   // takes connections, and waits

	mu  sync.Mutex
	log *os.File
}

func newServer(t *testing.T) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "dovecot.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return &server{cert: tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}, log: log}
}

// dial connects over loopback, whatever the address: it is the port that tells the
// service.
func (s *server) dial(ctx context.Context, _, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	client, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	conn, err := l.Accept()
	if err != nil {
		return nil, err
	}
	go s.serve(conn, port) // ends when the client hangs up
	return client, nil
}

// A reader is a connection of which some was read already.
type reader struct {
	net.Conn
	in *bufio.Reader
}

func (r reader) Read(b []byte) (int, error) { return r.in.Read(b) }

func (s *server) serve(conn net.Conn, port string) {
	defer conn.Close()
	from := conn.RemoteAddr().(*net.TCPAddr).IP.String()
	r := reader{conn, bufio.NewReader(conn)}
	if s.mute {
		_, _ = io.Copy(io.Discard, r) // as who waits for a header of another form does
		return
	}
	if s.proxy != "" {
		from = s.proxy
	}
	if s.trust && port != "587" { // there a server speaks first
		if head, _ := r.in.Peek(5); string(head) == "PROXY" {
			line, _ := r.in.ReadString('\n')
			from = strings.Fields(line)[2]
		}
	}
	if port == "587" {
		fmt.Fprint(conn, "220 mx ESMTP\r\n")
		for _, answer := range []string{"250 mx\r\n", "220 go on\r\n"} {
			if line, err := r.in.ReadString('\n'); err != nil || strings.HasPrefix(line, "PROXY") {
				return
			}
			fmt.Fprint(conn, answer)
		}
	}
	secure := tls.Server(r, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	in := bufio.NewReader(secure)
	switch port {
	case "993":
		fmt.Fprint(secure, "* OK ready\r\n")
	case "465":
		fmt.Fprint(secure, "220 mx ESMTP\r\n")
	}
	for {
		line, err := in.ReadString('\n')
		word := strings.Fields(line)
		switch {
		case err != nil:
			return
		case word[0] == "EHLO":
			fmt.Fprint(secure, "250 mx\r\n")
		case word[0] == "AUTH":
			plain, _ := base64.StdEncoding.DecodeString(word[2])
			s.write(strings.Split(string(plain), "\x00")[1], from)
			fmt.Fprint(secure, "535 5.7.8 Error: authentication failed\r\n")
		case word[1] == "LOGIN":
			s.write(word[2], from)
			fmt.Fprint(secure, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n")
		}
	}
}

func (s *server) write(user, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.log, "%s auth: Info: passwd-file(%s,%s): unknown user\n", time.Now().Format("Jan _2 15:04:05"), strings.ToLower(user), from)
}

// grades are those of the links of the doors, in order.
func grades(found []edgeban.Finding) string {
	var words []string
	for _, f := range found {
		words = append(words, f.Link+" "+f.Grade.String())
	}
	return strings.Join(words, ", ")
}

func TestWhetherTheClientReachesTheLogIsTold(t *testing.T) {
	const all = "login good, address good, spoofing good"
	tests := map[string]struct {
		set   func(*server)
		want  string // of port 993
		start string // of port 587, which cannot be spoofed: the server speaks first
		says  string
	}{
		"all is well": {func(*server) {}, all, all, "is not believed"},
		"the proxy does not say who the client is": {
			func(s *server) { s.proxy = "172.30.0.2" },
			"login good, address broken, spoofing good", "login good, address broken, spoofing good", "haproxy_trusted_networks = 172.30.0.2",
		},
		"a header of anybody's is believed": {
			func(s *server) { s.trust = true },
			"login good, address good, spoofing broken", all, "trustedIPs",
		},
		"nobody writes the login down": {
			func(s *server) { s.log.Close() },
			"login good, log broken", "login good, log broken", "auth_verbose = yes",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			test.set(s)
			wait := 5 * time.Second
			if name == "nobody writes the login down" {
				wait = 50 * time.Millisecond // for what never comes
			}
			jail := config.Jail{Name: "dovecot", Filter: "dovecot", LogPath: []string{s.log.Name()}}
			found := Check(t.Context(), Options{Host: "mail.example.org", Jails: []config.Jail{jail}, Wait: wait, Dial: s.dial})
			parts := map[string][]edgeban.Finding{}
			text := ""
			for _, f := range found {
				parts[f.Part] = append(parts[f.Part], f)
				text += f.Evidence + "\n" + f.Fix + "\n"
			}
			for part, want := range map[string]string{"mail mail.example.org:993": test.want, "mail mail.example.org:465": test.want, "mail mail.example.org:587": test.start} {
				if got := grades(parts[part]); got != want {
					t.Errorf("%s: got %s, want %s", part, got, want)
				}
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("got %s, want it to say %q", text, test.says)
			}
		})
	}
}

// The commonest trap: one end speaks the PROXY protocol, and the other waits.
func TestAMuteServerIsHung(t *testing.T) {
	s := newServer(t)
	s.mute = true
	v := visit{Options{Host: "h", Dial: s.dial}, doors[0]}
	conn, err := s.dial(t.Context(), "tcp", "h:993")
	if err != nil {
		t.Fatal(err)
	}
	conn = impatient{conn}
	defer conn.Close()
	err = v.door.refused(conn, "", "name")
	if err == nil || !strings.Contains(err.Error(), "says nothing") {
		t.Errorf("got %v, want it to say that nothing came", err)
	}
}

// impatient makes a deadline come at once.
type impatient struct{ net.Conn }

func (c impatient) SetDeadline(time.Time) error {
	return c.Conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
}

func TestAClosedPortIsNoProblem(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrNotExist }
	found := Check(t.Context(), Options{Host: "h", Dial: refuse})
	if got, want := grades(found), "login not tried, login not tried, login not tried"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
