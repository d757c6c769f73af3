package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/gather"
)

// A watch is a Source that runs, and what it has yielded: recorded as the daemon does,
// cursors included.
type watch struct {
	*Source
	t       testing.TB
	chunks  chan edgeban.Chunk
	errs    chan error
	stop    context.CancelFunc
	ended   chan struct{}
	cursors map[string]string
	lines   map[string][]string // by origin
	last    map[string]edgeban.Chunk
	got     []edgeban.Chunk
	seen    []string // what was shown again, in this run
	over    []string // the origins of streams that have ended
}

func watching(t testing.TB, e *engine, globs ...string) *watch {
	w := &watch{t: t, cursors: map[string]string{}, lines: map[string][]string{}, last: map[string]edgeban.Chunk{}}
	w.Source = New(Config{Name: "docker", URL: e.at, Globs: globs})
	w.start()
	t.Cleanup(func() { w.end() })
	return w
}

func (w *watch) start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.ended = stop, make(chan struct{})
	w.chunks, w.errs = make(chan edgeban.Chunk), make(chan error, 100)
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

// record takes a chunk as the ledger does.
func (w *watch) record(c edgeban.Chunk) {
	w.t.Helper()
	if c.End {
		delete(w.cursors, c.Stream)
		w.over = append(w.over, c.Origin)
		return
	}
	if c.Seen {
		w.seen = append(w.seen, strings.Split(strings.TrimSuffix(string(c.Text), "\n"), "\n")...)
		if c.From != w.cursors[c.Stream] || c.To != c.From {
			w.t.Errorf("what was seen moves the cursor from %q to %q", c.From, c.To)
		}
		return
	}
	if got := w.cursors[c.Stream]; got != c.From {
		w.t.Errorf("stream %s goes on from %q, saved is %q", c.Stream, c.From, got)
	}
	w.cursors[c.Stream] = c.To
	w.got = append(w.got, c)
	for line := range strings.Lines(string(c.Text)) {
		w.lines[c.Origin] = append(w.lines[c.Origin], strings.TrimSuffix(line, "\n"))
	}
	if n := strings.Count(string(c.Text), "\n"); n != len(c.Times) {
		w.t.Errorf("%d lines have %d times", n, len(c.Times))
	}
	if before, ok := w.last[c.Stream]; ok && c.Base != before.Base+int64(len(before.Text)) {
		w.t.Errorf("stream %s: a chunk at %d follows one at %d of %d bytes", c.Stream, c.Base, before.Base, len(before.Text))
	}
	w.last[c.Stream] = c
}

// until records what comes until a condition holds.
func (w *watch) until(what string, ok func() bool) {
	w.t.Helper()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case c := <-w.chunks:
			w.record(c)
		case <-time.After(5 * time.Millisecond):
		case <-end:
			w.t.Fatalf("not after 20 s: %s; there are %q", what, w.lines)
		}
	}
}

func (w *watch) has(origin string, want ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s has %q", origin, want), func() bool { return len(w.lines[origin]) >= len(want) })
	if got := w.lines[origin]; !slices.Equal(got, want) {
		w.t.Errorf("%s: got %.300q, want %.300q", origin, got, want)
	}
}

