package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/web"
)

// A desk is a backend that remembers what was asked and answers from its drawers.
type desk struct {
	status web.Status
	bans   []web.Ban
	why    web.Why
	err    error

	asked netip.Prefix
	ban   web.BanRequest
	calls int
}

func (d *desk) Status(context.Context) (web.Status, error) { return d.status, d.err }

func (d *desk) Bans(context.Context) (iter.Seq[web.Ban], error) { return slices.Values(d.bans), d.err }

func (d *desk) Ban(_ context.Context, r web.BanRequest) (web.BanResult, error) {
	d.ban, d.calls = r, d.calls+1
	return web.BanResult{Ban: web.Ban{Subject: r.Subject, Reason: r.Reason}}, d.err
}

func (d *desk) Unban(_ context.Context, p netip.Prefix) (web.UnbanResult, error) {
	d.asked, d.calls = p, d.calls+1
	return web.UnbanResult{Lifted: d.bans}, d.err
}

func (d *desk) Why(_ context.Context, p netip.Prefix) (web.Why, error) {
	d.asked = p
	return d.why, d.err
}

func (d *desk) Adopt(context.Context) (web.AdoptResult, error) {
	d.calls++
	return web.AdoptResult{Adopted: map[string]int{"opnsense": 7}, Found: true}, d.err
}

// serve serves h on a unix socket until the test ends.
func serve(t *testing.T, h http.Handler) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // a socket's path has room for 107 bytes only
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, l, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		os.RemoveAll(dir)
	})
	return socket
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// raw sends a request as no client of ours would.
func raw(t *testing.T, socket, method, path, body string) (code int, answer string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://edgeban"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAnswersArriveAsTheyWereGiven(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)
	p, one := netip.MustParsePrefix("2001:db8:1234:5678::/64"), netip.MustParseAddr("203.0.113.9")
	d := &desk{
		status: web.Status{
			Version: "1.2.3", Started: at, Now: at.Add(time.Hour), Troubles: []string{"<b> & \"c\""},
			Jails: []web.Jail{{Name: "dovecot", Filter: "dovecot", Lines: 1 << 40, Failures: 2, Successes: 3, Ignored: 4, Undated: 5, Counting: 6, Banned: 7, Skew: "late"}},
			Targets: []web.Target{{
				Name: "fw", Kind: "feed", Wanted: 1, Held: 2, Missing: 3, Waiting: 4, Refused: 5, Foreign: 6, Kept: 7,
				Looked: at, Error: "gone", Since: at, Doubt: "lost",
			}},
			Notifiers: []web.Notifier{{Name: "ntfy", Last: at, Error: "403"}},
			Streams:   []web.Stream{{Origin: "/a.log", Size: 1, Offset: 2, Skipped: 3, Read: at, Live: true, Error: "x"}},
		},
		bans: []web.Ban{{
			Subject: p, Jail: "sshd", Since: at, Until: at.Add(time.Hour), Failures: 5, Nth: 2, Reason: "5 failures in 1s",
			Held: []web.Hold{{Target: "fw", Sent: at, Held: at, Released: at, Foreign: true}}, Refused: "private",
		}},
		why: web.Why{
			Prefix: p, Protected: "never: x", Bans: []web.Ban{{Subject: p}},
			Lines: []web.Line{{Time: at, Jail: "sshd", Kind: "failure", Addr: one, Count: 3, User: "\x1b\u202e\n", Text: "raw \xff byte", Ignored: "why"}},
			Lifts: []web.Lifted{{Jail: "sshd", At: at, By: "edgeban unban"}}, Holds: []web.Hold{{Target: "fw"}},
		},
	}
	c := web.NewClient(serve(t, web.Handler(d, quiet())))
	st, err := c.Status(t.Context())
	check(t, "status", st, err, d.status)
	bans, err := c.Bans(t.Context())
	check(t, "bans", bans, err, d.bans)
	d.why.Lines[0].Text = "raw \ufffd byte" // JSON has no other way
	why, err := c.Why(t.Context(), p)
	check(t, "why", why, err, d.why)
	check(t, "why asked", d.asked, nil, p)
	req := web.BanRequest{Subject: p, For: -1, Reason: "Grüße & \"<\""}
	banned, err := c.Ban(t.Context(), req)
	check(t, "ban", banned, err, web.BanResult{Ban: web.Ban{Subject: p, Reason: req.Reason}})
	check(t, "ban asked", d.ban, nil, req)
	single := netip.PrefixFrom(one, 32)
	lifted, err := c.Unban(t.Context(), single)
	check(t, "unban", lifted, err, web.UnbanResult{Lifted: d.bans})
	check(t, "unban asked", d.asked, nil, single)
	adopted, err := c.Adopt(t.Context())
	check(t, "adopt", adopted, err, web.AdoptResult{Adopted: map[string]int{"opnsense": 7}, Found: true})
}

