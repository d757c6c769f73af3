package daemon_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/store/sqlite"
	"github.com/edgeban/edgeban/internal/web"
)

// What the crash test is told by its environment.
const (
	killsEnv = "EDGEBAN_KILLS"       // how often the daemon is killed; 25 unless said
	seedEnv  = "EDGEBAN_SEED"        // repeats a run as far as the scheduler allows
	childEnv = "EDGEBAN_CRASH_CHILD" // the configuration of the child that is killed
)

// TestKilledAtAnyMomentLosesAndDoublesNothing runs the daemon in a process that
// is killed again and again while its logs are written and rotated, the firewall
// goes away and answers get lost. In the end each failing line was counted once;
// who failed too often is banned once, in the ledger and at the firewall alike,
// and nobody else is; and each ban was told, a second time only if the daemon
// could not know that the first had arrived.
func TestKilledAtAnyMomentLosesAndDoublesNothing(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		besieged(t, path)
		return
	}
	kills, seed := number(t, killsEnv, 25), number(t, seedEnv, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d %s=%d", killsEnv, kills, seedEnv, seed)
	s := newSiege(t, seed)
	over := make(chan struct{})
	var last *exec.Cmd
	go func() {
		defer close(over)
		s.killDaemons(int(kills), rand.New(rand.NewPCG(seed, 2)))
		if s.Context().Err() == nil { // else the test has failed, and says why
			last = s.begin() // who rotates may be waiting for it
		}
	}()
	t.Cleanup(func() { <-over })
	for going := true; going; {
		s.act()
		select {
		case <-over:
			going = false
		case <-time.After(time.Duration(s.rand.IntN(20)) * time.Millisecond):
		}
	}
	s.attackers = nil // the others give up
	s.firewall.Heal()
	s.ntfy.Fail(ntfytest.None, 0)
	s.end(last)
	last = s.begin()
	s.settle()
	s.end(last)
	if strings.Contains(s.out.String(), "DATA RACE") {
		t.Errorf("a race:\n%s", s.out)
	}
	s.judgeLedger()
	s.judgeMessages()
}

// besieged is the child: a daemon, until it is killed or its parent is gone.
func besieged(t *testing.T, path string) {
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := daemon.Run(ctx, daemon.Options{Config: c, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Version: "test"}); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, env string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

// A siege is a site whose daemon is killed. Only the test's goroutine writes logs.
type siege struct {
	*site
	rand    *rand.Rand
	foreign []string
	moment  chan struct{} // taken by who waits for a good moment to kill

	attackers []attacker           // who have something left to do
	met       int                  // attackers so far
	written   map[netip.Prefix]int // failing lines, by subject
	open      []netip.Prefix       // subjects whose lines were not all seen in the ledger yet
	known     map[string]bool      // logs of which something was seen in the ledger

	mu       sync.Mutex // guards what follows
	messages []published
	told     map[netip.Prefix]bool
	ends     []time.Time // of the daemons, one after the other
}

// An attacker fails some more times.
type attacker struct {
	subject netip.Prefix
	left    int
}

// A published message.
type published struct {
	life  int // which daemon's
	about []netip.Prefix
	at    time.Time // when it was answered
	lost  bool      // its answer was
}

const (
	maxRetry = 5
	unheard  = 6                       // bans that may wait to be told: a message names 20, and what is unsure is told again
	surely   = 1500 * time.Millisecond // the longest time from an answer of ntfy to its note in the ledger
)

func newSiege(t *testing.T, seed uint64) *siege {
	s := &siege{
		site: newSite(t), rand: rand.New(rand.NewPCG(seed, 1)),
		moment:  make(chan struct{}),
		foreign: []string{"192.0.2.200/32", "192.0.2.208/28", "2001:db8:ffff::/48"},
		written: map[netip.Prefix]int{}, known: map[string]bool{}, told: map[netip.Prefix]bool{},
	}
	s.firewall.Insert(opnsensetest.AliasName, s.foreign...)
	c, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	s.client = web.NewClient(c.Socket)
	return s
}

var ntfyURL = regexp.MustCompile(`ntfy: \{url: [^,]+`)

// begin starts the daemon in a process of its own. Its ntfy has a port of its own,
// which says whose message it was however late it arrives.
func (s *siege) begin() *exec.Cmd {
	s.mu.Lock()
	life := len(s.ends)
	s.mu.Unlock()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.publish(life, w, r) }))
	s.Cleanup(srv.Close)
	path := filepath.Join(s.dir, "child.yaml")
	text := ntfyURL.ReplaceAllString(s.yaml, "ntfy: {url: "+srv.URL)
	cmd := exec.CommandContext(s.Context(), os.Args[0], "-test.run=^TestKilledAtAnyMomentLosesAndDoublesNothing$", "-test.timeout=0")
	cmd.Env = append(cmd.Environ(), childEnv+"="+path)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	_, err := cmd.StdinPipe() // the child ends with us
	if err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600)); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		panic(err)
	}
	s.mark(life, "begins")
	return cmd
}