// The fake's wire is the engine's: what it would send for the messages that were in the
// recorded log is what was recorded.
func TestFakeSpeaksAsTheEngine(t *testing.T) {
	for name, tty := range map[string]bool{"logs.framed": false, "logs.tty": true} {
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		in := newLog(bytes.NewReader(want), tty)
		for {
			if tty { // a terminal's messages can only be told apart where they are whole lines
				line, err := in.in.ReadBytes('\n')
				if err != nil {
					break
				}
				var m message
				if err := m.undate(line); err != nil {
					t.Fatal(err)
				}
				text := string(m.text)
				if at := strings.Index(text, m.at.Format("2006-01-02T15:04:05.000000000Z07:00")); at >= 0 {
					if at != maxRecord {
						t.Errorf("the engine cuts after %d bytes, want %d", at, maxRecord)
					}
					text = text[:at] + text[at+len("2006-01-02T15:04:05.000000000Z "):]
				}
				for _, k := range cutUp(m.at, strings.TrimSuffix(text, "\r\n")+"\n", false) {
					got.WriteString(k.wire(true))
				}
				continue
			}
			m, err := in.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(kept{m.at, string(m.text), m.stderr}.wire(false))
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: the fake sends %d bytes, the engine %d", name, got.Len(), len(want))
		}
	}
	data, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for line := range strings.Lines(string(data)) {
		var ev event
		if err := json.Unmarshal([]byte(line), &ev); err != nil || !isID(ev.Actor.ID) {
			t.Fatalf("%v: %+v", err, ev)
		}
		actions = append(actions, ev.Action)
	}
	if want := []string{"rename", "destroy", "start", "create", "start", "die", "destroy", "die", "destroy", "destroy"}; !slices.Equal(actions, want) {
		t.Errorf("events are %q, want %q", actions, want)
	}
}

func TestContainersAreReadByName(t *testing.T) {
	e := newEngine(t)
	now := time.Now()
	mail := e.run("mail-dovecot-1", 1)
	e.write(mail, now.Add(-time.Hour), "before the start")
	other := e.run("db", 2)
	e.write(other, now, "of nobody's interest")
	w := watching(t, e, "docker/mail-*")
	w.has("docker/mail-dovecot-1", "before the start")
	if c := w.last["docker@"+mail.id]; c.Live || !c.Stamped || !c.Times[0].Equal(now.Add(-time.Hour)) || c.Source != "docker" {
		t.Errorf("got %+v, want a chunk of the past with the engine's times", c)
	}
	e.write(mail, time.Now().Add(time.Second), "after")
	w.has("docker/mail-dovecot-1", "before the start", "after")
	if c := w.last["docker@"+mail.id]; !c.Live {
		t.Error("what was just written is not live")
	}
	late := e.run("mail-postfix-1", 3)
	e.write(late, time.Now(), "of a new container")
	w.has("docker/mail-postfix-1", "of a new container")
	if len(w.lines) != 2 {
		t.Errorf("lines came from %v, want those that the jails read", w.lines)
	}
	var origins []string
	for _, s := range w.Status() {
		origins = append(origins, s.Origin)
	}
	if want := []string{"docker", "docker/mail-dovecot-1", "docker/mail-postfix-1"}; !slices.Equal(origins, want) {
		t.Errorf("status shows %q, want %q", origins, want)
	}
}

// Of the recorded log each line comes once, with the stream and time that it had, and
// those that the engine has cut do not come at all: not their later parts either.
func TestRecordedLogIsRead(t *testing.T) {
	for name, tt := range map[string]struct {
		tty  bool
		want string
	}{
		"logs.framed": {false, "out1|err1|no newline|after"},
		"logs.tty":    {true, "tty1|tty2|ttyend"},
	} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, long := readAll(t, data, tt.tty); strings.Join(got, "|") != tt.want || long != 1 {
			t.Errorf("%s: got %q and %d long lines, want %s and 1", name, got, long, tt.want)
		}
	}
}

// readAll reads a log as follow does.
func readAll(t testing.TB, data []byte, tty bool) (lines []string, long uint64) {
	in, tl := newLog(bytes.NewReader(data), tty), &tail{}
	var text gather.Text
	for {
		m, err := in.next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Log(err)
			}
			return strings.Split(strings.TrimSuffix(string(text.Bytes), "\n"), "\n"), long
		}
		long += tl.add(&text, m)
	}
}

