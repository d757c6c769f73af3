// Package state measures the built edgeban with much to remember: how soon it is
// ready, how fast it answers, what it holds in memory. See bench/README.md.
package state

import (
	"bytes"
	"context"
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
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/store/sqlite"
	"github.com/edgeban/edgeban/internal/web"
)

// patience is how long anything may take at all.
const patience = 5 * time.Minute

// A site is a folder with a configuration and logs, and a firewall beside it.
type site struct {
	*testing.B
	dir, binary string
	firewall    *opnsensetest.Firewall
	added       chan netip.Prefix // to the firewall
	url         string            // of the firewall
	feed        string            // its address
	client      *web.Client
	cmd         *exec.Cmd
	ended       chan error
	out         bytes.Buffer
}

func newSite(b *testing.B, jails string) *site {
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // short, for the socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{B: b, dir: dir, binary: filepath.Join(dir, "edgeban"), added: make(chan netip.Prefix, 100)}
	s.firewall = opnsensetest.New(opnsensetest.Options{OnAdd: func(_ string, p netip.Prefix) { s.added <- p }})
	s.client = web.NewClient(filepath.Join(dir, "s"))
	if out, err := exec.Command("go", "build", "-o", s.binary, "../../cmd/edgeban").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	if s.url, err = s.firewall.ListenTLS(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.firewall.Close() })
	pin, err := s.firewall.Pin()
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // finds a free port
	if err != nil {
		b.Fatal(err)
	}
	s.feed = l.Addr().String()
	l.Close()
	s.write("edgeban.yaml", fmt.Sprintf(`state: state
socket: s
budget: {per_minute: 100000, entries: 500000}
targets:
  - name: edge
    opnsense: {url: %s, pin: "%s", key: %s, secret: %s, alias: %s}
  - name: feed
    feed: {listen: %s}
jails:
%s`, s.url, pin, opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName, s.feed, jails))
	return s
}

func (s *site) write(name, text string) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		s.Fatal(err)
	}
}

// start runs the daemon; the caller stops it.
func (s *site) start() {
	s.cmd = exec.Command(s.binary, "run", "--config", filepath.Join(s.dir, "edgeban.yaml"))
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func(cmd *exec.Cmd) { s.ended <- cmd.Wait() }(s.cmd)
	s.Cleanup(func() { _ = s.cmd.Process.Kill() })
}

func (s *site) stop() {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		s.Fatalf("run: %v\n%s", err, &s.out)
	}
}

// until waits for a condition.
func (s *site) until(what string, every time.Duration, ok func() bool) {
	s.Helper()
	for began := time.Now(); !ok(); {
		if time.Since(began) > patience {
			s.Fatalf("after %s, not: %s\n%s", patience, what, &s.out)
		}
		select {
		case err := <-s.ended:
			s.Fatalf("run: %v\n%s", err, &s.out)
		case <-time.After(every):
		}
	}
}

// equal waits until every target was looked at and holds so many bans.
func (s *site) equal(bans int) {
	s.Helper()
	s.until("every target holds the bans", 200*time.Millisecond, func() bool {
		st, err := s.client.Status(context.Background())
		for _, t := range st.Targets {
			if t.Looked.IsZero() || t.Held != bans || t.Error != "" {
				return false
			}
		}
		return err == nil
	})
}

// megabytes returns what /proc says of the daemon's memory: now, and at most.
func (s *site) megabytes() (now, most float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.Fatal(err)
	}
	field := func(name string) float64 {
		_, rest, _ := strings.Cut(string(text), name+":")
		kb, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			s.Fatal(err)
		}
		return float64(kb) / 1024
	}
	return field("VmRSS"), field("VmHWM")
}

func (s *site) reportMemory() {
	now, most := s.megabytes()
	s.ReportMetric(now, "RSS-MB")
	s.ReportMetric(most, "most-MB")
}

