package traefik

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
)

var quietLog = slog.New(slog.DiscardHandler)

func prefixes(words ...string) (ps []netip.Prefix) {
	for _, w := range words {
		ps = append(ps, netip.MustParsePrefix(w))
	}
	return ps
}

func ports(file string) config.Traefik {
	return config.Traefik{File: file, TCP: []string{"smtp", "submission"}, TLS: []string{"imaps"}, HTTP: []string{"web"}, HTTPS: []string{"websecure"}}
}

func newDoor(t *testing.T) *Door {
	return New(ports(filepath.Join(t.TempDir(), "edgeban.yml")), "", nil, quietLog)
}

func apply(t *testing.T, d *Door, words ...string) {
	t.Helper()
	if err := d.Apply(t.Context(), enforce.Diff{Want: prefixes(words...)}); err != nil {
		t.Fatal(err)
	}
}

func held(t *testing.T, d *Door) []netip.Prefix {
	t.Helper()
	ps, err := d.Held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func wantHeld(t *testing.T, d *Door, words ...string) {
	t.Helper()
	if got := held(t, d); !slices.Equal(got, prefixes(words...)) {
		t.Errorf("held %v, want %v", got, words)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheFileKeepsTheContractOfTargets(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		d := newDoor(t)
		folder := filepath.Dir(d.path)
		return d, enforcetest.Control{
			Entries: func() []netip.Prefix { return inRules(t, d.path) },
			Break: func() { // what stands in its way is no file
				if err := errors.Join(os.Rename(folder, folder+".aside"), os.WriteFile(folder, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			},
			Mend: func() {
				if err := errors.Join(os.Remove(folder), os.Rename(folder+".aside", folder)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// inRules returns what the rules of a document ban: networks are taken apart again
// where the comment names their parts.
func inRules(t *testing.T, path string) []netip.Prefix {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all [][]netip.Prefix
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "rule: ") {
			all = append(all, clients(line))
		}
	}
	for _, ps := range all {
		if !slices.Equal(ps, all[0]) {
			t.Errorf("one router bans %v, another %v", all[0], ps)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(named(text), func(p netip.Prefix) bool { return !covered(p, all[0]) })
}

func TestTheServedDocumentKeepsTheContractOfTargets(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		c := ports("")
		c.Listen = "127.0.0.1:9091"
		d := New(c, t.TempDir(), nil, quietLog)
		fetched := func() { // as Traefik does every few seconds
			d.Handler().ServeHTTP(httptest.NewRecorder(), request("127.0.0.1:4711"))
		}
		return polled{d, fetched}, enforcetest.Control{Entries: func() []netip.Prefix { return inRules(t, d.path) }}
	})
}

// polled is a door that Traefik asks before anybody looks.
type polled struct {
	*Door
	poll func()
}

func (p polled) Held(ctx context.Context) ([]netip.Prefix, error) {
	p.poll()
	return p.Door.Held(ctx)
}

func request(from string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = from
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// The three traps hang ports 25 and 587, or void every ban.
func TestTheDocumentAvoidsTheTraps(t *testing.T) {
	d := newDoor(t)
	apply(t, d, "192.168.77.50/32", "2001:db8:9::/64")
	got := read(t, d.path)
	want := "# Written by edgeban, which overwrites changes. Banned:\n# 192.168.77.50\n# 2001:db8:9::/64\n" + `tcp:
  routers:
    edgeban-tcp:
      entryPoints: ["smtp", "submission"]
` + "      rule: \"HostSNI(`*`) && (ClientIP(`192.168.77.50`) || ClientIP(`2001:db8:9::/64`))\"" + `
      priority: 9000000
      service: edgeban-nobody
    edgeban-tls:
      entryPoints: ["imaps"]
` + "      rule: \"HostSNI(`*`) && (ClientIP(`192.168.77.50`) || ClientIP(`2001:db8:9::/64`))\"" + `
      priority: 9000000
      service: edgeban-nobody
      tls: {passthrough: true}
  services:
    edgeban-nobody:
      loadBalancer:
        servers: []
http:
  routers:
    edgeban-http:
      entryPoints: ["web"]
` + "      rule: \"ClientIP(`192.168.77.50`) || ClientIP(`2001:db8:9::/64`)\"" + `
      priority: 9000000
      service: noop@internal
      middlewares: [edgeban-403]
    edgeban-https:
      entryPoints: ["websecure"]
` + "      rule: \"ClientIP(`192.168.77.50`) || ClientIP(`2001:db8:9::/64`)\"" + `
      priority: 9000000
      service: noop@internal
      middlewares: [edgeban-403]
      tls: {}
  middlewares:
    edgeban-403:
      ipAllowList:
        sourceRange: [255.255.255.255/32]
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c := config.Traefik{File: d.path, TCP: []string{"smtp"}}
	if text := string(render(c, prefixes("192.0.2.1/32"))); strings.Contains(text, "tls") || strings.Contains(text, "http") || strings.Count(text, "entryPoints") != 1 {
		t.Errorf("one entry point without tls gives\n%s", text)
	}
}

// One address that Traefik cannot read would void the router, so that every ban is
// gone. What is no address can only come from a damaged ledger.
func TestAnInvalidAddressVoidsNothing(t *testing.T) {
	d := newDoor(t)
	bad := []netip.Prefix{{}, netip.PrefixFrom(netip.Addr{}, 8), netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 40), netip.MustParsePrefix("0.0.0.0/0")}
	if err := d.Apply(t.Context(), enforce.Diff{Want: append(bad, prefixes("192.0.2.7/32")...)}); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, d, "192.0.2.7/32")
	if got := inRules(t, d.path); !slices.Equal(got, prefixes("192.0.2.7/32")) {
		t.Errorf("the rules ban %v", got)
	}
}

func TestAggregationBansNobodyElse(t *testing.T) {
	for _, c := range []struct{ from, to []string }{
		{[]string{"192.0.2.0/32", "192.0.2.1/32"}, []string{"192.0.2.0/31"}},
		{[]string{"192.0.2.1/32", "192.0.2.2/32"}, []string{"192.0.2.1/32", "192.0.2.2/32"}},
		{[]string{"192.0.2.0/32", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"}, []string{"192.0.2.0/30"}},
		{[]string{"2001:db8::/64", "2001:db8::7/128"}, []string{"2001:db8::/64"}},
		{[]string{"0.0.0.0/1", "128.0.0.0/1"}, []string{"0.0.0.0/1", "128.0.0.0/1"}},
	} {
		if got := aggregate(prefixes(c.from...)); !slices.Equal(got, prefixes(c.to...)) {
			t.Errorf("%v becomes %v, want %v", c.from, got, c.to)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		var ps []netip.Prefix
		for range 1 + rng.IntN(40) {
			p, _ := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(64))}).Prefix(32 - rng.IntN(4))
			ps = append(ps, p)
		}
		ps = canonical(ps)
		few := aggregate(ps)
		for i := range 256 {
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			in := func(all []netip.Prefix) bool {
				return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
			}
			if in(ps) != in(few) {
				t.Fatalf("%v and %v differ about %v", ps, few, a)
			}
		}
	}
}

// A person, another program or a crash has changed the file: what stands in it is
// not what Traefik was to be given, and it is written anew.
func TestAChangedFileHoldsNothingAndIsMended(t *testing.T) {
	d := newDoor(t)
	apply(t, d, "192.0.2.7/32")
	whole := read(t, d.path)
	for name, text := range map[string]string{
		"cut":     whole[:len(whole)/2],
		"changed": strings.Replace(whole, "ClientIP(`192.0.2.7`)", "ClientIP(`192.0.2.8`)", 1),
		"empty":   "",
		"garbage": "\x00\xff# 192.0.2.7\n",
	} {
		if err := os.WriteFile(d.path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		wantHeld(t, d)
		apply(t, d, "192.0.2.7/32")
		wantHeld(t, d, "192.0.2.7/32")
		if got := read(t, d.path); got != whole {
			t.Errorf("%s: it was not mended: %q", name, got)
		}
	}
}

// An empty document would free everybody.
func TestALostLedgerEmptiesNothing(t *testing.T) {
	d := newDoor(t)
	lost := enforce.Diff{Partial: true}
	if err := d.Apply(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lost ledger began a document: %v", err)
	}
	apply(t, d, "192.0.2.7/32", "192.0.2.9/32")
	lost.Remove = prefixes("192.0.2.9/32")
	if err := d.Apply(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, d, "192.0.2.7/32")
	lost.Remove, lost.Want = nil, prefixes("203.0.113.1/32")
	if err := d.Apply(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, d, "192.0.2.7/32", "203.0.113.1/32")
}

// Traefik reads all anew at anything that happens in its folder, and then nothing for a
// while: only the document itself may happen there.
func TestTraefikIsWokenByTheDocumentAlone(t *testing.T) {
	d := newDoor(t)
	apply(t, d, "192.0.2.7/32")
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(d.path)); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		apply(t, d, fmt.Sprintf("192.0.2.%d/32", i))
		select {
		case e := <-w.Events:
			if e.Name != d.path || !e.Has(fsnotify.Create) {
				t.Fatalf("first comes %v, want the new document", e)
			}
		case <-t.Context().Done():
		}
		for more := true; more; {
			select {
			case e := <-w.Events:
				if e.Name != d.path {
					t.Errorf("then comes %v", e)
				}
			default:
				more = false
			}
		}
	}
}

func TestTraefikNeverSeesHalfADocument(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // as of our unit of systemd
	d := newDoor(t)
	apply(t, d, "192.0.2.7/32")
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if text, err := os.ReadFile(d.path); err != nil || !bytes.Equal(text, render(d.config, named(text))) {
				t.Errorf("read %q, %v", text, err)
				return
			}
		}
	})
	for i := range 200 {
		apply(t, d, fmt.Sprintf("192.0.2.%d/32", i), "198.51.100.1/32")
	}
	close(done)
	reader.Wait()
	files, err := os.ReadDir(filepath.Dir(d.path))
	if err != nil || len(files) != 2 || files[0].Name() != ".edgeban" {
		t.Errorf("%v is left, %v; want the document, and a folder", files, err)
	}
	below := filepath.Join(filepath.Dir(d.path), ".edgeban")
	if left, err := os.ReadDir(below); err != nil || len(left) > 0 {
		t.Errorf("in the folder: %v, %v; want nothing", left, err)
	}
	if info, err := os.Stat(below); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder has mode %v, %v; what Traefik cannot list is an error to it", info.Mode(), err)
	}
	if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; Traefik may run as anybody", info.Mode(), err)
	}
}

func TestNobodyButTraefikLearnsWhoIsBanned(t *testing.T) {
	c := ports("")
	c.Listen, c.Token = "0.0.0.0:9091", config.NewSecret("a long word")
	var log bytes.Buffer
	d := New(c, t.TempDir(), nil, slog.New(slog.NewTextHandler(&log, nil)))
	ask := func(headers ...string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.Handler().ServeHTTP(w, request("192.168.77.66:1", headers...))
		return w
	}
	if w := ask("Authorization", "Bearer a long word"); w.Code != 503 {
		t.Errorf("before anything is known: %d, want 503, at which Traefik keeps what it has", w.Code)
	}
	apply(t, d, "192.168.77.50/32")
	wantHeld(t, d) // nobody has taken it
	for _, headers := range [][]string{nil, {"Authorization", "Bearer a long"}, {"Authorization", "Basic YTphIGxvbmcgd29yZA=="}, {"X-Forwarded-For", "127.0.0.1"}} {
		if w := ask(headers...); w.Code != 401 || strings.Contains(w.Body.String(), "192.168.77.50") {
			t.Errorf("%v: %d %q", headers, w.Code, w.Body)
		}
	}
	wantHeld(t, d)
	w := ask("Authorization", "Bearer a long word")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "ClientIP(`192.168.77.50`)") {
		t.Errorf("with the token: %d %q", w.Code, w.Body)
	}
	wantHeld(t, d, "192.168.77.50/32")
	if strings.Contains(log.String(), "a long word") {
		t.Errorf("the token was shown: %s", &log)
	}
}

// Traefik polls while we start: an answer without bans would free everybody.
func TestARestartServesTheLastDocument(t *testing.T) {
	c, state := ports(""), t.TempDir()
	c.Listen = "127.0.0.1:9091"
	apply(t, New(c, state, nil, quietLog), "192.0.2.7/32")
	again := New(c, state, nil, quietLog)
	w := httptest.NewRecorder()
	again.Handler().ServeHTTP(w, request("127.0.0.1:1"))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "192.0.2.7") {
		t.Errorf("after a restart: %d %q", w.Code, w.Body)
	}
	wantHeld(t, again, "192.0.2.7/32")
	if err := os.WriteFile(again.path, []byte("tcp: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = httptest.NewRecorder()
	New(c, state, nil, quietLog).Handler().ServeHTTP(w, request("127.0.0.1:1"))
	if w.Code != 503 {
		t.Errorf("a damaged copy: %d, want 503", w.Code)
	}
}

// door is Traefik's API, as far as it is asked, and as it really answers.
type api struct {
	mu      sync.Mutex
	routers map[string]state // by the end of their paths
	down    bool
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	name := strings.TrimPrefix(r.URL.Path, "/api")
	s, ok := a.routers[name]
	if !ok { // as pkg/api of Traefik writes errors
		http.Error(w, `{"message":"router not found: `+path.Base(name)+`"}`, http.StatusNotFound)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
	return w.Result(), nil
}

// takes makes Traefik take rules, as its API then tells.
func (a *api) takes(rule string, status string, errs ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.routers = map[string]state{"/tcp/routers/edgeban-tcp@file": {Rule: rule, Status: status, Using: []string{"smtp", "submission"}, Error: errs}}
}

func TestHeldIsOnlyWhatAnEnabledRouterHas(t *testing.T) {
	a := &api{}
	c := config.Traefik{File: filepath.Join(t.TempDir(), "edgeban.yml"), TCP: []string{"smtp", "submission"}, API: "http://127.0.0.1:8080"}
	d := New(c, "", a, quietLog)
	wantHeld(t, d)
	apply(t, d, "192.0.2.7/32", "192.0.2.9/32")
	wantHeld(t, d) // Traefik has not taken it yet
	a.takes("HostSNI(`*`) && (ClientIP(`192.0.2.7`))", "enabled")
	wantHeld(t, d, "192.0.2.7/32")
	a.takes("HostSNI(`*`) && (ClientIP(`192.0.2.7`) || ClientIP(`192.0.2.9`))", "enabled")
	wantHeld(t, d, "192.0.2.7/32", "192.0.2.9/32")
	apply(t, d, "192.0.2.7/32")
	wantHeld(t, d, "192.0.2.7/32", "192.0.2.9/32") // one is let go only when Traefik has
	a.takes("HostSNI(`*`) && (ClientIP(`192.0.2.7`))", "enabled")
	wantHeld(t, d, "192.0.2.7/32")

	// While the API is down nothing is lost, nothing is gained, and it is said; but
	// new bans are written.
	a.down = true
	wantHeld(t, d, "192.0.2.7/32")
	apply(t, d, "192.0.2.7/32", "203.0.113.5/32")
	wantHeld(t, d, "192.0.2.7/32")
	err := d.Apply(t.Context(), enforce.Diff{Want: prefixes("192.0.2.7/32", "203.0.113.5/32")})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("API down: %v, want that", err)
	}
	wantHeld(t, d, "192.0.2.7/32")
	if !strings.Contains(read(t, c.File), "203.0.113.5") {
		t.Error("API down: a new ban was not written")
	}
	a.down = false

	apply(t, d, "192.0.2.7/32")
	a.takes("HostSNI(`*`) && (ClientIP(`192.0.2.7`))", "disabled", "EntryPoint doesn't exist")
	wantHeld(t, d)
	err = d.Apply(t.Context(), enforce.Diff{Want: prefixes("192.0.2.7/32")})
	if !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "EntryPoint doesn't exist") {
		t.Errorf("a router that is not enabled: %v, want that, and its reason", err)
	}
}

func TestARouterThatIsNotOnItsEntryPointHoldsNobody(t *testing.T) {
	a := &api{}
	c := config.Traefik{File: filepath.Join(t.TempDir(), "edgeban.yml"), TCP: []string{"smtp", "submission", "sieve"}, API: "http://127.0.0.1:8080"}
	d := New(c, "", a, quietLog)
	apply(t, d, "192.0.2.7/32")
	a.takes("HostSNI(`*`) && (ClientIP(`192.0.2.7`))", "enabled")
	wantHeld(t, d)
	if err := d.Apply(t.Context(), enforce.Diff{Want: prefixes("192.0.2.7/32")}); err == nil || !strings.Contains(err.Error(), "sieve") {
		t.Errorf("got %v, want the entry point that is missing", err)
	}
}

// pair writes a new certificate of its own and its key.
func pair(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err1 := x509.CreateCertificate(crand.Reader, c, c, private.Public(), private)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(private)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		err1, err2,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTheDocumentIsServedOverTLSByTheCertificateOfNow(t *testing.T) {
	dir := t.TempDir()
	c := ports("")
	c.Listen, c.Token = "127.0.0.1:0", config.NewSecret("a long word")
	c.Cert, c.Key = pair(t, dir, "first.example")
	d := New(c, dir, nil, quietLog)
	apply(t, d, "192.0.2.7/32")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	get := func(name string) (int, error) {
		text, err := os.ReadFile(c.Cert)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(text)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}}
		r := httptest.NewRequest(http.MethodGet, "https://"+ln.Addr().String()+"/", nil)
		r.RequestURI = ""
		r.Header.Set("Authorization", "Bearer a long word")
		resp, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return resp.StatusCode, nil
	}
	if code, err := get("first.example"); code != 200 {
		t.Errorf("%d, %v", code, err)
	}
	pair(t, dir, "second.example") // it is renewed, and nobody tells us
	if code, err := get("second.example"); code != 200 {
		t.Errorf("after it was renewed: %d, %v", code, err)
	}
	if resp, err := http.Get("http://" + ln.Addr().String() + "/"); err == nil && resp.StatusCode == 200 {
		t.Error("it is served in clear as well")
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
