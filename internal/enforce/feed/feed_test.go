package feed

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
)

// journal is a log that tests read while others write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newFeed(c config.Feed, dir string) (*Feed, *journal) {
	j := new(journal)
	return New(c, dir, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))), j
}

func prefixes(words ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, w := range words {
		ps = append(ps, netip.MustParsePrefix(w))
	}
	return ps
}

func apply(t *testing.T, f *Feed, words ...string) {
	t.Helper()
	if err := f.Apply(t.Context(), enforce.Diff{Want: prefixes(words...)}); err != nil {
		t.Fatal(err)
	}
}

// get asks the handler as a client on loopback, with headers in pairs.
func get(f *Feed, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

func wantServed(t *testing.T, f *Feed, status int, text string) {
	t.Helper()
	w := get(f, "/bans.txt")
	if w.Code != status || status == 200 && w.Body.String() != text {
		t.Errorf("served %d %q, want %d %q", w.Code, w.Body, status, text)
	}
}

func TestNoListIsNeverAnEmptyList(t *testing.T) {
	f, _ := newFeed(config.Feed{}, t.TempDir())
	w := get(f, "/bans.txt")
	if w.Code != 503 || w.Header().Get("Retry-After") != "10" {
		t.Errorf("before the ledger was read: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if err := f.Apply(t.Context(), enforce.Diff{Partial: true}); err != nil {
		t.Errorf("an empty part of a list: %v", err)
	}
	wantServed(t, f, 503, "")
	if err := f.Apply(t.Context(), enforce.Diff{Partial: true, Want: prefixes("203.0.113.9/32")}); err == nil {
		t.Error("that a new ban cannot be served was not said")
	}
	wantServed(t, f, 503, "")
	apply(t, f) // the ledger knows: nobody is banned
	wantServed(t, f, 200, "")
	if w := get(f, "/bans.json"); !strings.Contains(w.Body.String(), `"count":0,"bans":[]`) {
		t.Errorf("JSON %q", w.Body)
	}
}

func TestTheListIsCanonical(t *testing.T) {
	f, _ := newFeed(config.Feed{}, "")
	apply(t, f, "2001:db8:1:2::77/64", "203.0.113.9/32", "198.51.100.77/24", "::ffff:192.0.2.1/128", "203.0.113.9/32", "2001:db8::1/128", "0.0.0.0/0", "::/0", "10.0.0.2/32", "9.0.0.1/32")
	want := "9.0.0.1\n10.0.0.2\n192.0.2.1\n198.51.100.0/24\n203.0.113.9\n2001:db8::1\n2001:db8:1:2::/64\n"
	for _, path := range []string{"/", "/bans", "/bans.txt"} {
		w := get(f, path)
		if w.Body.String() != want {
			t.Errorf("%s: got %q, want %q", path, w.Body, want)
		}
		if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", path, got)
		}
		if got := w.Header().Get("Cache-Control") + " " + w.Header().Get("X-Content-Type-Options"); got != "no-cache nosniff" {
			t.Errorf("%s: headers %q", path, got)
		}
	}
	held, err := f.Held(t.Context())
	if want := prefixes("9.0.0.1/32", "10.0.0.2/32", "192.0.2.1/32", "198.51.100.0/24", "203.0.113.9/32", "2001:db8::1/128", "2001:db8:1:2::/64"); err != nil || !slices.Equal(held, want) {
		t.Errorf("held %v, %v, want %v", held, err, want)
	}
	held[0] = netip.Prefix{}
	wantServed(t, f, 200, want)
}

func TestContract(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		f, _ := newFeed(config.Feed{}, t.TempDir())
		return f, enforcetest.Control{Entries: func() []netip.Prefix { return pull(t, f) }}
	})
}

// pull reads the list as a firewall does.
func pull(t *testing.T, f *Feed) []netip.Prefix {
	t.Helper()
	w := get(f, "/bans.txt")
	if w.Code != 200 {
		return nil
	}
	var held []netip.Prefix
	for word := range strings.FieldsSeq(w.Body.String()) {
		p, err := parsePrefix(word)
		if err != nil {
			t.Fatalf("a firewall cannot read %q: %v", word, err)
		}
		held = append(held, p)
	}
	return held
}

