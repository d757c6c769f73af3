package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// screen is what a person sees; it says when the last line of the greeting is there.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(b)
	if strings.Contains(string(b), "help lists them") {
		close(s.ready)
	}
	return n, err
}

// What is printed is enough to reach the API with a key from a file, and to send
// a packet.
func TestWhatIsPrintedWorks(t *testing.T) {
	dir, out := t.TempDir(), &screen{ready: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- run(ctx, []string{"-dir", dir, "-ready", "-latency=false"}, strings.NewReader(""), out)
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	<-out.ready
	urls := regexp.MustCompile(`https?://127[^/\s]+`).FindAllString(out.text.String(), 2)
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()

	file, _ := os.ReadFile(filepath.Join(dir, "edgeban.txt"))
	words := regexp.MustCompile(`key=(\S+)\nsecret=(\S+)\n`).FindStringSubmatch(string(file))
	if len(words) != 3 || strings.Contains(out.text.String(), words[2]) {
		t.Fatalf("the file of the key is %d bytes, or its secret was printed:\n%s", len(file), out.text.String())
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", urls[0]+"/api/firewall/alias_util/add/"+opnsensetest.AliasName, strings.NewReader(`{"address":"203.0.113.5"}`))
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(words[1], words[2])
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != `{"status":"done"}` {
		t.Errorf("add: %s", body)
	}
	controlled, err := http.Post(regexp.MustCompile(`control:\s+(\S+)`).FindStringSubmatch(out.text.String())[1], "text/plain", strings.NewReader("packet 203.0.113.5 wan"))
	if err != nil {
		t.Fatal(err)
	}
	defer controlled.Body.Close()
	if body, _ := io.ReadAll(controlled.Body); string(body) != "blocked by the rule \"bans\"\n" {
		t.Errorf("packet: %s", body)
	}
}

func TestCommandsDoWhatTheySay(t *testing.T) {
	f := opnsensetest.New(opnsensetest.Options{})
	for _, step := range []struct{ line, want string }{
		{"packet 192.168.1.5 lan 192.0.2.1:443", `passed by the rule "Default allow LAN to any rule"`},
		{"packet 192.168.1.5 lan 192.0.2.1:443", "passed by a state"},
		{"states", "192.168.1.5:0 to 192.0.2.1:443"},
		{"insert fail2ban_blocklist 203.0.113.5", "1 entries\n203.0.113.5\n"},
		{"reboot", "done"},
		{"table fail2ban_blocklist", "0 entries\n"},
		{"packet 192.168.1.5 wlan", "there is no interface"},
		{"packet nonsense lan", "unable to parse"},
		{"packet 192.168.1.5 lan 192.0.2.1:99999", "out of range"},
		{"table nosuch", "no table"},
		{"fail nosuch", "no fault"},
		{"slow soon", "invalid duration"},
		{"dance", "help lists what there is"},
		{"rules", "anti-lockout rule"},
		{"", ""},
	} {
		got, err := execute(f, step.line)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, step.want) {
			t.Errorf("%q says %q, want %q in it", step.line, got, step.want)
		}
	}
}
