package feed

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

const token = "tok-3nottobeseen"

func TestWhoMayRead(t *testing.T) {
	secret := config.NewSecret(token)
	lan := prefixes("192.168.123.0/24", "fd00::/8")
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, c := range []struct {
		what   string
		feed   config.Feed
		client string
		path   string
		auth   string
		want   int
	}{
		{"loopback, nothing configured", config.Feed{}, "127.0.0.1:1", "/", "", 200},
		{"loopback in IPv6, nothing configured", config.Feed{}, "[::1]:1", "/", "", 200},
		{"loopback as IPv4 in IPv6", config.Feed{}, "[::ffff:127.0.0.1]:1", "/", "", 200},
		{"elsewhere, nothing configured", config.Feed{}, "192.168.123.1:1", "/", "", 403},
		{"no address, nothing configured", config.Feed{}, "@", "/", "", 403},
		{"an empty token is none", config.Feed{}, "192.168.123.1:1", "/?token=", "Bearer ", 403},
		{"in the list", config.Feed{Allow: lan}, "192.168.123.1:1", "/", "", 200},
		{"in the list, IPv4 in IPv6", config.Feed{Allow: lan}, "[::ffff:192.168.123.1]:1", "/", "", 200},
		{"in the list, IPv6 with a zone", config.Feed{Allow: lan}, "[fd00::1%eth0]:1", "/", "", 200},
		{"not in the list", config.Feed{Allow: lan}, "192.168.124.1:1", "/", "", 403},
		{"loopback is not in the list", config.Feed{Allow: lan}, "127.0.0.1:1", "/", "", 403},
		{"in the list, with a wrong token", config.Feed{Allow: lan, Token: secret}, "192.168.123.1:1", "/", "Bearer x", 200},
		{"Bearer", config.Feed{Token: secret}, "203.0.113.1:1", "/", "Bearer " + token, 200},
		{"bearer in small letters", config.Feed{Token: secret}, "203.0.113.1:1", "/", "bearer  " + token, 200},
		{"Basic, any user", config.Feed{Token: secret}, "203.0.113.1:1", "/", basic("opnsense", token), 200},
		{"Basic, no user", config.Feed{Token: secret}, "203.0.113.1:1", "/", basic("", token), 200},
		{"in the URL", config.Feed{Token: secret}, "203.0.113.1:1", "/bans.txt?token=" + token, "", 200},
		{"no address, but the token", config.Feed{Token: secret}, "@", "/", "Bearer " + token, 200},
		{"loopback without the token", config.Feed{Token: secret}, "127.0.0.1:1", "/", "", 401},
		{"a wrong Bearer", config.Feed{Token: secret}, "203.0.113.1:1", "/", "Bearer " + token + "x", 401},
		{"a wrong password", config.Feed{Token: secret}, "203.0.113.1:1", "/", basic(token, "x"), 401},
		{"a wrong one in the URL", config.Feed{Token: secret}, "203.0.113.1:1", "/?token=x", "", 401},
		{"an empty one", config.Feed{Token: secret}, "203.0.113.1:1", "/?token=", "Bearer ", 401},
		{"the token in clear without a scheme", config.Feed{Token: secret}, "203.0.113.1:1", "/", token, 401},
		{"broken Basic", config.Feed{Token: secret}, "203.0.113.1:1", "/", "Basic !!!", 401},
		{"what is not there, unknown client", config.Feed{Token: secret}, "203.0.113.1:1", "/etc", "", 401},
	} {
		f, log := newFeed(c.feed, "")
		apply(t, f, "203.0.113.9/32")
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.RemoteAddr = c.client
		r.Header.Set("X-Forwarded-For", "127.0.0.1, 192.168.123.1")
		r.Header.Set("X-Real-IP", "127.0.0.1")
		r.Header.Set("Forwarded", "for=192.168.123.1")
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.what, w.Code, c.want)
		}
		if c.want != 200 && strings.Contains(w.Body.String(), "203.0.113.9") {
			t.Errorf("%s: refused, and told: %q", c.what, w.Body)
		}
		if got := len(w.Header().Values("WWW-Authenticate")); (got > 0) != (c.want == 401) {
			t.Errorf("%s: %d WWW-Authenticate", c.what, got)
		}
		if strings.Contains(log.String()+w.Body.String()+fmt.Sprint(w.Header()), token) {
			t.Errorf("%s: the token was shown:\n%s%s", c.what, log, w.Body)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32")
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405, "PURGE": 405} {
		r := httptest.NewRequest(method, "/bans.txt", strings.NewReader("203.0.113.10"))
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		if w.Code != want || want == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
		if method == "HEAD" && (w.Body.Len() > 0 || w.Header().Get("Content-Length") != "12") {
			t.Errorf("HEAD: %d bytes, Content-Length %q", w.Body.Len(), w.Header().Get("Content-Length"))
		}
	}
	if w := get(f, "/bans.txt/../../etc/passwd"); w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}

