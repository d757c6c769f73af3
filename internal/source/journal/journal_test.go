package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// The recorded entries come from systemd 252: a journal that systemd-journal-remote has
// written, as journalctl prints it and as systemd-journal-gatewayd serves it.
func recorded(t testing.TB, name string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		lines = append(lines, line)
	}
	if len(lines) != 8 {
		t.Fatalf("%s has %d entries, want 8", name, len(lines))
	}
	return lines
}

// A reel is a journal of recorded entries: a part of them is there, others come.
type reel struct {
	t       testing.TB
	mu      sync.Mutex
	moved   *sync.Cond
	entries []string
	there   int
	cut     int // ends what is followed now
	asked   []string
}

func newReel(t testing.TB, name string, there int) *reel {
	r := &reel{t: t, entries: recorded(t, name), there: there}
	r.moved = sync.NewCond(&r.mu)
	return r
}

func (r *reel) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	r.moved.Broadcast()
}

// at returns the place of a cursor, -1 if no entry has it.
func (r *reel) at(cursor string) int {
	return slices.IndexFunc(r.entries, func(e string) bool { return strings.Contains(e, `"__CURSOR":"`+cursor+`"`) })
}

// ServeHTTP serves entries as systemd-journal-gatewayd 252 does: from the entry of a
// cursor on, that one included, or the last of them; only those that match the query,
// in which fields are joined by and, values of a field by or.
func (r *reel) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	span, ok := strings.CutPrefix(req.Header.Get("Range"), "entries=")
	if req.Method != http.MethodGet || req.URL.Path != "/entries" || req.Header.Get("Accept") != "application/json" || !ok {
		r.t.Errorf("asked for %s %s with %v", req.Method, req.URL, req.Header)
	}
	q := req.URL.Query()
	follow := q.Has("follow")
	q.Del("follow")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, req.URL.RawQuery+" "+span)
	var from int
	most := len(r.entries)
	if cursor, rest, some := strings.Cut(span, ":"); some {
		skip, count, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(skip)
		c, e := strconv.ParseUint(count, 10, 64)
		if err != nil || e != nil || n >= 0 || (cursor == "") != follow && span != ":-1:1" {
			r.t.Errorf("no such range: %s", span)
		}
		if most = r.there; cursor != "" || !follow {
			most = int(c)
		}
		if from = r.there + n; cursor != "" {
			from = r.at(cursor) + n
		}
		from = max(0, from)
	} else if from = r.at(cursor); from < 0 {
		http.Error(w, "Failed to seek in journal.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	for cut := r.cut; cut == r.cut && most > 0; {
		if from >= r.there {
			if !follow || req.Context().Err() != nil {
				return
			}
			r.moved.Wait()
			continue
		}
		line := r.entries[from]
		if from++; !matches(r.t, line, q) {
			continue
		}
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
		most--
		w.(http.Flusher).Flush()
	}
}

func matches(t testing.TB, line string, q url.Values) bool {
	var e map[string]any
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	for field, values := range q {
		if got, _ := e[field].(string); !slices.Contains(values, got) {
			return false
		}
	}
	return true
}

