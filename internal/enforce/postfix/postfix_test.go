package postfix

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
)

func newDoor(allow ...netip.Prefix) *Door {
	return New(config.Postfix{Listen: "127.0.0.1:9093", Allow: allow}, slog.New(slog.DiscardHandler))
}

func prefixes(words ...string) (ps []netip.Prefix) {
	for _, w := range words {
		ps = append(ps, netip.MustParsePrefix(w))
	}
	return ps
}

func ban(t *testing.T, d *Door, words ...string) {
	t.Helper()
	if err := d.Apply(t.Context(), enforce.Diff{Want: prefixes(words...)}); err != nil {
		t.Fatal(err)
	}
}

// connect speaks to the door over a pipe.
func connect(t *testing.T, d *Door) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		_ = d.converse(theirs)
	}()
	t.Cleanup(func() { ours.Close() })
	return ours
}

// ask sends a request and returns the answer, without the empty line after it.
func ask(c net.Conn, request string) (string, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if end, err := r.ReadString('\n'); err != nil || end != "\n" {
		return "", fmt.Errorf("after the answer came %q: %w", end, err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

func connecting(addr string) string {
	return "request=smtpd_access_policy\nprotocol_state=CONNECT\nprotocol_name=ESMTP\nclient_address=" + addr + "\nclient_name=unknown\n\n"
}

func TestTheDoorKeepsTheContractOfTargets(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		d := newDoor()
		c := connect(t, d)
		return d, enforcetest.Control{Entries: func() []netip.Prefix {
			held, _ := d.Held(t.Context())
			return slices.DeleteFunc(slices.Clone(held), func(p netip.Prefix) bool {
				got, err := ask(c, connecting(p.Addr().String()))
				return err != nil || !strings.HasPrefix(got, "action=421 ")
			})
		}}
	})
}

var recorded = regexp.MustCompile(`POSTFIX (\{.*\}) -> `)

// What a real Postfix sent is answered, in the order of its attributes.
func TestARecordedPostfixIsAnswered(t *testing.T) {
	text, err := os.ReadFile("testdata/requests.log")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor()
	ban(t, d, "203.0.113.197/32")
	c := connect(t, d)
	all, banned := recorded.FindAllStringSubmatch(string(text), -1), 0
	for _, m := range all {
		var request strings.Builder
		of := json.NewDecoder(strings.NewReader(m[1]))
		_, _ = of.Token()
		for of.More() {
			name, err1 := of.Token()
			value, err2 := of.Token()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&request, "%s=%s\n", name, value)
		}
		want := "action=DUNNO"
		if strings.Contains(m[1], `"client_address": "203.0.113.197"`) {
			want = "action=421 4.7.1 Service not available for your address, closing connection"
			banned++
		}
		if got, err := ask(c, request.String()+"\n"); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", m[1], got, err, want)
		}
	}
	if len(all) < 15 || banned == 0 {
		t.Errorf("%d requests are recorded, %d of who is banned", len(all), banned)
	}
	if notes := strings.Join(d.Notes(), " "); strings.Contains(notes, "smtpd_delay_reject") {
		t.Errorf("Postfix asked at CONNECT as well, and the notes say %q", notes)
	}
}

// With Postfix's default it is asked at RCPT only, where who guesses passwords never
// gets: that looks as if it worked.
func TestBeingAskedTooLateIsSaid(t *testing.T) {
	d := newDoor()
	if _, err := ask(connect(t, d), strings.Replace(connecting("203.0.113.9"), "CONNECT", "RCPT", 1)); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(d.Notes(), " "); !strings.Contains(notes, "smtpd_delay_reject = no") {
		t.Errorf("notes: %q, want the setting", notes)
	}
}

func TestWhatIsNotUnderstoodStopsNoMail(t *testing.T) {
	d := newDoor()
	ban(t, d, "203.0.113.9/32")
	for request, want := range map[string]string{
		connecting("unknown"):                           "action=DUNNO",
		connecting(""):                                  "action=DUNNO",
		connecting("203.0.113.1"):                       "action=DUNNO",
		connecting("203.0.113.9"):                       "action=421",
		"request=other\nclient_address=203.0.113.9\n\n": "action=DUNNO",
		"request=smtpd_access_policy\nclient_address=203.0.113.9\r\n\r\n":                                                 "action=421",
		"request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=203.0.113.1\nclient_address=203.0.113.9\n\n": "action=DUNNO",
		"request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=203.0.113.1\nhelo_name=x=203.0.113.9\n\n":    "action=DUNNO",
	} {
		if got, err := ask(connect(t, d), request); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, %v, want %q", request, got, err, want)
		}
	}
	for name, request := range map[string]string{
		"no name=value": "GET / HTTP/1.1\r\n\r\n", "nothing asked": "\n", "no request": "client_address=203.0.113.9\n\n",
		"one endless line": "request=" + strings.Repeat("x", 2*maxLine) + "\n\n", "endless": strings.Repeat("a="+strings.Repeat("x", 1000)+"\n", 100) + "\n",
	} {
		if got, err := ask(connect(t, d), request); err == nil {
			t.Errorf("%s: answered %q, want the connection closed, at which Postfix takes its default_action", name, got)
		}
	}
}