func TestAnUnchangedListIsNotSentAgain(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32")
	for _, path := range []string{"/bans.txt", "/bans.json"} {
		plain := get(f, path).Header().Get("ETag")
		zipped := get(f, path, "Accept-Encoding", "gzip").Header().Get("ETag")
		if plain == zipped || len(plain) < 10 || strings.HasPrefix(plain, "W/") {
			t.Errorf("%s: tags %s and %s, want two strong ones", path, plain, zipped)
		}
		for _, c := range []struct {
			none, accept string
			want         int
		}{
			{plain, "", 304},
			{"W/" + plain, "", 304},
			{`"other", ` + plain, "", 304},
			{"*", "", 304},
			{zipped, "gzip", 304},
			{zipped, "", 200},
			{plain, "gzip", 200},
			{`"other"`, "", 200},
			{"", "", 200},
		} {
			w := get(f, path, "If-None-Match", c.none, "Accept-Encoding", c.accept)
			if w.Code != c.want || (w.Body.Len() > 0) != (c.want == 200) || w.Header().Get("ETag") == "" {
				t.Errorf("%s If-None-Match %s Accept-Encoding %q: %d with %d bytes, want %d", path, c.none, c.accept, w.Code, w.Body.Len(), c.want)
			}
		}
		apply(t, f, "203.0.113.9/32", "203.0.113.10/32")
		if w := get(f, path, "If-None-Match", plain); w.Code != 200 {
			t.Errorf("%s: %d for a list that changed", path, w.Code)
		}
		apply(t, f, "203.0.113.9/32")
	}
}

func TestADateNamesOneListOnly(t *testing.T) {
	dir := t.TempDir()
	f, _ := newFeed(config.Feed{}, dir)
	apply(t, f, "203.0.113.9/32")
	if got := get(f, "/").Header().Get("Last-Modified"); got != "" && time.Since(f.current().updated) < time.Second {
		t.Errorf("Last-Modified %s in a second that may see another list", got)
	}
	yesterday := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(dir, "feed-.txt"), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	f, _ = newFeed(config.Feed{}, dir)
	date := yesterday.UTC().Format(http.TimeFormat)
	if got := get(f, "/").Header().Get("Last-Modified"); got != date {
		t.Errorf("Last-Modified %q after a restart, want %q", got, date)
	}
	for since, want := range map[string]int{date: 304, yesterday.Add(time.Hour).UTC().Format(http.TimeFormat): 200, "rubbish": 200} {
		if w := get(f, "/", "If-Modified-Since", since); w.Code != want {
			t.Errorf("If-Modified-Since %s: %d, want %d", since, w.Code, want)
		}
	}
	if w := get(f, "/", "If-Modified-Since", date, "If-None-Match", `"other"`); w.Code != 200 {
		t.Errorf("a tag that differs and a date that does not: %d, want 200", w.Code)
	}
}

func TestHalfAListIsNeverSent(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32", "203.0.113.10/32")
	if w := get(f, "/", "Range", "bytes=0-3"); w.Code != 200 || w.Body.Len() != 25 {
		t.Errorf("%d with %d bytes, want all 25", w.Code, w.Body.Len())
	}
}

func TestZipped(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32", "2001:db8::/64")
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "deflate, gzip": true, "GZIP;q=1.0, *;q=0": true, "gzip;q=0": false, "gzip; q=0.0": false, "br": false, "gzipped": false, "gzip;q=x": false,
	} {
		w := get(f, "/bans.txt", "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: zipped %v", accept, got)
		}
		var body io.Reader = w.Body
		if want {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		text, err := io.ReadAll(body)
		if err != nil || string(text) != "203.0.113.9\n2001:db8::/64\n" {
			t.Errorf("Accept-Encoding %q: %q, %v", accept, text, err)
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary %q", accept, w.Header().Get("Vary"))
		}
	}
}