// A killed daemon reads on where it was, however the times of the messages lie: many
// at once, and those of the two streams not quite in order.
func TestRestartReadsEachLineOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 8 {
		e := newEngine(t)
		c := e.run("mail", 1)
		c.tty = round%4 == 3
		at := time.Now().Add(-time.Hour)
		var want []string
		n := 0
		more := func(lines int) {
			e.change(func() {
				for range lines {
					if rnd.IntN(3) == 0 {
						at = at.Add(time.Duration(rnd.IntN(4000)) * time.Millisecond)
					}
					written := at
					if !c.tty && rnd.IntN(4) == 0 {
						written = at.Add(-time.Duration(rnd.IntN(900)) * time.Millisecond)
					}
					line := fmt.Sprintf("line %d", n)
					if n++; rnd.IntN(20) == 0 {
						line = strings.Repeat(line, 3000)
					} else {
						want = append(want, line)
					}
					c.log = append(c.log, cutUp(written, line+"\n", !c.tty && rnd.IntN(2) == 0)...)
				}
			})
		}
		more(50)
		w := watching(t, e, "docker/*")
		for range 6 {
			stopAt := len(w.lines["docker/mail"]) + rnd.IntN(20)
			w.until("some lines came", func() bool {
				return len(w.lines["docker/mail"]) >= min(stopAt, len(want))
			})
			w.end() // what is handed out and not recorded comes again
			w.last = map[string]edgeban.Chunk{}
			more(30)
			w.start()
		}
		w.has("docker/mail", want...)
		w.end()
	}
}

// Sessions go on over a restart: the last lines are shown again, and count no more; not
// so when only a connection was cut.
func TestRestartShowsAgainWhatTheNextLinesReferTo(t *testing.T) {
	e := newEngine(t)
	c := e.run("mail", 1)
	at := time.Now().Add(-time.Hour)
	e.write(c, at.Add(-3*recallSpan), "long ago")
	e.write(c, at.Add(-recallSpan/2), "begins a session")
	e.write(c, at, "goes on", strings.Repeat("x", maxRecord+1), "and on")
	w := watching(t, e, "docker/mail")
	w.has("docker/mail", "long ago", "begins a session", "goes on", "and on")
	e.change(func() { e.cut++ })
	e.write(c, at.Add(time.Second), "after the cut")
	w.has("docker/mail", "long ago", "begins a session", "goes on", "and on", "after the cut")
	if len(w.seen) != 0 {
		t.Errorf("shown again without a restart: %q", w.seen)
	}
	w.end()
	w.last = map[string]edgeban.Chunk{}
	w.start()
	e.write(c, at.Add(2*time.Second), "ends it")
	w.has("docker/mail", "long ago", "begins a session", "goes on", "and on", "after the cut", "ends it")
	if want := []string{"begins a session", "goes on", "and on", "after the cut"}; !slices.Equal(w.seen, want) {
		t.Errorf("shown again: %q, want %q", w.seen, want)
	}
}

func TestRestartedContainerAndCutConnectionsAreReadOn(t *testing.T) {
	e := newEngine(t)
	c := e.run("mail", 1)
	w := watching(t, e, "docker/mail")
	e.write(c, time.Now(), "one")
	w.has("docker/mail", "one")
	e.change(func() { e.cut++ }) // as a proxy does after ten minutes
	e.write(c, time.Now(), "two")
	w.has("docker/mail", "one", "two")
	e.die(c)
	e.write(c, time.Now(), "last words")
	e.change(func() { c.running = true })
	e.event("start", c)
	e.write(c, time.Now(), "born again")
	w.has("docker/mail", "one", "two", "last words", "born again")
}

func TestCursorOfARemovedContainerIsForgotten(t *testing.T) {
	e := newEngine(t)
	c, twin := e.run("mail", 1), e.run("gone", 2)
	e.write(c, time.Now(), "x")
	e.write(twin, time.Now(), "y")
	w := watching(t, e, "docker/*")
	w.until("both are read", func() bool { return len(w.cursors) == 2 })
	e.die(c)
	e.remove(c)
	w.until("the cursor is forgotten", func() bool { return len(w.cursors) == 1 })
	if !slices.Equal(w.over, []string{"docker/mail"}) {
		t.Errorf("%q have ended, want the container, so that what is known of its log is let go", w.over)
	}
	w.end()
	e.remove(twin) // while nobody looks
	w.start()
	w.until("that one as well", func() bool { return len(w.cursors) == 0 })
}

