package traefik

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
)

// What is here runs against the real Traefik whose path EDGEBAN_TRAEFIK names.
// Clients are addresses of loopback.
const (
	bad  = "127.0.0.2"
	good = "127.0.0.3"
)

// A lab is a Traefik with an entry point of each sort, and a backend behind each.
type lab struct {
	dir    string
	port   map[string]string // host:port of entry points
	config config.Traefik
	stop   func()
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("EDGEBAN_TRAEFIK") == "" {
		t.Skip("EDGEBAN_TRAEFIK names no Traefik")
	}
	l := &lab{dir: t.TempDir(), port: map[string]string{}}
	for _, name := range []string{"smtp", "submission", "imaps", "web", "websecure", "traefik", "ours"} {
		l.port[name] = free(t, l.port)
	}
	l.config = config.Traefik{
		TCP: []string{"smtp", "submission"}, TLS: []string{"imaps"}, HTTP: []string{"web"}, HTTPS: []string{"websecure"},
		File: filepath.Join(l.dir, "dynamic", "edgeban.yml"), API: "http://" + l.port["traefik"],
	}
	mail := backend(t, nil)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") }))
	t.Cleanup(web.Close)
	imap := backend(t, httptest.NewUnstartedServer(nil))
	l.write(t, "dynamic/main.yml", fmt.Sprintf(`
tcp:
  routers:
    smtp: {entryPoints: [smtp, submission], rule: "HostSNI(`+"`*`"+`)", service: mail}
    imaps: {entryPoints: [imaps], rule: "HostSNI(`+"`*`"+`)", service: imap, tls: {passthrough: true}}
  services:
    mail: {loadBalancer: {servers: [{address: %q}]}}
    imap: {loadBalancer: {servers: [{address: %q}]}}
http:
  routers:
    web: {entryPoints: [web], rule: "PathPrefix(`+"`/`"+`)", service: web}
    websecure: {entryPoints: [websecure], rule: "PathPrefix(`+"`/`"+`)", service: web, tls: {}}
  services:
    web: {loadBalancer: {servers: [{url: %q}]}}
`, mail, imap, web.URL))
	return l
}

// free returns an address of loopback on which nobody listens, and none of those taken. No
// connection that somebody makes meanwhile comes from its port: Linux takes 32768 and above
// for these.
func free(t *testing.T, taken map[string]string) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue
		}
		ln.Close()
		if at := ln.Addr().String(); !slices.Contains(slices.Collect(maps.Values(taken)), at) {
			return at
		}
	}
	t.Fatal("no port is free")
	return ""
}

// backend greets first, as mail servers do, and echoes then; with tls it does so
// inside.
func backend(t *testing.T, secure *httptest.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if secure != nil {
		secure.StartTLS()
		t.Cleanup(secure.Close)
		ln = tls.NewListener(ln, &tls.Config{Certificates: secure.TLS.Certificates})
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "220 hello\r\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return addr
}

func (l *lab) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// start runs Traefik, with more of its configuration.
func (l *lab) start(t *testing.T, more string) {
	t.Helper()
	var points strings.Builder
	for _, name := range []string{"smtp", "submission", "imaps", "web", "websecure", "traefik"} {
		fmt.Fprintf(&points, "  %s: {address: %q}\n", name, l.port[name])
	}
	l.write(t, "traefik.yml", "global: {checkNewVersion: false, sendAnonymousUsage: false}\nlog: {level: ERROR}\napi: {insecure: true}\nentryPoints:\n"+points.String()+
		"providers:\n  providersThrottleDuration: 100ms\n  file: {directory: "+filepath.Join(l.dir, "dynamic")+", watch: true}\n"+more)
	cmd := exec.Command(os.Getenv("EDGEBAN_TRAEFIK"), "--configfile="+filepath.Join(l.dir, "traefik.yml"))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		l.stop = func() {}
	}
	t.Cleanup(func() { l.stop() })
	until(t, "Traefik to serve", func() bool { return l.serves("smtp", good) && l.serves("websecure", good) && l.serves("imaps", good) })
}