// took returns in milliseconds how long f takes, the best of three.
func (s *site) took(f func() error) float64 {
	s.Helper()
	best := patience
	for range 3 {
		began := time.Now()
		if err := f(); err != nil {
			s.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	return float64(best) / float64(time.Millisecond)
}

// fill writes a ledger of bans, each with the lines that led to it, that the
// firewall holds already. It is written in memory, because each ban waits for
// the disk.
func (s *site) fill(bans int) {
	now, ctx := time.Now(), context.Background()
	aside, err := os.MkdirTemp("/dev/shm", "eb")
	if err != nil {
		s.Fatal(err)
	}
	defer os.RemoveAll(aside)
	store, err := sqlite.Open(filepath.Join(aside, "ledger.db"), sqlite.Options{Now: now})
	if err != nil {
		s.Fatal(err)
	}
	var held []edgeban.Held
	for from := 0; from < bans; from += fillStep {
		s.fillSome(store, from, min(from+fillStep, bans), now)
	}
	for i := range bans {
		p := netip.PrefixFrom(address(i), address(i).BitLen())
		held = append(held, edgeban.Held{Subject: p, Target: s.url + " " + opnsensetest.AliasName, Sent: now, Held: now})
		s.firewall.Insert(opnsensetest.AliasName, address(i).String())
	}
	if err := store.Note(ctx, held, nil); err != nil {
		s.Fatal(err)
	}
	if err := store.Close(); err != nil {
		s.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(s.dir, "state"), os.DirFS(aside)); err != nil {
		s.Fatal(err)
	}
}

const (
	fillStep  = 500 // bans that are decided together
	fillLines = 5   // of each
)

// fillSome writes the bans from from to to, an hour ago.
func (s *site) fillSome(store *sqlite.Store, from, to int, now time.Time) {
	ctx := context.Background()
	lines := edgeban.Batch{Source: "file", Stream: "log", From: fmt.Sprint(from), To: fmt.Sprint(to), Read: now}
	for i := from; i < to; i++ {
		a := address(i)
		for n := range fillLines {
			lines.Matches = append(lines.Matches, edgeban.Match{
				ID: fmt.Sprintf("dovecot:%d", fillLines*i+n), Jail: "dovecot", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, a.BitLen()), Count: 1,
				Time: now.Add(-time.Hour), User: "root", Text: failure(a),
			})
		}
	}
	if err := store.Record(ctx, lines); err != nil {
		s.Fatal(err)
	}
	head, _, err := store.Head(ctx)
	if err != nil {
		s.Fatal(err)
	}
	var decided []edgeban.Verdict
	for i := from; i < to; i++ {
		a := address(i)
		decided = append(decided, edgeban.Verdict{Ban: edgeban.Ban{
			Key: edgeban.Key{Jail: "dovecot", Subject: netip.PrefixFrom(a, a.BitLen())}, Since: now.Add(-time.Hour), Until: now.Add(24 * time.Hour),
			Addr: a, Failures: fillLines, Nth: 1, Cause: head - edgeban.Seq(fillLines*(to-1-i)), Reason: "5 failures in 2m",
		}})
	}
	if err := store.Impose(ctx, decided...); err != nil {
		s.Fatal(err)
	}
}

// address returns one of many addresses, of which 250 are of one network.
func address(i int) netip.Addr {
	n := i / 250
	return netip.AddrFrom4([4]byte{byte(20 + n>>16), byte(n >> 8), byte(n), byte(1 + i%250)})
}

func failure(a netip.Addr) string {
	return fmt.Sprintf("%s auth: Info: passwd-file(root,%s,<s>): Password mismatch", time.Now().Format("Jan _2 15:04:05"), a)
}

// fetch reads the feed.
func (s *site) fetch(bans int) error {
	res, err := http.Get("http://" + s.feed + "/bans.txt")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if n := bytes.Count(text, []byte("\n")); err == nil && n != bans {
		err = fmt.Errorf("the feed has %d entries, want %d", n, bans)
	}
	return err
}

// command runs a command of edgeban, as a person does.
func (s *site) command(args ...string) error {
	cmd := exec.Command(s.binary, append(args, "--socket", filepath.Join(s.dir, "s"))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// rest is how long nothing happens but looks at the targets, two of each.
const rest = 110 * time.Second

// BenchmarkStanding starts the daemon with 100,000 bans that stand, and that the
// firewall and the feed hold. Each op is one start, until both were found to hold
// all; then it is asked what people ask.
func BenchmarkStanding(b *testing.B) {
	const bans = 100_000
	s := newSite(b, "  dovecot: {logpath: dovecot.log}\n")
	s.write("dovecot.log", "")
	s.fill(bans)
	s.start() // the first time the feed is filled, and what is held is learnt
	s.equal(bans)
	now, most := s.megabytes()
	b.Logf("the first time: %.0f MB, at most %.0f MB", now, most)
	<-time.After(15 * time.Second) // until it is written down how far the jail is
	s.stop()
	p := netip.PrefixFrom(address(bans/2), 32)
	for b.Loop() {
		began := time.Now()
		s.start()
		s.equal(bans)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
		s.reportMemory()
		<-time.After(rest)
		now, _ = s.megabytes()
		b.ReportMetric(now, "rest-MB")
		b.ReportMetric(s.took(func() error { return s.fetch(bans) }), "feed-ms")
		ctx := context.Background()
		b.ReportMetric(s.took(func() error { _, err := s.client.Why(ctx, p); return err }), "why-api-ms")
		b.ReportMetric(s.took(func() error { _, err := s.client.Status(ctx); return err }), "status-api-ms")
		b.ReportMetric(s.took(func() error { _, err := s.client.Bans(ctx); return err }), "bans-api-ms")
		b.ReportMetric(s.took(func() error { return s.command("why", p.Addr().String()) }), "why-ms")
		b.ReportMetric(s.took(func() error { return s.command("status") }), "status-ms")
		b.ReportMetric(s.took(func() error { return s.command("bans") }), "bans-ms")
		<-time.After(10 * time.Second)
		now, most = s.megabytes()
		b.ReportMetric(now, "later-MB")
		b.ReportMetric(most, "most-MB")
		s.stop()
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCounting has the daemon read a log in which a million addresses fail
// once each, and measures how long an attacker that comes then goes on until the
// firewall has it, while the jails are written down every so often. Each op is one
// attacker.
func BenchmarkCounting(b *testing.B) {
	b.Run("1jail", func(b *testing.B) { counting(b, 1) })
	b.Run("2jails", func(b *testing.B) { counting(b, 2) })
}

func counting(b *testing.B, jails int) {
	const many = 1_000_000
	var yaml strings.Builder
	for i := range jails {
		fmt.Fprintf(&yaml, "  dovecot%d: {filter: dovecot, logpath: dovecot.log, findtime: 1d}\n", i)
	}
	s := newSite(b, yaml.String())
	s.write("dovecot.log", "")
	s.start()
	s.equal(0)
	began := time.Now()
	var log strings.Builder
	for i := range many {
		log.WriteString(failure(address(i)) + "\n")
	}
	s.write("dovecot.log", log.String())
	s.until("all are counted", 200*time.Millisecond, func() bool {
		st, err := s.client.Status(context.Background())
		for _, j := range st.Jails {
			if j.Counting != many {
				return false
			}
		}
		return err == nil
	})
	read := time.Since(began)
	var took []time.Duration
	for b.Loop() {
		<-time.After(100 * time.Millisecond) // they are that far apart
		took = append(took, s.attack(many+len(took)))
	}
	b.ReportMetric(read.Seconds(), "read-s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/float64(time.Millisecond), "median-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/float64(time.Millisecond), "p99-ms")
	b.ReportMetric(float64(took[len(took)-1])/float64(time.Millisecond), "max-ms")
	b.ReportMetric(0, "ns/op")
	s.reportMemory()
	began = time.Now()
	s.stop()
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "stop-ms")
}

// attack has an address fail as often as it takes, and returns how long it takes
// for the firewall to be told.
func (s *site) attack(i int) time.Duration {
	s.Helper()
	line := failure(address(i)) + "\n"
	began := time.Now()
	s.write("dovecot.log", strings.Repeat(line, 5))
	for {
		select {
		case p := <-s.added:
			if p.Addr() == address(i) {
				return time.Since(began)
			}
		case <-time.After(patience):
			s.Fatalf("%s is not banned\n%s", address(i), &s.out)
		}
	}
}