// A container goes by the name that it has now; one that nobody reads by its name is not
// read, and goes on where it was when it has its name back.
func TestRenamedContainerIsReadByItsNewName(t *testing.T) {
	e := newEngine(t)
	c := e.run("mail-1", 1)
	w := watching(t, e, "docker/mail-*")
	e.write(c, time.Now(), "one")
	w.has("docker/mail-1", "one")
	rename := func(name string) {
		e.change(func() { c.name = name })
		e.event("rename", c)
	}
	rename("mail-2")
	w.until("it is read by its new name", func() bool {
		return slices.ContainsFunc(w.Status(), func(s source.Status) bool { return s.Origin == "docker/mail-2" })
	})
	e.write(c, time.Now(), "two")
	w.has("docker/mail-2", "two")
	rename("db")
	w.until("it is read no more", func() bool { return len(w.Status()) == 1 })
	e.write(c, time.Now(), "three")
	rename("mail-3")
	w.has("docker/mail-3", "three")
	if len(w.cursors) != 1 {
		t.Errorf("cursors are %q, want the container's", w.cursors)
	}
}

// Of a container that no jail reads any more the cursor stays: it may be read again.
func TestUnreadContainerKeepsItsCursor(t *testing.T) {
	e := newEngine(t)
	c := e.run("mail", 1)
	e.write(c, time.Now(), "x")
	w := watching(t, e, "docker/*")
	w.has("docker/mail", "x")
	w.end()
	before := w.cursors["docker@"+c.id]
	w.Source = New(Config{Name: "docker", URL: e.at, Globs: []string{"docker/db"}})
	w.start()
	w.until("the list was read", func() bool { return len(w.Status()) > 0 && w.Status()[0].Live })
	w.end()
	if got := w.cursors["docker@"+c.id]; got != before || before == "" {
		t.Errorf("the cursor is %q, was %q", got, before)
	}
}

func TestTroublesNameTheWayOut(t *testing.T) {
	e := newEngine(t)
	c := e.run("mail", 1)
	e.change(func() { c.unread = true })
	w := watching(t, e, "docker/*")
	expect := func(text string, in func(source.Status) bool) {
		t.Helper()
		select {
		case err := <-w.errs:
			if !strings.Contains(err.Error(), text) {
				t.Errorf("got %v, want %q", err, text)
			}
			w.until("status says so", func() bool {
				return slices.ContainsFunc(w.Status(), func(s source.Status) bool { return s.Err == err.Error() && in(s) })
			})
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody is told of %q", text)
		}
	}
	expect("json-file, local, journald", func(s source.Status) bool { return s.Origin == "docker/mail" })
	w.end()
	e.change(func() { e.forbidden = true })
	w.start()
	expect("CONTAINERS=1", func(s source.Status) bool { return s.Origin == "docker" })
	w.end()
	w.Source = New(Config{Name: "docker", URL: "unix:///nowhere/docker.sock"})
	w.start()
	expect("socket proxy", func(s source.Status) bool { return s.Origin == "docker" })
}

// Whatever a log holds: nothing panics, no line is longer than may be, and memory is
// bounded by what the frames say at most.
func FuzzLog(f *testing.F) {
	for name, tty := range map[string]bool{"logs.framed": false, "logs.tty": true} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:600], tty)
	}
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff2026-11-29T11:30:01Z x"), false)
	f.Fuzz(func(t *testing.T, data []byte, tty bool) {
		lines, _ := readAll(t, data, tty)
		for _, l := range lines {
			if len(l) > source.MaxLine {
				t.Fatalf("a line of %d bytes", len(l))
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(place{cursor: cursor{anchor: time.Unix(1, 2), newest: time.Unix(3, 4), past: 5, base: 6, open: [2]bool{true, false}}}.String())
	f.Add("d1 x")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil {
			return
		}
		if again, err := parseCursor(c.String()); err != nil || again.String() != c.String() {
			t.Fatalf("%q became %q, %v", c, again, err)
		}
	})
}
