package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// answers is a server that knows one answer.
type answers struct {
	status int
	header http.Header
	body   string
	asked  int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked++
	io.Copy(io.Discard, r.Body)
	if a.status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

func code(status, code int) *answers {
	return &answers{status: status, body: fmt.Sprintf(`{"code":%d,"http":%d,"error":"as recorded"}`, code, status)}
}

// TestErrorsSayWhatToDo: an error must say whether to try again, when, and who
// can mend it, and name the topic and the server.
func TestErrorsSayWhatToDo(t *testing.T) {
	const never, at = true, true
	for _, test := range []struct {
		answer    *answers
		permanent bool
		asks      bool
		least     time.Duration
		most      time.Duration
		says      string
	}{
		{code(401, 40101), never, at, mendedAfter, mendedAfter, "the token is unknown"},
		{code(403, 40301), never, at, mendedAfter, mendedAfter, "ntfy access USER alerts write-only"},
		{code(404, 40401), never, at, mendedAfter, mendedAfter, "is the url right?"},
		{code(400, 40009), never, at, mendedAfter, mendedAfter, "choose another"},
		{&answers{status: 301, header: http.Header{"Location": {"https://evil.example/"}}}, never, at, mendedAfter, mendedAfter, "redirects"},
		{&answers{status: 400, body: "<html>"}, never, at, mendedAfter, mendedAfter, "is the url right?"},
		{code(400, 40014), never, !at, 0, 0, "too big"},
		{code(400, 40024), never, !at, 0, 0, "bug of edgeban"},
		{code(413, 41303), never, !at, 0, 0, "too big"},
		{code(429, 42901), !never, at, 5 * time.Second, time.Minute, "42901"},
		{code(429, 42908), !never, at, time.Hour, time.Hour, "42908"}, // a bubble begins at midnight
		{code(429, 42909), never, at, lockedOut, lockedOut, "even a good one"},
		{&answers{status: 429}, !never, at, 30 * time.Second, time.Minute, "429"},
		{code(500, 50001), !never, !at, 0, 0, "50001"},
		{&answers{status: 502, body: "<html>Bad Gateway"}, !never, !at, 0, 0, "502 Bad Gateway"},
		{&answers{status: 0}, !never, !at, 0, 0, "connection refused"},
		{&answers{status: 200, body: "<html>welcome"}, !never, !at, 0, 0, "something else listens"},
		{&answers{status: 200, body: `{"healthy":true}`}, !never, !at, 0, 0, "something else listens"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := NewNtfy(ntfyConfig(), test.answer)
			err := n.Notify(t.Context(), []edgeban.Notice{ban(1)})
			if err == nil {
				t.Fatalf("%d %s: no error", test.answer.status, test.answer.body)
			}
			delay, asks := edgeban.RetryDelay(err)
			if edgeban.IsPermanent(err) != test.permanent || asks != test.asks || delay < test.least || delay > test.most {
				t.Errorf("%d %s: permanent %v, retry %v after %v, want %v, %v after %v to %v",
					test.answer.status, test.answer.body, edgeban.IsPermanent(err), asks, delay, test.permanent, test.asks, test.least, test.most)
			}
			for _, want := range []string{test.says, "topic alerts at https://ntfy.example.org: "} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if test.answer.asked != 1 {
				t.Errorf("%d %s: %d requests, want 1", test.answer.status, test.answer.body, test.answer.asked)
			}
		})
	}
}

func TestQuotaIsAwaitedUntilMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 50*time.Minute)
		err := NewNtfy(ntfyConfig(), code(429, 42908)).Notify(t.Context(), []edgeban.Notice{ban(1)})
		if d, _ := edgeban.RetryDelay(err); d < 10*time.Minute || d > 11*time.Minute {
			t.Errorf("ten minutes before midnight: retry after %v, want 10 to 11 minutes", d)
		}
	})
}

// TestSecretsStaySecret goes through everything that can go wrong and looks for
// them in what people read.
func TestSecretsStaySecret(t *testing.T) {
	secrets := []string{goodToken, "correct horse", "hidden", base64.StdEncoding.EncodeToString([]byte("ips:correct horse"))}
	configs := map[string]config.Ntfy{}
	for name, url := range map[string]string{
		"plain": "https://ntfy.example.org", "password": "https://me:hidden@ntfy.example.org/hidden?auth=hidden", "broken": "https://me:hidden@[::1:99999/%zz",
		"port": "https://me:hidden@ntfy.example.org:hidden", "nonsense": "\x00hidden",
	} {
		c := ntfyConfig()
		c.URL = url
		configs[name+", token"] = c
		c.Token = config.Secret{}
		c.User, c.Password = "ips", config.NewSecret("correct horse")
		configs[name+", password"] = c
	}
	c := ntfyConfig()
	c.Token = config.NewSecret(goodToken + "\nX: y")
	configs["token with a line feed"] = c

	for name, c := range configs {
		for _, a := range []*answers{code(401, 40101), code(403, 40301), code(429, 42909), {status: 302}, {status: 0}, {status: 500}, {status: 200}} {
			synctest.Test(t, func(t *testing.T) {
				w := run(t, NewNtfy(c, a), Options{})
				w.post(t, ban(1))
				time.Sleep(time.Hour)
				w.end(t)
				said := w.log.String() + fmt.Sprintf("%+v", w.delivery.Status())
				if w.delivery.Status().Err == "" {
					t.Errorf("%s, status %d: no error", name, a.status)
				}
				for _, s := range secrets {
					if strings.Contains(said, s) {
						t.Errorf("%s, status %d: %q was told: %s", name, a.status, s, said)
					}
				}
			})
		}
	}
}