// bury waits for the end of a daemon.
func (s *siege) bury(cmd *exec.Cmd) error {
	err := cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark(len(s.ends), fmt.Sprint("ended: ", cmd.ProcessState))
	s.ends = append(s.ends, time.Now())
	return err
}

// mark tells the daemons apart in their log.
func (s *siege) mark(life int, what string) {
	fmt.Fprintf(s.out, "%s --- daemon %d %s\n", time.Now().Format(time.RFC3339Nano), life, what)
}

// end stops a daemon as a service manager does.
func (s *siege) end(cmd *exec.Cmd) {
	s.Helper()
	s.until("the daemon is up", func() bool {
		_, err := s.client.Status(s.Context())
		return err == nil
	})
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), s.bury(cmd)); err != nil {
		s.Errorf("the end of a daemon: %v\n%s", err, s.tail())
	}
}

// killDaemons starts a daemon and kills it, n times: while it starts, while it
// works, right after something worth a kill has happened, and some while they
// stop. Some are missed for a while.
func (s *siege) killDaemons(n int, r *rand.Rand) {
	wait := func(least, most time.Duration) {
		select {
		case <-s.Context().Done():
		case <-time.After(least + time.Duration(r.Int64N(int64(most-least)))):
		}
	}
	const ms = time.Millisecond
	for range n {
		if s.Context().Err() != nil {
			return
		}
		cmd := s.begin()
		switch r.IntN(8) {
		case 0:
			wait(2000*ms, 3000*ms) // longer than surely
		case 1, 2:
			wait(0, 200*ms)
		case 3, 4:
			wait(100*ms, 800*ms)
		default:
			wait(50*ms, 300*ms)
			select {
			case <-s.moment:
			case <-time.After(time.Second):
			}
			wait(0, 5*ms)
		}
		stopping := r.IntN(4) == 0
		if stopping {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			wait(0, 30*ms)
		}
		_ = cmd.Process.Kill() // or it has ended
		err := s.bury(cmd)
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() && (!stopping || err != nil) && s.Context().Err() == nil {
			s.Errorf("a daemon ended by itself: %v\n%s", err, s.tail())
		}
		if r.IntN(6) == 0 {
			wait(100*ms, 500*ms)
		}
	}
}

// now says that this is a good moment for a kill.
func (s *siege) now() {
	select {
	case s.moment <- struct{}{}:
	default:
	}
}

// tail is the end of what the daemons have logged.
func (s *siege) tail() string {
	text := s.out.String()
	return text[max(0, len(text)-8000):]
}

// publish is the ntfy of one of the daemons, each of which has limits of its own.
func (s *siege) publish(life int, w http.ResponseWriter, r *http.Request) {
	s.now()
	r.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(life >> 8), byte(life)}), 1).String()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.ntfy.Messages(topic))
	defer func() {
		failed := recover()
		for _, m := range s.ntfy.Messages(topic)[before:] {
			p := published{life, subjects(m.Title + " " + m.Message), time.Now(), failed != nil}
			s.messages = append(s.messages, p)
			for _, subject := range p.about {
				s.told[subject] = s.told[subject] || !p.lost
			}
			if len(p.about) == 0 || strings.Contains(m.Message, "… and ") {
				s.Errorf("a message about nobody, or about more than it names: %+v", m)
			}
		}
		if failed != nil {
			panic(failed)
		}
	}()
	s.ntfy.ServeHTTP(w, r)
}

