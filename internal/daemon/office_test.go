package daemon

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/daemon/ports"
)

// Indoors are ports without a network, so that a bubble's clock goes on while a
// service waits for its clients.
type indoors struct {
	mu   sync.Mutex
	open map[string]*indoor
}

type indoor struct {
	addr  string
	conns chan net.Conn
	mu    sync.Mutex
	late  chan struct{} // closed once the deadline has passed
}

func (i *indoors) listen(addr string) (ports.Listener, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.open == nil {
		i.open = map[string]*indoor{}
	}
	i.open[addr] = &indoor{addr: addr, conns: make(chan net.Conn), late: make(chan struct{})}
	return i.open[addr], nil
}

// dial connects to a port as a service on this host does.
func (i *indoors) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	i.mu.Lock()
	l := i.open[addr]
	i.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("nobody listens at %s", addr)
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- local{theirs}:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// local is a connection from loopback.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

func (l *indoor) Accept() (net.Conn, error) {
	l.mu.Lock()
	late := l.late
	l.mu.Unlock()
	select {
	case c := <-l.conns:
		return c, nil
	case <-late:
		return nil, os.ErrDeadlineExceeded
	}
}

func (l *indoor) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.IsZero() {
		l.late = make(chan struct{})
		return nil
	}
	close(l.late)
	return nil
}

func (l *indoor) Close() error   { return nil }
func (l *indoor) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }

// An office is ten people behind one address, and what sees their logins: a Dovecot
// that reports them, or a log. Nothing of it is exact to the second.
type office struct {
	*drill
	client *http.Client
	rand   *rand.Rand
	phone  int // how often the old phone tries in two minutes

	// login is a login as it is seen. It reports whether the client was let try.
	login func(addr, user, password string, success bool) bool
}

const (
	officeAddr = "192.0.2.77"
	staff      = 10
	morning    = 3 * time.Hour // of work; nobody is there for longer
)

// newOffice returns an office of which Dovecot reports the logins.
func newOffice(t *testing.T) *office {
	o := &office{drill: newDrill(t, blockRule()), rand: rand.New(rand.NewPCG(1, 2)), phone: 4}
	o.targets = "  - name: logins\n    dovecot: {listen: \"127.0.0.1:9092\", token: the-secret}\n"
	o.jails = "  reports: {filter: dovecot, source: logins, reset_on_success: yes, known_good: 7d, bantime: 1d}\n"
	o.client = &http.Client{Transport: &http.Transport{DialContext: o.indoors.dial}}
	o.login = o.reported
	return o
}

// reported logs in at a Dovecot that asks, and reports.
func (o *office) reported(addr, user, password string, success bool) bool {
	body := fmt.Sprintf(`{"login":%q,"protocol":"imap","pwhash":%q,"remote":%q,"success":%v,"policy_reject":false,"tls":true}`, user, hash(user, password), addr, success)
	if !strings.Contains(o.ask("allow", body), `"status":0`) {
		o.ask("report", strings.Replace(strings.Replace(body, `"success":true`, `"success":false`, 1), `"policy_reject":false`, `"policy_reject":true`, 1))
		return false
	}
	o.ask("report", body)
	return true
}

func (o *office) ask(command, body string) string {
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:9092/?command="+command, strings.NewReader(body)) //nolint:noctx // in a bubble
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-secret")
	resp, err := o.client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		o.Fatalf("%s: %d %q %v", command, resp.StatusCode, text, err)
	}
	synctest.Wait()
	return string(text)
}

// hash is 12 bits of one, as of Dovecot.
func hash(user, password string) string {
	n := 0
	for _, r := range user + "\x00" + password {
		n = n*31 + int(r)
	}
	return fmt.Sprintf("%04x", n&0xfff)
}

// logged logs in at an sshd that writes a log.
func (o *office) logged(addr, user, _ string, success bool) bool {
	if o.holds(addr) {
		return false
	}
	word := "Failed password"
	if success {
		word = "Accepted password"
	}
	o.n++
	o.write(fmt.Sprintf("host sshd[%d]: %s for %s from %s port %d ssh2", 1000+o.n%20_000, word, user, addr, 1024+o.n%60_000))
	return true
}

// relayed logs in at a Postfix that writes a log.
func (o *office) relayed(addr, user, _ string, success bool) bool {
	if o.holds(addr) {
		return false
	}
	o.n++
	if success {
		o.write(fmt.Sprintf("mx postfix/smtpd[%d]: %X: client=unknown[%s]:%d, sasl_method=PLAIN, sasl_username=%s", 1000+o.n%20_000, 0xa0000+o.n, addr, 1024+o.n%60_000, user))
	} else {
		o.write(fmt.Sprintf("mx postfix/smtpd[%d]: warning: unknown[%s]:%d: SASL PLAIN authentication failed: (reason unavailable), sasl_username=%s", 1000+o.n%20_000, addr, 1024+o.n%60_000, user))
	}
	return true
}

func member(i int) string { return fmt.Sprintf("staff%d@example.com", i) }

// types is somebody who logs in, and gets his password wrong now and then.
func (o *office) types(i int) {
	for n := range []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2}[o.rand.IntN(20)] {
		o.tries(i, fmt.Sprint("typo", n, o.rand.IntN(100)), false)
		o.pass(5 * time.Second)
	}
	o.tries(i, "right", true)
}

func (o *office) tries(i int, password string, success bool) {
	if !o.login(officeAddr, member(i), password, success) {
		o.Fatalf("%v: %s is locked out\n%s", time.Now().UTC(), member(i), o.log)
	}
}