func TestARestartDoesNotEmptyTheFirewall(t *testing.T) {
	dir := t.TempDir()
	c := config.Feed{Listen: "127.0.0.1:9098"}
	f, _ := newFeed(c, dir)
	apply(t, f, "203.0.113.9/32", "2001:db8:1::/64")

	f, _ = newFeed(c, dir)
	wantServed(t, f, 200, "203.0.113.9\n2001:db8:1::/64\n")
	held, err := f.Held(t.Context())
	if want := prefixes("203.0.113.9/32", "2001:db8:1::/64"); err != nil || !slices.Equal(held, want) {
		t.Errorf("held %v, %v, want %v", held, err, want)
	}
	// The ledger was lost: its new bans come on top of the last copy.
	for _, d := range []enforce.Diff{{Partial: true}, {Partial: true, Want: prefixes("198.51.100.7/32")}, {Partial: true}} {
		if err := f.Apply(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	wantServed(t, f, 200, "198.51.100.7\n203.0.113.9\n2001:db8:1::/64\n")
	f, _ = newFeed(c, dir)
	wantServed(t, f, 200, "198.51.100.7\n203.0.113.9\n2001:db8:1::/64\n")
	apply(t, f, "198.51.100.7/32")
	wantServed(t, f, 200, "198.51.100.7\n")
}

func TestADamagedCopyIsNotServed(t *testing.T) {
	c := config.Feed{Listen: "127.0.0.1:9098"}
	dir := t.TempDir()
	f, _ := newFeed(c, dir)
	apply(t, f, "203.0.113.9/32", "203.0.113.10/32")
	path := filepath.Join(dir, "feed-127.0.0.1_9098.txt")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"empty":       "",
		"title only":  string(whole[:bytes.IndexByte(whole, '\n')+1]),
		"cut":         string(whole[:len(whole)-13]),
		"one changed": strings.Replace(string(whole), "203", "204", 1),
		"foreign":     "203.0.113.9\n",
		"zeroes":      strings.Repeat("\x00", len(whole)),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, log := newFeed(c, dir)
		wantServed(t, f, 503, "")
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), path+" is damaged") {
			t.Errorf("%s: logged %q", what, log)
		}
		apply(t, f, "203.0.113.9/32")
		f, _ = newFeed(c, dir)
		wantServed(t, f, 200, "203.0.113.9\n")
	}
}

func TestAFullDiskDoesNotStopTheFeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	f, log := newFeed(config.Feed{}, dir)
	apply(t, f, "203.0.113.9/32")
	apply(t, f, "203.0.113.10/32")
	wantServed(t, f, 200, "203.0.113.10\n")
	if n := strings.Count(log.String(), "copy of the feed not written"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, log)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	apply(t, f, "203.0.113.10/32") // no change, but the copy is still owed
	f, _ = newFeed(config.Feed{}, dir)
	wantServed(t, f, 200, "203.0.113.10\n")
}

func TestAListThatDidNotChangeIsNotWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	f, _ := newFeed(config.Feed{Listen: ":1"}, dir)
	apply(t, f, "203.0.113.9/32")
	path := filepath.Join(dir, "feed-_1.txt")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tag := get(f, "/").Header().Get("ETag")
	apply(t, f, "203.0.113.9/32")
	if _, err := os.Stat(path); err == nil {
		t.Error("the copy was written again")
	}
	if got := get(f, "/").Header().Get("ETag"); got != tag {
		t.Errorf("the tag of the same list changed from %s to %s", tag, got)
	}
}

func TestTheCopyIsNobodyElsesToRead(t *testing.T) {
	dir := t.TempDir()
	f, _ := newFeed(config.Feed{Listen: "../../etc/x:1"}, dir)
	apply(t, f, "203.0.113.9/32")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d files in the state folder, %v, want one", len(entries), err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

// crowd returns n addresses.
func crowd(n int) []netip.Prefix {
	ps := make([]netip.Prefix, n)
	for i := range ps {
		ps[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + i>>20), byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	return ps
}

// BenchmarkApply is one new ban on top of 100,000.
func BenchmarkApply(b *testing.B) {
	f, _ := newFeed(config.Feed{}, b.TempDir())
	want := crowd(100_000)
	for i := 0; b.Loop(); i++ {
		want[len(want)-1] = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		if err := f.Apply(b.Context(), enforce.Diff{Want: want}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFetch is one zipped fetch of 100,000 entries.
func BenchmarkFetch(b *testing.B) {
	f, _ := newFeed(config.Feed{}, "")
	if err := f.Apply(b.Context(), enforce.Diff{Want: crowd(100_000)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if w := get(f, "/bans.txt", "Accept-Encoding", "gzip"); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

func TestAHundredThousandBansAreServedSoon(t *testing.T) {
	f, _ := newFeed(config.Feed{}, t.TempDir())
	want := crowd(100_000)
	start := time.Now()
	if err := f.Apply(t.Context(), enforce.Diff{Want: want}); err != nil {
		t.Fatal(err)
	}
	w := get(f, "/bans.txt")
	if took := time.Since(start); took > 10*time.Second { // some 30 ms; a busy machine may stutter
		t.Errorf("took %v", took)
	}
	if n := strings.Count(w.Body.String(), "\n"); n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
}

// FuzzCopy gives readCopy anything: it returns an error or a canonical list.
func FuzzCopy(f *testing.F) {
	f.Add([]byte("203.0.113.9\n"), true)
	f.Add([]byte(fmt.Sprintf("%s%064d\n203.0.113.9\n", copyTitle, 0)), false)
	f.Fuzz(func(t *testing.T, text []byte, vouch bool) {
		path := filepath.Join(t.TempDir(), "copy")
		if vouch {
			if err := writeCopy(path, &page{text: body{plain: text}}); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := readCopy(path)
		if err != nil {
			return
		}
		for _, e := range p.prefixes {
			if !e.IsValid() {
				t.Errorf("%q gave %v", text, e)
			}
		}
	})
}