// subjects returns the addresses and networks that a text names, each once.
func subjects(text string) (all []netip.Prefix) {
	for _, word := range strings.Fields(text) {
		word = strings.TrimRight(word, ",:;")
		p, err := netip.ParsePrefix(word)
		if a, e := netip.ParseAddr(word); e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err == nil && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// act does one thing that happens to a host.
func (s *siege) act() {
	log := s.log()
	switch n := s.rand.IntN(1000); {
	case n < 15:
		for range 1 + n%2 { // a daemon that is slow, or dead, sees the second only
			s.rename(log)
		}
	case n < 20:
		s.truncate(log)
	case n < 25:
		s.recreate(log)
	case n < 45:
		s.ntfy.Fail([]ntfytest.Fault{ntfytest.LostAnswer, ntfytest.LostAnswer, ntfytest.Down, ntfytest.Broken}[s.rand.IntN(4)], 1)
	case n < 65:
		faults := []opnsensetest.Fault{opnsensetest.Refused, opnsensetest.Hang, opnsensetest.ServerError, opnsensetest.BadGateway, opnsensetest.Half, opnsensetest.Lost}
		s.firewall.Fail(faults[s.rand.IntN(len(faults))], 1+s.rand.IntN(4))
	case n < 70:
		s.firewall.Reboot() // and its administrator restores what was theirs
		s.firewall.Insert(opnsensetest.AliasName, s.foreign...)
	default:
		s.writeSome(log, os.O_CREATE)
	}
}

func (s *siege) log() string {
	return filepath.Join(s.dir, []string{"a.log", "b.log", "c.log"}[s.rand.IntN(3)])
}

// writeSome appends some lines to a log, often cut in two.
func (s *siege) writeSome(path string, flag int) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|flag, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	s.writeTo(f)
}

func (s *siege) writeTo(f *os.File) {
	var text strings.Builder
	var who []netip.Prefix
	for range 1 + s.rand.IntN(5) {
		if s.rand.IntN(3) == 0 {
			fmt.Fprintf(&text, "%s auth: Debug: cache(%d): hit\n", time.Now().Format("Jan _2 15:04:05"), s.rand.Uint64())
			continue
		}
		subject := s.someone()
		text.WriteString(s.failure(subject) + "\n")
		who = append(who, subject)
	}
	whole := text.String()
	if cut := s.rand.IntN(4 * len(whole)); cut < len(whole) { // a line may be half there for a while
		_, err := f.WriteString(whole[:cut])
		s.must(err)
		s.pause(5)
		whole = whole[cut:]
	}
	_, err := f.WriteString(whole)
	s.must(err)
	for _, subject := range who {
		s.wrote(subject)
	}
}

// failure is a line in which a login from subject fails now.
func (s *siege) failure(subject netip.Prefix) string {
	addr := subject.Addr()
	if !subject.IsSingleIP() { // somewhere in the network
		b := addr.As16()
		b[15] = byte(1 + s.rand.IntN(3))
		addr = netip.AddrFrom16(b)
	}
	return failure(addr.String(), fmt.Sprint("user", s.rand.IntN(100)))
}

func (s *siege) wrote(subject netip.Prefix) {
	if s.written[subject]++; s.written[subject] == maxRetry {
		s.now()
	}
	if !slices.Contains(s.open, subject) {
		s.open = append(s.open, subject)
	}
}

// show waits until the ledger knows the log. Before that a file beside it is what
// was there before edgeban came, and never read.
func (s *siege) show(log string) {
	if s.known[log] {
		return
	}
	subject := s.subject(s.met)
	s.met++
	s.write(filepath.Base(log), s.failure(subject))
	s.wrote(subject)
	s.drain()
	s.known[log] = true
}

// someone picks who fails next.
func (s *siege) someone() netip.Prefix {
	if len(s.attackers) < 5 {
		left := 1 + s.rand.IntN(maxRetry-1) // not enough for a ban
		if s.waiting() < unheard && s.rand.IntN(2) == 0 {
			left = maxRetry + s.rand.IntN(4)
		}
		s.attackers = append(s.attackers, attacker{s.subject(s.met), left})
		s.met++
	}
	i := s.rand.IntN(len(s.attackers))
	a := &s.attackers[i]
	subject := a.subject
	if a.left--; a.left == 0 {
		s.attackers = slices.Delete(s.attackers, i, i+1)
	}
	return subject
}

// subject is what is banned for the ith attacker: an address, or a network.
func (s *siege) subject(i int) netip.Prefix {
	if i%2 == 0 && i < 1000 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i / 250), byte(1 + i%250)}), 32)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 8), byte(i)}), 64)
}