func TestWaysToLogIn(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*config.Ntfy)
		says   string // empty if it works
	}{
		"token": {func(*config.Ntfy) {}, ""},
		"password": {func(c *config.Ntfy) {
			c.Token, c.User, c.Password = config.Secret{}, "ips", config.NewSecret("correct horse")
		}, ""},
		"bad password":   {func(c *config.Ntfy) { c.Token, c.User, c.Password = config.Secret{}, "ips", config.NewSecret("wrong") }, "the user or the password is wrong"},
		"nothing":        {func(c *config.Ntfy) { c.Token = config.Secret{} }, "without a token"},
		"another topic":  {func(c *config.Ntfy) { c.Topic = "other" }, "ntfy access USER other write-only"},
		"slash at end":   {func(c *config.Ntfy) { c.URL += "/" }, ""},
		"reserved topic": {func(c *config.Ntfy) { c.Topic = "not a topic" }, "choose another"},
	} {
		server := ntfytest.New(users())
		c := ntfyConfig()
		test.change(&c)
		err := NewNtfy(c, server.Transport(ourAddr)).Notify(t.Context(), []edgeban.Notice{ban(1)})
		switch {
		case test.says == "" && (err != nil || len(server.Messages("alerts")) != 1):
			t.Errorf("%s: %v, %d messages, want 1", name, err, len(server.Messages("alerts")))
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: got %v, want %q", name, err, test.says)
		}
	}
}

// TestRealSocket publishes over TCP, and proves that a redirect gets no token.
func TestRealSocket(t *testing.T) {
	fake := ntfytest.New(users())
	server := httptest.NewServer(fake)
	defer server.Close()
	c := ntfyConfig()
	c.URL, c.Priority, c.Click = server.URL, 5, "https://ips.example.org/about?ip={ip}"
	n := ban(1)
	n.Subject = prefix("2001:db8::/64")
	if err := NewNtfy(c, nil).Notify(t.Context(), []edgeban.Notice{n}); err != nil {
		t.Fatal(err)
	}
	m := fake.Messages("alerts")[0]
	if m.Priority != 5 || m.Click != "https://ips.example.org/about?ip=2001%3Adb8%3A%3A" || m.Title != "Banned 2001:db8::/64 (dovecot)" || m.ContentType != "" {
		t.Errorf("got %+v", m)
	}

	to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed: %s %s, Authorization %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer to.Close()
	from := httptest.NewServer(http.RedirectHandler(to.URL, http.StatusPermanentRedirect))
	defer from.Close()
	c.URL = from.URL
	if err := NewNtfy(c, nil).Notify(t.Context(), []edgeban.Notice{n}); err == nil || !edgeban.IsPermanent(err) {
		t.Errorf("a redirect: %v, want a permanent error", err)
	}
}

func TestHungServerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := ntfytest.New(users())
		server.Fail(ntfytest.Hang, 0)
		n := NewNtfy(ntfyConfig(), server.Transport(ourAddr))
		begin := time.Now()
		if err := n.Notify(t.Context(), []edgeban.Notice{ban(1)}); err == nil || edgeban.IsPermanent(err) {
			t.Errorf("got %v, want an error that passes", err)
		}
		if got := time.Since(begin); got != callTimeout {
			t.Errorf("gave up after %v, want %v", got, callTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.Notify(ctx, []edgeban.Notice{ban(1)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline", err)
		}
	})
}

// TestTheServerTakesTheLargestMessages: what is too big by a byte would become a
// file, or be refused.
func TestTheServerTakesTheLargestMessages(t *testing.T) {
	server := ntfytest.New(users())
	sizes := []int{1, 2, 7, 9, 13, 50, 1000, 10_000}
	for _, n := range sizes {
		if err := NewNtfy(ntfyConfig(), server.Transport(ourAddr)).Notify(t.Context(), hostileNotices(n)); err != nil {
			t.Errorf("%d notices: %v", n, err)
		}
	}
	if got := len(server.Messages("alerts")); got != len(sizes) {
		t.Errorf("%d messages, want %d", got, len(sizes))
	}
}

func TestClick(t *testing.T) {
	for _, test := range []struct {
		click string
		about netip.Addr
		want  string
	}{
		{"", netip.MustParseAddr("192.0.2.1"), ""},
		{"https://x.example/", netip.Addr{}, "https://x.example/"},
		{"https://x.example/{ip}?q={ip}", netip.MustParseAddr("192.0.2.1"), "https://x.example/192.0.2.1?q=192.0.2.1"},
		{"https://x.example/{ip}", netip.Addr{}, ""},
	} {
		n := NewNtfy(config.Ntfy{Click: test.click}, nil)
		if got := n.click(message{about: test.about}); got != test.want {
			t.Errorf("click %q about %v: got %q, want %q", test.click, test.about, got, test.want)
		}
	}
}
