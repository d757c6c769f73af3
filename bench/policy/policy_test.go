// Package policy measures how long Dovecot and Postfix wait for edgeban's answers,
// with the daemon in a process of its own. See bench/README.md.
package policy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite"
	"github.com/edgeban/edgeban/internal/web"
)

const (
	rate     = 2000 // logins a second
	clients  = 100  // connections at most: Dovecot's max_parallel_connections, Postfix's default_process_limit
	standing = 5000
	secret   = "the-secret-of-dovecot"
	patience = time.Minute
)

// A site is edgeban in a process of its own, with bans that stand.
type site struct {
	dovecot, postfix string
	pid              int
}

func free(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newSite(b *testing.B) site {
	b.Helper()
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // short, for the socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	s := site{dovecot: free(b), postfix: free(b)}
	yaml := fmt.Sprintf(`state: state
socket: s
budget: {per_minute: 100000, entries: 500000}
targets:
  - dovecot: {listen: %q, token: %s}
  - postfix: {listen: %q}
jails:
  reports: {filter: dovecot, source: dovecot, reset_on_success: yes, known_good: 7d}
`, s.dovecot, secret, s.postfix)
	state, path := filepath.Join(dir, "state"), filepath.Join(dir, "edgeban.yaml")
	if err := errors.Join(os.WriteFile(path, []byte(yaml), 0o600), os.Mkdir(state, 0o700)); err != nil {
		b.Fatal(err)
	}
	impose(b, filepath.Join(state, "ledger.db"))
	binary := filepath.Join(dir, "edgeban")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/edgeban").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	s.pid = run(b, exec.Command(binary, "run", "--config", path))
	client := web.NewClient(filepath.Join(dir, "s"))
	await(b, func() bool {
		st, err := client.Status(context.Background())
		return err == nil && len(st.Targets) == 2 && st.Targets[0].Held == standing && st.Targets[1].Held == standing
	})
	return s
}

// impose bans as many as stand.
func impose(b *testing.B, path string) {
	b.Helper()
	store, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	var all []edgeban.Verdict
	for i := range standing {
		a := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		all = append(all, edgeban.Verdict{Ban: edgeban.Ban{
			Key: edgeban.Key{Jail: "reports", Subject: netip.PrefixFrom(a, 32)}, Addr: a,
			Since: time.Now(), Until: time.Now().Add(24 * time.Hour), Failures: 5, Nth: 1, Cause: edgeban.Seq(i + 1),
		}})
	}
	if err := store.Impose(context.Background(), all...); err != nil {
		b.Fatal(err)
	}
}

// run runs a process until the end of the benchmark.
func run(b *testing.B, cmd *exec.Cmd) (pid int) {
	b.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); b.Failed() {
			b.Logf("%v\n%s", err, &out)
		}
	})
	return cmd.Process.Pid
}

// spent returns what a process has had of the processors.
func spent(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields, ticks := strings.Fields(rest), 0
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func await(b *testing.B, ok func() bool) {
	b.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			b.Fatal("it is not ready")
		}
	}
}

// A conn is a connection on which one request follows the other.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	return &conn{c, bufio.NewReader(c)}, err
}

// post sends what Dovecot does, and reads the answer.
func (c *conn) post(command, body string) error {
	_, err := fmt.Fprintf(c, "POST /policy?command=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		command, c.RemoteAddr(), secret, len(body), body)
	if err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(line, "HTTP/1.1 200"):
			return fmt.Errorf("answer %q", line)
		case line == "\r\n":
			_, err := c.r.Discard(length)
			return err
		}
		if name, value, _ := strings.Cut(line, ": "); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
}

// times are how long answers took, and by how much requests were sent too late: that
// is this program's and the machine's, not the daemon's.
type times struct {
	mu         sync.Mutex
	took, late []time.Duration
}

func (t *times) add(took, late []time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took, t.late = append(t.took, took...), append(t.late, late...)
}