// waiting is how many bans there are or will be that nobody was told of yet.
func (s *siege) waiting() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	will := map[netip.Prefix]int{}
	for _, a := range s.attackers {
		will[a.subject] = a.left
	}
	for subject, lines := range s.written {
		if lines+will[subject] >= maxRetry && !s.told[subject] {
			n++
		}
	}
	return n
}

func (s *siege) pause(most int) {
	select {
	case <-s.Context().Done():
	case <-time.After(time.Duration(s.rand.IntN(most*1000)) * time.Microsecond):
	}
}

// turned returns the rotated files of a log, the newest first.
func (s *siege) turned(log string) (all []string) {
	for i := 1; ; i++ {
		path := fmt.Sprint(log, ".", i)
		if _, err := os.Stat(path); err != nil {
			return all
		}
		all = append(all, path)
	}
}

// turn makes room for a file called log.1.
func (s *siege) turn(log string) {
	all := s.turned(log)
	for i, path := range slices.Backward(all) {
		s.must(os.Rename(path, fmt.Sprint(log, ".", i+2)))
	}
}

func (s *siege) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// rename rotates as logrotate does. The writer goes on for a while in the old file.
func (s *siege) rename(log string) {
	s.show(log)
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	defer f.Close()
	s.turn(log)
	s.must(os.Rename(log, log+".1"))
	for range s.rand.IntN(3) {
		s.writeTo(f)
	}
	s.pause(20)
	s.writeSome(log, os.O_CREATE|os.O_EXCL)
}

// truncate rotates as logrotate's copytruncate does, once all was read: lines that
// are written meanwhile are lost by nature.
func (s *siege) truncate(log string) {
	s.writeSome(log, os.O_CREATE)
	s.drain()
	s.turn(log)
	text, err := os.ReadFile(log)
	s.must(err)
	s.must(os.WriteFile(log+".1", text, 0o600))
	s.pause(30)
	s.must(os.Truncate(log, 0))
	s.pause(30)
}

// recreate deletes a log and all that was rotated out of it, once all was read.
func (s *siege) recreate(log string) {
	s.writeSome(log, os.O_CREATE)
	s.drain()
	for _, path := range append(s.turned(log), log) {
		s.must(os.Remove(path))
	}
	s.pause(30)
}