// works lets the office work for a while: everybody's mail is looked at all the time,
// and one phone has an old password, which it tries all the time. At first all of them
// type in a password, after it was changed.
func (o *office) works(d time.Duration) {
	for end, first := time.Now().Add(d), true; time.Now().Before(end); first = false {
		now := time.Now().UTC()
		for i := range staff {
			if first {
				o.tries(i, "the old one", false)
			}
			if now.Minute()%20/2 == i || first {
				o.types(i)
			}
		}
		for range o.phone {
			o.tries(0, "what it was in summer", false)
		}
		o.pass(2*time.Minute - time.Since(now))
	}
	if o.holds(officeAddr) {
		o.Errorf("the office is banned\n%s", o.log)
	}
}

// attacks guesses until it is shut out, and returns after how many guesses that was.
func (o *office) attacks(addr string, most int, guess func(i int) (user, password string)) (n int) {
	for n < most {
		user, password := guess(n)
		if !o.login(addr, user, password, false) {
			return n
		}
		n++
		o.pass(2 * time.Second)
	}
	return n
}

const tolerated = 3 * 5 // failures of an address from which somebody has logged in

// An old phone and ten people who mistype lock nobody out in a week, with a restart
// each night; people are told of the phone once. Who guesses from there is caught. Of
// logs, of which nothing is remembered but by the jail, three days are enough.
func TestAWeekInAnOffice(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T) *office
		days int // before the last
		told int // notices of the old phone: a log does not say that its password is the same
	}{
		{"Dovecot reports", newOffice, 6, 1},
		{"sshd writes a log", func(t *testing.T) *office {
			o := newOffice(t)
			o.targets, o.login, o.phone = "", o.logged, 1
			o.jails = "  sshd: {logpath: stdin, logtimezone: UTC, reset_on_success: yes, known_good: 7d, bantime: 1d}\n"
			return o
		}, 2, 0},
		{"Postfix writes a log", func(t *testing.T) *office {
			o := newOffice(t)
			o.targets, o.login, o.phone = "", o.relayed, 1
			o.jails = "  postfix: {logpath: stdin, logtimezone: UTC, reset_on_success: yes, known_good: 7d, bantime: 1d}\n"
			return o
		}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := c.make(t)
				for day := range c.days {
					o.run(func() {
						o.works(morning)
						if day == 0 {
							o.pass(12 * time.Hour) // one night goes on, the others are restarts
						}
					})
					time.Sleep(time.Until(time.Date(2000, 1, 2+day, 8, 0, 0, 0, time.UTC)))
				}
				o.run(func() {
					o.works(morning)
					messages := o.ntfy.Messages("alerts")
					if len(messages) != c.told || c.told > 0 && !strings.Contains(messages[0].Message, "An old password on a device of staff0@example.com") {
						t.Errorf("people were told %+v, want %d notices of the old phone", messages, c.told)
					}
					n := o.attacks(officeAddr, 50, func(i int) (string, string) { return fmt.Sprintf("user%d", i), "letmein" })
					if n >= 50 || n > tolerated {
						t.Errorf("who tries 50 users from there had %d guesses, want %d at most", n, tolerated)
					}
					if !o.holds(officeAddr) {
						t.Error("and is not banned")
					}
				})
			})
		})
	}
}

// Who has a mailbox and logs in all the time does not get more guesses at another's by
// it than anybody does from an address that is known.
func TestOnesOwnLoginsBuyNoGuesses(t *testing.T) {
	for name, own := range map[string]string{"another name": "mallory", "the same name in other letters": "STAFF1@example.com", "one that is longer": "staff1@example.com "} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice(t)
				o.run(func() {
					o.works(2 * time.Hour)
					n := o.attacks("198.51.100.66", 200, func(i int) (string, string) {
						o.login("198.51.100.66", own, "his own", true)
						return "staff1@example.com", fmt.Sprint("guess", i)
					})
					if n > tolerated || !o.holds("198.51.100.66") {
						t.Errorf("%d guesses between his own logins, banned %v; want %d at most, and banned", n, o.holds("198.51.100.66"), tolerated)
					}
					// Nor does it help to look like an old phone between them: what
					// repeats counts nothing, and what is new counts.
					n = 0
					for i := range 200 {
						for range 3 {
							o.login("198.51.100.67", "staff2@example.com", "an old one", false)
						}
						o.login("198.51.100.67", own, "his own", true)
						if !o.login("198.51.100.67", "staff2@example.com", fmt.Sprint("guess", i), false) {
							break
						}
						n++
						o.pass(2 * time.Second)
					}
					if n > tolerated {
						t.Errorf("%d guesses behind the mask of an old phone, want %d at most", n, tolerated)
					}
				})
			})
		})
	}
}

// A Dovecot with another token than ours lets everybody in, and everything else looks
// well: a person must hear of it.
func TestADovecotWithAnotherTokenIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		o.targets = "  - name: logins\n    dovecot: {listen: \"127.0.0.1:9092\", token: another, allow: 127.0.0.1}\n"
		o.run(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:9092/?command=allow", strings.NewReader(`{"remote":"192.0.2.77"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer the-secret")
			resp, err := o.client.Do(r)
			if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("%+v, %v; want 401", resp, err)
			}
			o.pass(time.Minute)
			o.wantAlarm("Trouble", "target logins: Dovecot asks with another token")
			st, err := api{o.d}.Status(t.Context())
			if err != nil || st.Healthy || len(st.Troubles) != 1 {
				t.Errorf("healthy %v, troubles %q (%v); want that one", st.Healthy, st.Troubles, err)
			}
		})
	})
}