// until waits for a condition, and tells how long that was.
func until(t *testing.T, what string, done func() bool) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for began := time.Now(); ; {
		if done() {
			return time.Since(began)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func dialer(from string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
}

// serves reports whether a client is served at an entry point.
func (l *lab) serves(point, from string) bool { return l.fate(point, from) == "served" }

// fate is what becomes of a client at an entry point. That it hangs is what must
// never be.
func (l *lab) fate(point, from string) string {
	switch point {
	case "web", "websecure":
		return map[int]string{http.StatusOK: "served", http.StatusForbidden: "closed"}[l.status(point, from)]
	}
	c, err := dialer(from).Dial("tcp", l.port[point])
	if err != nil {
		return "refused"
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if point == "imaps" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "hangs"
	}
	if line == "220 hello\r\n" {
		return "served"
	}
	return "closed"
}

func (l *lab) status(point, from string) int {
	scheme := map[string]string{"web": "http", "websecure": "https"}[point]
	tr := &http.Transport{DialContext: dialer(from).DialContext, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Get(scheme + "://" + l.port[point] + "/login")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// wantFate looks at every entry point.
func (l *lab) wantFate(t *testing.T, from, want string) {
	t.Helper()
	for _, point := range []string{"smtp", "submission", "imaps", "web", "websecure"} {
		if got := l.fate(point, from); got != want {
			t.Errorf("%s at %s: %q, want %q", from, point, got, want)
		}
	}
}

func (l *lab) ban(t *testing.T, d *Door, words ...string) time.Duration {
	t.Helper()
	apply(t, d, words...)
	return until(t, "Traefik to hold them", func() bool { return slices.Equal(held(t, d), prefixes(words...)) })
}

func TestRealTraefikClosesTheDoorToOne(t *testing.T) {
	l := newLab(t)
	l.start(t, "")
	d := New(l.config, "", nil, quietLog)
	open, err := dialer(bad).Dial("tcp", l.port["smtp"]) // from before the ban
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	l.wantFate(t, bad, "served")
	apply(t, d)
	l.wantFate(t, bad, "served")
	took := l.ban(t, d, bad+"/32", "2001:db8:9::/64")
	t.Logf("held %v after it was written", took)
	l.wantFate(t, bad, "closed")
	l.wantFate(t, good, "served")

	fmt.Fprint(open, "NOOP\r\n")
	_ = open.SetDeadline(time.Now().Add(5 * time.Second))
	if text, err := bufio.NewReader(open).ReadString('N'); err != nil || !strings.HasPrefix(text, "220") {
		t.Logf("a connection from before does not go on: %q, %v", text, err)
	}

	l.stop()
	l.start(t, "")
	l.wantFate(t, bad, "closed") // no moment without the bans
	l.wantFate(t, good, "served")
	again := New(l.config, "", nil, quietLog) // ours is restarted
	until(t, "the bans to be found again", func() bool { return slices.Equal(held(t, again), prefixes(bad+"/32", "2001:db8:9::/64")) })

	l.ban(t, d, "2001:db8:9::/64")
	l.wantFate(t, bad, "served")
	l.ban(t, d)
	l.wantFate(t, bad, "served")
}

func TestRealTraefikTellsOfWhatIsWrong(t *testing.T) {
	l := newLab(t)
	l.start(t, "")
	l.config.TCP = append(l.config.TCP, "sieve")
	d := New(l.config, "", nil, quietLog)
	apply(t, d, bad+"/32")
	until(t, "Traefik's reason", func() bool {
		if got := held(t, d); len(got) > 0 {
			t.Fatalf("held %v, and an entry point is missing", got)
		}
		err := d.Apply(t.Context(), enforce.Diff{Want: prefixes(bad + "/32")})
		return err != nil && strings.Contains(err.Error(), "sieve")
	})
	for _, f := range d.Check(t.Context()) {
		t.Logf("%+v", f)
	}
	l.wantFate(t, good, "served") // and no port hangs for it

	// What one address that Traefik cannot read does, if it came through.
	l.config.TCP = l.config.TCP[:2]
	d = New(l.config, "", nil, quietLog)
	l.ban(t, d, bad+"/32")
	broken := strings.ReplaceAll(read(t, d.path), "ClientIP(`127.0.0.2`)", "ClientIP(`127.0.0.2`) || ClientIP(`127.0.0.256`)")
	l.write(t, "dynamic/edgeban.yml", broken)
	until(t, "Traefik to drop the routers", func() bool { return l.serves("smtp", bad) })
	if got := held(t, d); len(got) > 0 {
		t.Errorf("held %v, and the routers are void", got)
	}
	l.ban(t, d, bad+"/32") // it is mended by the next look
	l.wantFate(t, bad, "closed")
}

func TestRealTraefikAsksOurEndpoint(t *testing.T) {
	l := newLab(t)
	state := t.TempDir()
	l.config.File, l.config.Listen, l.config.Token = "", l.port["ours"], config.NewSecret("a long word")
	d := New(l.config, state, nil, quietLog)
	run := func() (stop func()) {
		ln, err := net.Listen("tcp", d.Addr())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- d.Serve(ctx, ln) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run()
	l.start(t, "  http: {endpoint: \"http://"+l.port["ours"]+"/\", pollInterval: 200ms, headers: {Authorization: Bearer a long word}}\n")
	l.ban(t, d, bad+"/32")
	l.wantFate(t, bad, "closed")
	l.wantFate(t, good, "served")

	stop() // the endpoint is down: Traefik keeps what it has
	l.wantFate(t, bad, "closed")
	d = New(l.config, state, nil, quietLog) // and comes back with what it served
	defer func() { stop() }()
	stop = run()
	until(t, "Traefik to come back", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return !d.fetched.at.IsZero() })
	l.wantFate(t, bad, "closed")
	l.ban(t, d)
	l.wantFate(t, bad, "served")
}

func TestRealTraefikTakesAsManyAsItIsGiven(t *testing.T) {
	l := newLab(t)
	l.start(t, "")
	d := New(l.config, "", nil, quietLog)
	words := []string{bad + "/32"}
	a := netip.MustParseAddr("198.18.0.1")
	for range room - 1 {
		words = append(words, a.String()+"/32")
		a = a.Next().Next() // no two of which are one network
	}
	t.Logf("%d held after %v", room, l.ban(t, d, words...))
	l.wantFate(t, bad, "closed")
	l.wantFate(t, good, "served")
	began := time.Now()
	for range 100 {
		l.serves("smtp", good)
	}
	t.Logf("a connection takes %v with them", time.Since(began)/100)
}