// drain waits until the ledger has every failing line: for each subject, of which
// there may be hundreds, a minute at most.
func (s *siege) drain() {
	s.Helper()
	limit := time.NewTimer(time.Minute)
	for len(s.open) > 0 {
		subject := s.open[0]
		w, err := s.client.Why(s.Context(), subject)
		n := 0
		for _, l := range w.Lines {
			n += l.Count
		}
		if err == nil && n >= s.written[subject] {
			s.open = s.open[1:]
			limit.Reset(time.Minute)
			continue
		}
		select {
		case <-limit.C:
			s.Fatalf("after a minute %d of %d failures of %s were counted (%v)\n%s", n, s.written[subject], subject, err, s.tail())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// banned returns who must be banned, in order.
func (s *siege) banned() (all []netip.Prefix) {
	for subject, n := range s.written {
		if n >= maxRetry {
			all = append(all, subject)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

// settle waits until everything that must happen has happened.
func (s *siege) settle() {
	s.Helper()
	s.drain()
	// What the ledger says is held was true before the firewall last rebooted: this
	// daemon must have looked itself.
	s.until("the daemon has found the firewall equal", func() bool {
		st, err := s.client.Status(s.Context())
		return err == nil && len(st.Targets) == 1 && !st.Targets[0].Looked.IsZero() && st.Targets[0].Missing == 0 && st.Targets[0].Held == st.Targets[0].Wanted
	})
	s.until("all bans are proven", func() bool {
		bans, err := s.client.Bans(s.Context())
		proven := func(b web.Ban) bool { return len(b.Held) == 1 && !b.Held[0].Held.IsZero() }
		return err == nil && len(bans) >= len(s.banned()) && !slices.ContainsFunc(bans, func(b web.Ban) bool { return !proven(b) })
	})
	limit := time.After(30 * time.Second)
	for s.waiting() > 0 {
		select {
		case <-limit: // judgeMessages says who
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// judgeLedger compares what was counted, decided and sent with what was written.
func (s *siege) judgeLedger() {
	s.Helper()
	store, err := sqlite.Open(filepath.Join(s.dir, "state", "ledger.db"), sqlite.Options{Now: time.Now()})
	if err != nil {
		s.Fatal(err)
	}
	defer store.Close()
	counted, bans := map[netip.Prefix]int{}, map[netip.Prefix]int{}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		rec, err := store.About(s.Context(), netip.MustParsePrefix(all), 1_000_000)
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range rec.Matches {
			if m.Kind == edgeban.Failure && m.Ignored == "" {
				counted[m.Subject] += m.Count
			}
		}
		for _, b := range rec.Bans {
			bans[b.Subject]++
		}
	}
	lines := 0
	for subject, n := range s.written {
		lines += n
		want := 0
		if n >= maxRetry {
			want = 1
		}
		if counted[subject] != n || bans[subject] != want {
			s.Errorf("%s: %d failures and %d bans, want %d and %d", subject, counted[subject], bans[subject], n, want)
		}
	}
	if len(counted) != len(s.written) {
		s.Errorf("%d subjects were counted, want %d", len(counted), len(s.written))
	}
	want := s.banned()
	standing, err := store.Standing(s.Context(), time.Now())
	if err != nil {
		s.Fatal(err)
	}
	if n := len(slices.Collect(standing)); n != len(want) {
		s.Errorf("%d bans stand, want %d", n, len(want))
	}
	for _, text := range s.foreign {
		want = append(want, netip.MustParsePrefix(text))
	}
	slices.SortFunc(want, netip.Prefix.Compare)
	if got := s.firewall.Entries(opnsensetest.AliasName); !slices.Equal(got, want) {
		s.Errorf("the firewall holds %v\nwant %v", got, want)
	}
	s.Logf("%d daemons, %d failing lines of %d subjects, %d bans, %d calls of the firewall", len(s.ends), lines, len(s.written), len(bans), len(s.firewall.Requests()))
}

// judgeMessages looks for bans that were told never, or once too often.
func (s *siege) judgeMessages() {
	s.Helper()
	last := map[netip.Prefix]published{}
	kills, lost, repeated := len(s.ends)-1, 0, 0
	for i, p := range s.messages {
		if p.lost {
			lost++
		}
		again := false
		for _, subject := range p.about {
			before, ok := last[subject]
			last[subject] = p
			if !ok {
				continue
			}
			again = true
			if known := s.ends[before.life].Sub(before.at); !before.lost && known > surely {
				s.Errorf("message %d: %s is told again; daemon %d had %v to note the first answer, and daemon %d told it", i, subject, before.life, known, p.life)
			}
		}
		if again {
			repeated++
		}
	}
	if repeated > kills+lost {
		s.Errorf("%d messages tell something again, want %d at most: one for each kill and each lost answer", repeated, kills+lost)
	}
	for _, subject := range s.banned() {
		if _, ok := last[subject]; !ok {
			s.Errorf("the ban of %s was never told", subject)
		}
	}
	if len(last) != len(s.banned()) {
		s.Errorf("messages are about %d subjects, want %d", len(last), len(s.banned()))
	}
	s.Logf("%d messages, %d of them with something told again; %d answers lost", len(s.messages), repeated, lost)
}