func (r *reel) serve() string {
	s := httptest.NewServer(r)
	r.t.Cleanup(func() {
		r.change(func() { r.cut++ })
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// TestMain is the test, or a journalctl that plays recorded entries.
func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNALCTL_PLAYS"); path != "" {
		play(path, os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// play is what journalctl does: it prints the entries after a cursor, or all of a day,
// then waits for more that never come.
func play(path string, args []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	started, reverse := false, ""
	after, since := "", int64(0)
	for _, a := range args {
		if c, ok := strings.CutPrefix(a, "--cursor="); ok {
			reverse = c
		}
		if c, ok := strings.CutPrefix(a, "--after-cursor="); ok {
			after = c
		}
		if s, ok := strings.CutPrefix(a, "--since=@"); ok {
			since, _ = strconv.ParseInt(s, 10, 64)
		}
		started = started || a == "--output=json"
	}
	switch {
	case os.Getenv("JOURNALCTL_FAILS") != "":
		fmt.Fprintln(os.Stderr, "Failed to open journal: Permission denied")
		os.Exit(1)
	case started && slices.Contains(args, "--lines=1"):
		fmt.Fprint(os.Stderr, os.Getenv("JOURNALCTL_HINTS"))
		lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
		fmt.Println(lines[len(lines)-1])
		return
	case started && reverse != "" && slices.Contains(args, "--reverse") && slices.Contains(args, "--lines=1000"):
		lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"__CURSOR":"`+reverse+`"`) })
		for ; at >= 0; at-- {
			fmt.Println(strings.TrimSuffix(lines[at], "\n"))
		}
		return
	case !started || !slices.Contains(args, "--follow") || !slices.Contains(args, "--no-tail") || !slices.Contains(args, "--all"):
		fmt.Fprintln(os.Stderr, "not called to follow in JSON")
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "Hint: You are currently not seeing messages from other users and the system.")
	if s := os.Getenv("JOURNALCTL_ARGS"); s != "" {
		_ = os.WriteFile(s, []byte(strings.Join(args, "\n")), 0o600)
	}
	if ago := time.Since(time.Unix(since, 0)); after == "" && (ago < firstRead || ago > firstRead+time.Minute) {
		fmt.Fprintln(os.Stderr, "asked for entries of", ago)
		os.Exit(1)
	}
	on := after == "" // the recorded day is today
	for line := range strings.Lines(string(data)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			os.Exit(2)
		}
		if on {
			fmt.Print(line)
		}
		on = on || e.Cursor == after
	}
	time.Sleep(time.Hour) // it is killed
}

// A watch is a Source that runs, its chunks recorded as the daemon records them.
type watch struct {
	*Source
	t       testing.TB
	chunks  chan edgeban.Chunk
	errs    chan error
	stop    context.CancelFunc
	ended   chan struct{}
	cursors map[string]string
	got     []edgeban.Chunk
	seen    []string
}

func watching(t testing.TB, s *Source) *watch {
	w := &watch{Source: s, t: t, cursors: map[string]string{}}
	w.start()
	t.Cleanup(func() { w.end() })
	return w
}

func (w *watch) start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended, w.chunks, w.errs = stop, make(chan struct{}), make(chan edgeban.Chunk), make(chan error, 100)
	saved := map[string]string{}
	for k, v := range w.cursors {
		saved[k] = v
	}
	go func() {
		defer close(w.ended)
		for c, err := range w.Chunks(ctx, saved) {
			if err != nil {
				w.errs <- err
				continue
			}
			c.Text, c.Times = bytes.Clone(c.Text), slices.Clone(c.Times)
			select {
			case w.chunks <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (w *watch) end() {
	w.stop()
	<-w.ended
}

// one records one chunk, unless it is too late.
func (w *watch) one(end <-chan time.Time) bool {
	w.t.Helper()
	select {
	case c := <-w.chunks:
		if c.End {
			delete(w.cursors, c.Stream)
			return true
		}
		if c.Seen {
			for line := range strings.Lines(string(c.Text)) {
				w.seen = append(w.seen, strings.TrimPrefix(c.Origin, "journal/")+" "+strings.TrimSuffix(line, "\n"))
			}
			if c.From != w.cursors[c.Stream] || c.To != c.From {
				w.t.Errorf("what was seen moves the cursor from %q to %q", c.From, c.To)
			}
			return true
		}
		if w.cursors[c.Stream] != c.From {
			w.t.Errorf("it goes on from %q, saved is %q", c.From, w.cursors[c.Stream])
		}
		w.cursors[c.Stream] = c.To
		w.got = append(w.got, c)
		return true
	case <-end:
		return false
	}
}

// again records what comes until so many lines were shown again.
func (w *watch) again(n int) []string {
	w.t.Helper()
	for end := time.After(20 * time.Second); len(w.seen) < n; {
		if !w.one(end) {
			w.t.Fatalf("after 20 s %q were shown again, want %d lines", w.seen, n)
		}
	}
	return w.seen
}

// lines records what comes until there are so many lines, and returns them with their
// origins.
func (w *watch) lines(n int) (all []string) {
	w.t.Helper()
	end := time.After(20 * time.Second)
	for {
		all = nil
		for _, c := range w.got {
			for line := range strings.Lines(string(c.Text)) {
				all = append(all, strings.TrimPrefix(c.Origin, "journal/")+" "+strings.TrimSuffix(line, "\n"))
			}
		}
		if len(all) >= n {
			return all
		}
		if !w.one(end) {
			w.t.Fatalf("after 20 s there are %q, want %d lines", all, n)
		}
	}
}

var long = strings.Repeat("A", 5000)

// all is what the recorded entries become. The gateway gives no message of more than
// 4096 bytes.
func all(gateway bool) []string {
	lines := []string{
		"ssh.service mail sshd[101]: Failed password for root from 203.0.113.10 port 4001 ssh2",
		"ssh.service mail sshd[102]: Failed password for invalid user adm\xff\xfein from 203.0.113.11 port 4002 ssh2",
		`scope mail evil[103]: harmless\nsshd[1]: Failed password for root from 198.51.100.77 port 1 ssh2`,
		"sshd@.service mail sshd[104]: Failed password for root from 203.0.113.12 port 4003 ssh2",
		"dovecot.service mail dovecot[105]: auth: passwd-file(alice@example.com,203.0.113.13,<x>): Password mismatch",
		"ssh.service mail sshd[106]: " + long + " Failed password for root from 203.0.113.14 port 4001 ssh2",
		"ssh.service mail sshd[107]: Failed password for root from 203.0.113.15 port 4001 ssh2 second value",
		"ssh.service mail sshd[108]: Failed password for root from 203.0.113.16 port 4001 ssh2\x1b[31m",
	}
	if gateway {
		lines = slices.Delete(lines, 5, 6)
	}
	return lines
}

func overHTTP(r *reel, match ...string) *Source {
	return New("journal", config.Journal{URL: r.serve(), Match: match})
}

func byCommand(t *testing.T, match ...string) *Source {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNALCTL_PLAYS", "testdata/journalctl.jsonl")
	s := New("journal", config.Journal{Match: match})
	s.from = func() (opener, error) { return ctl{program: self, match: match, note: s.note}, nil }
	return s
}

func TestRecordedEntriesBecomeLines(t *testing.T) {
	for name, s := range map[string]*Source{"gateway": overHTTP(newReel(t, "gateway.jsonl", 8)), "journalctl": byCommand(t)} {
		want := all(name == "gateway")
		w := watching(t, s)
		if got := w.lines(len(want)); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, want)
		}
		base := int64(0)
		for _, c := range w.got {
			if c.Base != base || c.Source != "journal" || len(c.Times) != bytes.Count(c.Text, []byte("\n")) || c.Stamped {
				t.Errorf("%s: got a chunk %+v at %d, want it at %d", name, c, c.Base, base)
			}
			base += int64(len(c.Text))
		}
		if at := w.got[0].Times[0].UnixMicro(); at != 1795348188999995 {
			t.Errorf("%s: the first was written at %d, want the time before journald took it", name, at)
		}
		w.end()
	}
}

// What sshd wrote counts; what others wrote that looks like it does not.
func TestNobodyForgesALineOfAUnit(t *testing.T) {
	w := watching(t, overHTTP(newReel(t, "gateway.jsonl", 8)))
	w.lines(7)
	f, err := filter.Load("sshd")
	if err != nil {
		t.Fatal(err)
	}
	jail := config.Jail{Source: []string{"journal/ssh.service", "journal/sshd@*.service"}}
	var addrs []string
	s := f.Scanner(filter.Options{Jail: "sshd"})
	for _, c := range w.got {
		if !jail.Reads(c.Origin) {
			continue
		}
		c.Live, c.Read = false, time.Unix(1795348200, 0)
		for m := range s.Scan(c) {
			addrs = append(addrs, fmt.Sprintf("%s@%d", m.Addr, m.Time.Unix()))
		}
	}
	want := []string{"203.0.113.10@1795348188", "203.0.113.11@1795348190", "203.0.113.12@1795348192"}
	if !slices.Equal(addrs[:min(3, len(addrs))], want) || slices.ContainsFunc(addrs, func(s string) bool { return strings.HasPrefix(s, "198.51.100.77") }) {
		t.Errorf("failures of %q, want %q first, and nobody who was forged", addrs, want)
	}
}

func TestRestartReadsOn(t *testing.T) {
	want := all(true)
	for stop := 1; stop < len(want); stop++ {
		r := newReel(t, "gateway.jsonl", 8)
		w := watching(t, overHTTP(r))
		before := w.lines(stop)
		w.end()
		w.start()
		if got := w.lines(len(want)); !slices.Equal(got, want) {
			t.Errorf("restarted after %d: got %q, want each once", stop, got)
		}
		if !slices.Equal(w.again(len(before)), before) {
			t.Errorf("restarted after %d: shown again are %q, want %q", stop, w.seen, before)
		}
		if len(w.cursors) != 1 {
			t.Errorf("%d streams, want one", len(w.cursors))
		}
		w.end()
	}
}

func TestCommandGoesOnAfterItsCursor(t *testing.T) {
	w := watching(t, byCommand(t, "_SYSTEMD_UNIT=ssh.service _COMM=sshd", "A=1 + B=2"))
	before := w.lines(3)
	w.end()
	args := t.TempDir() + "/args"
	t.Setenv("JOURNALCTL_ARGS", args)
	w.start()
	if got, want := w.lines(8), all(false); !slices.Equal(got, want) {
		t.Errorf("got %q, want each once", got)
	}
	if !slices.Equal(w.again(len(before)), before) {
		t.Errorf("shown again are %q, want %q", w.seen, before)
	}
	data, err := os.ReadFile(args)
	if err != nil {
		t.Fatal(err)
	}
	if want := "--\n_SYSTEMD_UNIT=ssh.service\n_COMM=sshd\n+\nA=1\n+\nB=2"; !strings.HasSuffix(string(data), want) || strings.Contains(string(data), "--since") {
		t.Errorf("called with %q, want the cursor and %q", data, want)
	}
	w.lines(8)
	for end := time.Now().Add(20 * time.Second); !slices.ContainsFunc(w.Status(), func(s source.Status) bool { return strings.Contains(s.Note, "not seeing messages") }); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("status does not show what journalctl says: %+v", w.Status())
		}
	}
}

func TestEntriesArriveWhileFollowed(t *testing.T) {
	r := newReel(t, "gateway.jsonl", 1)
	w := watching(t, overHTTP(r))
	w.lines(1)
	r.change(func() { r.there = 3 })
	w.lines(3)
	r.change(func() { r.cut++ }) // the gateway is restarted
	r.change(func() { r.there = 8 })
	if got, want := w.lines(7), all(true); !slices.Equal(got, want) {
		t.Errorf("got %q, want each once", got)
	}
}

// A gateway knows one alternative only: others are looked for here.
func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		match []string
		query string
		want  []int
	}{
		{[]string{"_SYSTEMD_UNIT=dovecot.service"}, "follow&_SYSTEMD_UNIT=dovecot.service", []int{4}},
		{[]string{"_SYSTEMD_UNIT=ssh.service _PID=107 _PID=108"}, "", []int{5, 6}},
		{[]string{"_SYSTEMD_UNIT=dovecot.service + _COMM=evil"}, "follow", []int{2, 4}},
		{[]string{"_SYSTEMD_UNIT=dovecot.service", "_PID=101 _COMM=sshd"}, "follow", []int{0, 4}},
	} {
		r := newReel(t, "gateway.jsonl", 8)
		w := watching(t, overHTTP(r, tt.match...))
		var want []string
		for _, i := range tt.want {
			want = append(want, all(true)[i])
		}
		if got := w.lines(len(want)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", tt.match, got, want)
		}
		w.end()
		r.mu.Lock()
		if query, _, _ := strings.Cut(r.asked[0], " "); tt.query != "" && query != tt.query {
			t.Errorf("%q: asked for %s, want %s", tt.match, query, tt.query)
		}
		r.mu.Unlock()
	}
}

func TestTroublesNameTheWayOut(t *testing.T) {
	wrongPath := httptest.NewServer(http.NotFoundHandler())
	defer wrongPath.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	failing := byCommand(t)
	missing := New("journal", config.Journal{})
	missing.from = func() (opener, error) { return ctl{program: "no-such-journalctl"}, nil }
	for want, s := range map[string]*Source{
		"systemd-journal-gatewayd.socket": New("journal", config.Journal{URL: closed}),
		"write the URL of":                New("journal", config.Journal{URL: wrongPath.URL}),
		"write url: http":                 missing,
		"Permission denied":               failing,
	} {
		if s == failing {
			t.Setenv("JOURNALCTL_FAILS", "yes")
		}
		w := watching(t, s)
		select {
		case err := <-w.errs:
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			if !slices.ContainsFunc(w.Status(), func(s source.Status) bool { return s.Err == err.Error() }) {
				t.Errorf("status does not say %v: %+v", err, w.Status())
			}
		case <-time.After(20 * time.Second):
			t.Errorf("nobody is told: %s", want)
		}
		w.end()
	}
}

// A cursor of another kind is forgotten, and the journal is read as if it were new.
func TestForeignCursorIsForgotten(t *testing.T) {
	w := &watch{Source: overHTTP(newReel(t, "gateway.jsonl", 8)), t: t, cursors: map[string]string{"journal@x": "1 2 3", "journal@y": "j1 7 $(reboot)"}}
	w.start()
	defer func() { w.end() }()
	w.lines(7)
	if len(w.cursors) != 1 || w.cursors["journal@x"] != "" || w.cursors["journal@y"] != "" {
		t.Errorf("cursors are %q, want a new one alone", w.cursors)
	}
}

func TestUnitsWhoseNamesHoldClientsAreOne(t *testing.T) {
	for unit, want := range map[string]string{
		"ssh.service": "ssh.service", "sshd@12-192.0.2.1:22-203.0.113.9:4242.service": "sshd@.service", "postfix@-.service": "postfix@.service",
		"session-12.scope": "scope", "user.slice": "slice", "": "none", "odd": "none", "a/b.service": "none",
	} {
		if got := (&entry{Unit: value(unit)}).unit(); got != want {
			t.Errorf("%q: got %q, want %q", unit, got, want)
		}
	}
	if got := (&entry{Transport: value("kernel")}).unit(); got != "kernel" {
		t.Errorf("the kernel is %q", got)
	}
	r := &run{Source: New("journal", config.Journal{}), units: map[string]bool{}}
	for i := range 2 * maxUnits {
		r.origin(fmt.Sprint(i))
	}
	if got := r.origin("new"); got != "journal/others" || len(r.units) != maxUnits {
		t.Errorf("of too many units one is %q, %d are known", got, len(r.units))
	}
}

// Whatever an entry holds: nothing panics, and it is one line at most.
func FuzzEntry(f *testing.F) {
	for _, name := range []string{"journalctl.jsonl", "gateway.jsonl"} {
		for _, line := range recorded(f, name) {
			f.Add([]byte(line))
		}
	}
	f.Add([]byte(`{"MESSAGE":[[1,2],"x",null],"_SYSTEMD_UNIT":[[[]]]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var e entry
		if json.Unmarshal(line, &e) != nil {
			return
		}
		var text gather.Text
		e.unit()
		e.at()
		if e.add(&text, time.Time{}); bytes.Count(text.Bytes, []byte("\n")) > 1 || len(text.Bytes) > source.MaxLine+1 {
			t.Fatalf("%q became %q", line, text.Bytes)
		}
	})
}

func TestEndlessEntryIsSkipped(t *testing.T) {
	in := bufio.NewReaderSize(io.MultiReader(strings.NewReader(strings.Repeat("x", 3*maxEntry)+"\n"), strings.NewReader("next\n")), 4<<10)
	_, buf, err := readLine(in, nil)
	if !errors.Is(err, errLong) || cap(buf) > 2*maxEntry {
		t.Errorf("got %v and room of %d bytes", err, cap(buf))
	}
	if line, _, err := readLine(in, buf); err != nil || string(line) != "next\n" {
		t.Errorf("then %q, %v", line, err)
	}
}

// What rsyslog has written to a file gives as entries of the journal what it gives
// there, times included.
func TestCapturedLogGivesTheSameMatchesAsEntries(t *testing.T) {
	data, err := os.ReadFile("../../filter/testdata/captured/syslog-iso.syslog.log")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(\S+) (\S+) ([^ \[]+)(?:\[(\d+)\])?: (.*)\n$`)
	r := &reel{t: t}
	r.moved = sync.NewCond(&r.mu)
	for text := range strings.Lines(string(data)) {
		part := line.FindStringSubmatch(text)
		if part == nil {
			t.Fatalf("no line of a log: %q", text)
		}
		at, err := time.Parse(time.RFC3339Nano, part[1])
		if err != nil {
			t.Fatal(err)
		}
		e, err := json.Marshal(map[string]string{
			"__CURSOR": fmt.Sprintf("s=1;i=%x", len(r.entries)), "__REALTIME_TIMESTAMP": fmt.Sprint(at.UnixMicro()),
			"_HOSTNAME": part[2], "SYSLOG_IDENTIFIER": part[3], "SYSLOG_PID": part[4], "MESSAGE": part[5], "_SYSTEMD_UNIT": "mail.service",
		})
		if err != nil {
			t.Fatal(err)
		}
		r.entries = append(r.entries, string(e)+"\n")
	}
	r.there = len(r.entries)
	w := watching(t, overHTTP(r))
	w.lines(r.there)
	for _, name := range []string{"dovecot", "postfix"} {
		f, err := filter.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		found := func(chunks ...edgeban.Chunk) (all []string) {
			s := f.Scanner(filter.Options{Jail: name, Zone: time.UTC})
			for _, c := range chunks {
				c.Read = time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
				for m := range s.Scan(c) {
					all = append(all, fmt.Sprintf("%v %v %v %d %q", m.Time.UTC(), m.Kind, m.Addr, m.Count, m.User))
				}
			}
			return all
		}
		want := found(edgeban.Chunk{Stream: "s", Text: data})
		if got := found(w.got...); !slices.Equal(got, want) || len(want) < 3 {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