// offer has n logins happen, evenly spaced however long the answers take. Each is made
// on a connection that is free, as Dovecot does; ask calls its argument around each
// question.
func offer(b *testing.B, n int, addr string, ask func(c *conn, i int, timed func(func() error) error) error) *times {
	b.Helper()
	type turn struct {
		i  int
		at time.Time
	}
	turns, all := make(chan turn, n), &times{}
	var done sync.WaitGroup
	for range clients {
		c, err := dial(addr)
		if err != nil {
			b.Fatal(err)
		}
		done.Go(func() {
			defer c.Close()
			var took, late []time.Duration
			for t := range turns {
				late = append(late, time.Since(t.at))
				err := ask(c, t.i, func(f func() error) error {
					began := time.Now()
					err := f()
					took = append(took, time.Since(began))
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
			all.add(took, late)
		})
	}
	began := time.Now()
	for i := range n {
		at := began.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(at))
		turns <- turn{i, at}
	}
	close(turns)
	done.Wait()
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "logins/s")
	return all
}

func (t *times) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	ms := func(ds []time.Duration, share float64) float64 {
		if len(ds) == 0 {
			return 0
		}
		slices.Sort(ds)
		return float64(ds[min(int(share*float64(len(ds))), len(ds)-1)]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(t.took, 0.5), "median-ms")
	b.ReportMetric(ms(t.took, 0.99), "p99-ms")
	b.ReportMetric(ms(t.took, 1), "max-ms")
	b.ReportMetric(ms(t.late, 0.99), "p99-late-ms")
}

// login is the ith login: nine of ten succeed, of users at many addresses.
func login(i int) string {
	return fmt.Sprintf(`{"device_id":"","login":"user%d@example.com","protocol":"imap","pwhash":"%03x","remote":"203.0.%d.%d","session_id":"p5K8O9xgC9PLAHHA","success":%v,"policy_reject":false,"tls":true}`,
		i%500, i&0xfff, i>>8&127, i&255, i%10 > 0)
}

func askDovecot(c *conn, i int, timed func(func() error) error) error {
	body := login(i)
	for _, command := range []string{"allow", "allow", "report"} {
		if err := timed(func() error { return c.post(command, body) }); err != nil {
			return err
		}
	}
	return nil
}

func askPostfix(c *conn, i int, timed func(func() error) error) error {
	text := fmt.Sprintf("request=smtpd_access_policy\nprotocol_state=CONNECT\nprotocol_name=ESMTP\nclient_address=203.0.%d.%d\nclient_name=unknown\nreverse_client_name=unknown\ninstance=1.2.%d.0\n\n", i>>8&127, i&255, i)
	return timed(func() error {
		if _, err := io.WriteString(c, text); err != nil {
			return err
		}
		for range 2 {
			if _, err := c.r.ReadString('\n'); err != nil {
				return err
			}
		}
		return nil
	})
}

// Dovecot's and Postfix's questions, at 2,000 logins a second each.
func BenchmarkPolicy(b *testing.B) {
	for _, c := range []struct {
		name string
		addr func(site) string
		ask  func(*conn, int, func(func() error) error) error
	}{
		{"dovecot", func(s site) string { return s.dovecot }, askDovecot},
		{"postfix", func(s site) string { return s.postfix }, askPostfix},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSite(b)
			before, n := spent(b, s.pid), loops(b)
			offer(b, n, c.addr(s), c.ask).report(b)
			b.ReportMetric(float64((spent(b, s.pid)-before).Microseconds())/float64(n), "cpu-µs/login")
		})
	}
}

// loops is how often, for a loop that is not b's own.
func loops(b *testing.B) (n int) {
	for b.Loop() {
		n++
	}
	return n
}

const childEnv = "EDGEBAN_BENCH_NOTHING"

// BenchmarkNothing is the same with a server that does nothing, in a process of its
// own: what the machine takes.
func BenchmarkNothing(b *testing.B) {
	s := site{dovecot: free(b)}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(cmd.Environ(), childEnv+"="+s.dovecot)
	pid := run(b, cmd)
	await(b, func() bool {
		c, err := net.Dial("tcp", s.dovecot)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	before, n := spent(b, pid), loops(b)
	offer(b, n, s.dovecot, askDovecot).report(b)
	b.ReportMetric(float64((spent(b, pid)-before).Microseconds())/float64(n), "cpu-µs/login")
}

func TestMain(m *testing.M) {
	if addr := os.Getenv(childEnv); addr != "" {
		err := http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // of loopback
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"status":0,"msg":""}`+"\n")
		}))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