func TestJSONOfTheAlias(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32", "2001:db8::/64")
	var got struct {
		Updated time.Time
		Count   int
		Bans    []struct{ IP string }
	}
	w := get(f, "/bans.json")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Count != 2 || len(got.Bans) != 2 || got.Bans[0].IP != "203.0.113.9" || got.Bans[1].IP != "2001:db8::/64" || time.Since(got.Updated) > time.Minute {
		t.Errorf("got %+v of %s", got, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
}

func TestKnockersDoNotFloodTheLog(t *testing.T) {
	f, log := newFeed(config.Feed{Token: config.NewSecret(token)}, "")
	for range 1000 {
		get(f, "/?token="+token+"x")
	}
	if n := strings.Count(log.String(), "refused"); n != 1 {
		t.Errorf("%d lines for a thousand knocks, want 1", n)
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the token was shown: %s", log)
	}
}

// serve runs f on a port of its own until the test ends, and returns its address.
func serve(t *testing.T, f *Feed) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	return ln.Addr().String()
}

func TestABanIsSeenByTheNextFetch(t *testing.T) {
	f, _ := newFeed(config.Feed{}, t.TempDir())
	url := "http://" + serve(t, f) + "/bans.txt"
	var want []netip.Prefix
	for i := range 50 {
		want = append(want, netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32))
		if err := f.Apply(t.Context(), enforce.Diff{Want: want}); err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if n := strings.Count(string(text), "\n"); err != nil || n != i+1 {
			t.Fatalf("%d lines after %d bans, %v", n, i+1, err)
		}
	}
}

func TestServingStopsWithItsContext(t *testing.T) {
	f, log := newFeed(config.Feed{Listen: "127.0.0.1:0"}, "")
	ln, err := net.Listen("tcp", f.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, ln) }()
	for !strings.Contains(log.String(), "feed is served") && t.Context().Err() == nil {
		select {
		case err := <-done:
			t.Fatalf("ended with %v", err)
		default:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	f, log := newFeed(config.Feed{Token: config.NewSecret(token)}, "")
	apply(t, f, "203.0.113.9/32")
	addr := serve(t, f)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { // the server may stop reading
		_, _ = fmt.Fprintf(c, "GET /?token=%s HTTP/1.1\r\nHost: x\r\nX-Fill: %s\r\n\r\n", token, strings.Repeat("a", 100<<10))
	}()
	reply := make([]byte, 64)
	n, _ := io.ReadAtLeast(c, reply, 12)
	if got := string(reply[:n]); !strings.HasPrefix(got, "HTTP/1.1 431") {
		t.Errorf("got %q, want 431", got)
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the token was shown: %s", log)
	}
}

func TestOneClientCannotTakeAllConnections(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "203.0.113.9/32")
	addr := serve(t, f)
	var held []net.Conn
	for range endpoint.Usual.Client {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// Half a request: the server has taken it once it has answered the first.
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
			t.Fatalf("within the bounds: %v", err)
		}
		held = append(held, c)
	}
	over, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	_, _ = io.WriteString(over, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if n, err := over.Read(make([]byte, 12)); err == nil {
		t.Errorf("one beyond the bounds was answered: %d bytes", n)
	}
	other := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}})
	c, err := other.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 12)); err != nil {
		t.Errorf("another client was kept out: %v", err)
	}
	for _, c := range held {
		c.Close()
	}
	// The places come back.
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err = io.ReadFull(c, make([]byte, 12))
		c.Close()
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the places never came back")
		}
	}
}

// A list that nobody takes stops nobody, however long it is served.
func TestAListThatNobodyTakesIsAGap(t *testing.T) {
	f, _ := newFeed(config.Feed{Listen: "127.0.0.1:9098"}, "")
	apply(t, f, "203.0.113.9/32")
	addr, before := netip.MustParseAddr("203.0.113.9"), time.Now()
	gap := func(since time.Time) enforce.Gap {
		g, err := f.Gap(t.Context(), addr, since)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if g := gap(before); g.Kind != enforce.Unfetched || !strings.Contains(g.Text, "127.0.0.1:9098") {
		t.Errorf("never fetched: %+v, want that, and the place", g)
	}
	r := httptest.NewRequest(http.MethodGet, "/bans.txt", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	f.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if g := gap(before); g.Kind != enforce.NoGap {
		t.Errorf("fetched since: %+v, want no gap", g)
	}
	if g := gap(time.Now().Add(time.Second)); g.Kind != enforce.Unfetched {
		t.Errorf("fetched before: %+v, want a gap", g)
	}
}