func check(t *testing.T, what string, got any, err error, want any) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, %v; want %+v", what, got, err, want)
	}
}

func TestErrorsKeepTheirWordsAndTheirFault(t *testing.T) {
	d := &desk{}
	c := web.NewClient(serve(t, web.Handler(d, quiet())))
	p := netip.MustParsePrefix("203.0.113.9/32")
	for name, call := range map[string]func() error{
		"status": func() error { _, err := c.Status(t.Context()); return err },
		"bans":   func() error { _, err := c.Bans(t.Context()); return err },
		"why":    func() error { _, err := c.Why(t.Context(), p); return err },
		"ban":    func() error { _, err := c.Ban(t.Context(), web.BanRequest{Subject: p}); return err },
		"unban":  func() error { _, err := c.Unban(t.Context(), p); return err },
		"adopt":  func() error { _, err := c.Adopt(t.Context()); return err },
	} {
		const text = `it is protected: <never> & "home"`
		for _, given := range []error{errors.New(text), &web.BadRequest{Text: text}, fmt.Errorf("target fw: %w", &web.BadRequest{Text: text})} {
			d.err = given
			err := call()
			_, want := errors.AsType[*web.BadRequest](given)
			_, got := errors.AsType[*web.BadRequest](err)
			if err == nil || err.Error() != given.Error() || got != want {
				t.Errorf("%s: got %v, the caller's fault: %v; want %v, %v", name, err, got, given, want)
			}
		}
	}
}

func TestBadRequestsChangeNothingAndAreTold(t *testing.T) {
	d := &desk{}
	socket := serve(t, web.Handler(d, quiet()))
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"POST", "/v1/ban", "", 400, "the request is not JSON"},
		{"POST", "/v1/ban", "{", 400, "the request is not JSON"},
		{"POST", "/v1/ban", `{"subject":"203.0.113.300/32"}`, 400, "the request is not JSON"},
		{"POST", "/v1/ban", `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`, 400, "too large"},
		{"POST", "/v1/unban", "", 400, "is neither an address nor a network; write 203.0.113.9"},
		{"POST", "/v1/unban?address=evil%1b[2J", "", 400, "is neither an address nor a network"},
		{"GET", "/v1/why?address=fe80::1%25eth0", "", 400, "is neither an address nor a network"},
		{"GET", "/v1/ban", "", 405, ""},
		{"GET", "/v1/unban?address=203.0.113.9", "", 405, ""},
		{"GET", "/v1/adopt", "", 405, ""},
		{"GET", "/", "", 404, ""},
		{"GET", "/v1/why/../ban", "", 405, ""},
	} {
		code, answer := raw(t, socket, c.method, c.path, c.body)
		if code != c.code || !strings.Contains(answer, c.says) {
			t.Errorf("%s %s %.40q: got %d %q, want %d and %q", c.method, c.path, c.body, code, answer, c.code, c.says)
		}
		if code == 400 {
			var v struct{ Error string }
			if err := json.Unmarshal([]byte(answer), &v); err != nil || v.Error == "" {
				t.Errorf("%s %s: got %q, want JSON with an error", c.method, c.path, answer)
			}
		}
	}
	if d.calls != 0 {
		t.Errorf("%d calls got through, want none", d.calls)
	}
}

func TestAddressesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.9":        "203.0.113.9/32",
		"203.0.113.9/24":     "203.0.113.0/24",
		"::ffff:203.0.113.9": "203.0.113.9/32",
		"2001:DB8::0001":     "2001:db8::1/128",
		"2001:db8:1:2::3/64": "2001:db8:1:2::/64",
	} {
		got, err := web.ParsePrefix(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "home.example.org", "203.0.113", "203.0.113.9/33", "fe80::1%eth0", " 203.0.113.9", "203.0.113.9,"} {
		_, err := web.ParsePrefix(text)
		if _, bad := errors.AsType[*web.BadRequest](err); !bad {
			t.Errorf("%q: got %v, want a refusal that is the caller's fault", text, err)
		}
	}
}

func TestHealthSaysNoMoreThanWhether(t *testing.T) {
	d := &desk{status: web.Status{Healthy: true, Version: "1.2.3"}}
	socket := serve(t, web.Health(d))
	if code, answer := raw(t, socket, "GET", "/healthz", ""); code != 200 || answer != "ok\n" {
		t.Errorf("healthy: got %d %q, want 200 ok", code, answer)
	}
	d.status.Healthy, d.status.Troubles = false, []string{"target fw: 192.168.123.1 refuses"}
	sick, sickAnswer := raw(t, socket, "GET", "/healthz", "")
	d.err = errors.New("ledger: /var/lib/edgeban/ledger.db is locked")
	broken, brokenAnswer := raw(t, socket, "GET", "/healthz", "")
	if sick != 503 || broken != 503 {
		t.Errorf("unhealthy: got %d and %d, want 503", sick, broken)
	}
	if sickAnswer != brokenAnswer || strings.Contains(sickAnswer, "192.168") || !strings.Contains(sickAnswer, "edgeban status") {
		t.Errorf("unhealthy: got %q and %q, want the same words, which name the command and nothing else", sickAnswer, brokenAnswer)
	}
	for _, path := range []string{"/", "/v1/status", "/v1/bans"} {
		if code, _ := raw(t, socket, "GET", path, ""); code != 404 {
			t.Errorf("%s beside /healthz: got %d, want 404", path, code)
		}
	}
	if code, _ := raw(t, socket, "POST", "/v1/ban", "{}"); code != 404 || d.calls != 0 {
		t.Errorf("a ban beside /healthz: got %d and %d calls, want 404 and none", code, d.calls)
	}
}

func TestManyBansArriveWhole(t *testing.T) {
	d := &desk{}
	for i := range 50_000 {
		a := netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)})
		d.bans = append(d.bans, web.Ban{
			Subject: netip.PrefixFrom(a, 32), Jail: "dovecot", Since: time.Unix(int64(i), 0).UTC(), Reason: "5 failures in 3s",
			Held: []web.Hold{{Target: "opnsense", Sent: time.Unix(int64(i), 0).UTC()}},
		})
	}
	bans, err := web.NewClient(serve(t, web.Handler(d, quiet()))).Bans(t.Context())
	if err != nil || !reflect.DeepEqual(bans, d.bans) {
		t.Errorf("got %d bans, %v; want %d, as given", len(bans), err, len(d.bans))
	}
}

func TestAbsentDaemonIsNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := web.NewClient(dir + "/s").Status(t.Context())
	want := "no edgeban answers at " + dir + "/s: connect: no such file or directory; is it running, and may you open its socket?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What listens there may be something else, or another version.
func TestStrangersAreNotBelieved(t *testing.T) {
	var answer struct {
		code int
		body string
	}
	socket := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer.code)
		_, _ = io.WriteString(w, answer.body)
	}))
	for _, c := range []struct {
		code       int
		body, want string
	}{
		{200, "<html>", "edgeban at " + socket + ": "},
		{200, "", "edgeban at " + socket + ": "},
		{404, "404 page not found\n", "edgeban at " + socket + ": 404 Not Found"},
		{500, "{}", "edgeban at " + socket + ": 500 Internal Server Error"},
		{500, `{"error":"` + strings.Repeat("x", 1<<20) + `"}`, "edgeban at " + socket + ": 500 Internal Server Error"},
	} {
		answer.code, answer.body = c.code, c.body
		if _, err := web.NewClient(socket).Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%d %.40q: got %v, want %s", c.code, c.body, err, c.want)
		}
	}
}

func TestInterruptedCommandDoesNotWaitForItsAnswer(t *testing.T) {
	entered := make(chan struct{})
	socket := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := web.NewClient(socket).Status(ctx)
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it cancelled", err)
	}
}