// Slow clients and silent ones are closed in time, others meanwhile served.
func TestSlowClientsKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		slow, quick := connect(t, d), connect(t, d)
		began := time.Now()
		if _, err := io.WriteString(slow, "request=smtpd_access_policy\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := ask(quick, connecting("203.0.113.1")); err != nil || got != "action=DUNNO" {
			t.Errorf("beside a slow client: %q, %v", got, err)
		}
		if _, err := slow.Read(make([]byte, 1)); err == nil || time.Since(began) > asking+time.Second {
			t.Errorf("half a request: %v after %v, want it closed after %v", err, time.Since(began), asking)
		}
		time.Sleep(15 * time.Minute) // as long as Postfix keeps a connection
		if got, err := ask(quick, connecting("203.0.113.1")); err != nil || got != "action=DUNNO" {
			t.Errorf("after a silence: %q, %v", got, err)
		}
		if _, err := quick.Read(make([]byte, 1)); err == nil || time.Since(began) > idle+16*time.Minute {
			t.Errorf("silent for ever: %v after %v", err, time.Since(began))
		}
	})
}

// serve serves the door on loopback. If nobody was banned, that is known.
func serve(t *testing.T, d *Door) (addr string, stop func()) {
	t.Helper()
	if held, _ := d.Held(t.Context()); len(held) == 0 {
		ban(t, d)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx, ln) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func TestManyConnectionsAtOnce(t *testing.T) {
	d := newDoor()
	ban(t, d, "203.0.113.9/32")
	addr, stop := serve(t, d)
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			client, want := "203.0.113.9", "action=421"
			if i%2 == 0 {
				client, want = "203.0.113.1", "action=DUNNO"
			}
			for range 20 {
				if got, err := ask(c, connecting(client)); err != nil || !strings.HasPrefix(got, want) {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
			}
		})
	}
	all.Wait()
	open, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := ask(open, connecting("203.0.113.1")); err != nil {
		t.Fatal(err)
	}
	stop() // also with connections that are open
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open after the end")
	}
}

// Who is told DUNNO before the bans are known is let in although it is banned.
func TestNobodyIsAnsweredBeforeTheBansAreKnown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, ctx := newDoor(), t.Context()
	go func() { _ = d.Serve(ctx, ln) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	told := make(chan string, 1)
	go func() {
		got, err := ask(c, connecting("203.0.113.9"))
		told <- fmt.Sprint(got, err)
	}()
	select {
	case got := <-told:
		t.Fatalf("answered %q before the bans are known", got)
	case <-time.After(50 * time.Millisecond): // it cannot be proven that no answer ever comes
	}
	ban(t, d, "203.0.113.9/32")
	if got := <-told; !strings.HasPrefix(got, "action=421") {
		t.Errorf("a banned client is told %q", got)
	}
}

func TestOnlyPostfixLearnsWhoIsBanned(t *testing.T) {
	for _, c := range []struct {
		allow []netip.Prefix
		from  string
		want  bool
	}{
		{nil, "127.0.0.1", true},
		{nil, "::1", true},
		{nil, "172.30.0.3", false},
		{prefixes("172.30.0.3/32"), "172.30.0.3", true},
		{prefixes("172.30.0.3/32"), "::ffff:172.30.0.3", true},
		{prefixes("172.30.0.3/32"), "172.30.0.9", false},
		{prefixes("172.30.0.3/32"), "127.0.0.1", false},
	} {
		if got := newDoor(c.allow...).mayAsk(netip.MustParseAddr(c.from).Unmap()); got != c.want {
			t.Errorf("allow %v: %s may ask: %v, want %v", c.allow, c.from, got, c.want)
		}
	}
	addr, _ := serve(t, newDoor(prefixes("172.30.0.3/32")...))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := ask(c, connecting("203.0.113.9")); err == nil {
		t.Errorf("a stranger is answered %q", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(connecting("203.0.113.9"))
	f.Add("a=b\n\n")
	f.Add("\x00=\n\xff\n\n")
	d := newDoor()
	f.Fuzz(func(t *testing.T, text string) {
		q, err := read(bufio.NewReaderSize(strings.NewReader(text), maxLine))
		if err != nil {
			return
		}
		if q.kind == "" || !strings.Contains(text, q.client) {
			t.Errorf("%q is read as %+v", text, q)
		}
		if got := d.answer(q); got != dunno { // nobody is banned
			t.Errorf("%q is answered %q", text, got)
		}
	})
}
