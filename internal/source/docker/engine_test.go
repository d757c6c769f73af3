package docker

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An engine is a fake of Docker's API that holds containers and their logs. What it
// answers to what is held to a recording of Docker 20.10 by TestFakeSpeaksAsTheEngine.
type engine struct {
	t  testing.TB
	at string // unix://

	mu         sync.Mutex
	moved      *sync.Cond
	containers []*fake
	events     []string
	asked      []string // paths
	down       bool     // answers 500 to everything
	cut        int      // ends what is followed now
	forbidden  bool
}

// A fake container.
type fake struct {
	id, name string
	running  bool
	tty      bool
	unread   bool // its log driver cannot be read
	log      []kept
}

// kept is a message as a log driver keeps it.
type kept struct {
	at     time.Time
	text   string // without its newline, if the line goes on
	stderr bool
}

func newEngine(t testing.TB) *engine {
	e := &engine{t: t}
	e.moved = sync.NewCond(&e.mu)
	path := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	e.at = "unix://" + path
	s := httptest.NewUnstartedServer(e)
	s.Listener = l
	s.Start()
	t.Cleanup(func() {
		e.change(func() { e.cut++; e.down = true })
		s.CloseClientConnections()
		s.Close()
	})
	return e
}

// change changes what there is, and wakes what is followed.
func (e *engine) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.moved.Broadcast()
}

// run makes a container that runs.
func (e *engine) run(name string, n int) *fake {
	c := &fake{id: fmt.Sprintf("%064x", n), name: name, running: true}
	e.change(func() { e.containers = append(e.containers, c) })
	e.event("start", c)
	return c
}

func (e *engine) event(action string, c *fake) {
	e.change(func() {
		e.events = append(e.events, fmt.Sprintf(`{"status":%q,"id":%q,"from":"bb","Type":"container","Action":%q,"Actor":{"ID":%q,"Attributes":{"image":"bb","name":%q}},"scope":"local","time":1}`, action, c.id, action, c.id, c.name))
	})
}

// write has a container write lines at a time.
func (e *engine) write(c *fake, at time.Time, lines ...string) {
	e.change(func() {
		for _, l := range lines {
			c.log = append(c.log, cutUp(at, l+"\n", false)...)
		}
	})
}

// cutUp is what Docker's copier makes of a line: parts of 16 KiB with the same time.
func cutUp(at time.Time, line string, stderr bool) (all []kept) {
	for len(line) > maxRecord {
		all = append(all, kept{at, line[:maxRecord], stderr})
		line = line[maxRecord:]
	}
	return append(all, kept{at, line, stderr})
}

// die ends a container; remove makes it unknown.
func (e *engine) die(c *fake) { e.change(func() { c.running = false }); e.event("die", c) }

func (e *engine) remove(c *fake) {
	e.change(func() {
		e.containers = slices.DeleteFunc(e.containers, func(o *fake) bool { return o == c })
	})
	e.event("destroy", c)
}

// ServeHTTP implements http.Handler. Whatever it does not know fails the test.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked = append(e.asked, r.URL.Path)
	down, forbidden, events := e.down, e.forbidden, len(e.events)
	e.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method != http.MethodGet:
		e.t.Errorf("%s %s: only GET passes a read-only proxy", r.Method, r.URL)
	case down:
		refuse(w, http.StatusInternalServerError, "the daemon is shutting down")
	case forbidden: // as a socket proxy has it
		http.Error(w, "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>", http.StatusForbidden)
	case r.URL.Path == "/containers/json":
		e.list(w, r)
	case r.URL.Path == "/events":
		e.follow(w, func(at int) (string, int, bool) {
			if at < len(e.events) {
				return e.events[at] + "\n", at + 1, true
			}
			return "", at, true
		}, events)
	case len(parts) == 3 && parts[0] == "containers" && (parts[2] == "json" || parts[2] == "logs"):
		e.container(w, r, parts[1], parts[2])
	default:
		e.t.Errorf("%s: no such path in the API", r.URL.Path)
		http.NotFound(w, r)
	}
}

func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": text})
}

func (e *engine) list(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	type item struct {
		ID    string `json:"Id"`
		Names []string
		State string
	}
	all := []item{}
	for _, c := range e.containers {
		state := map[bool]string{true: "running", false: "exited"}[c.running]
		if c.running || r.URL.Query().Get("all") == "1" {
			all = append(all, item{c.id, []string{"/other/alias", "/" + c.name}, state})
		}
	}
	_ = json.NewEncoder(w).Encode(all)
}

func (e *engine) find(id string) *fake {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (e *engine) container(w http.ResponseWriter, r *http.Request, id, what string) {
	c := e.find(id)
	switch {
	case c == nil:
		refuse(w, http.StatusNotFound, "No such container: "+id)
	case what == "json":
		_ = json.NewEncoder(w).Encode(map[string]any{"Id": c.id, "Name": "/" + c.name, "Config": map[string]any{"Tty": c.tty}})
	case c.unread:
		refuse(w, http.StatusNotImplemented, "configured logging driver does not support reading")
	case r.URL.Query().Get("tail") == "1": // to see whether it can be read
	default:
		q := r.URL.Query()
		if q.Get("stdout") != "1" || q.Get("stderr") != "1" || q.Get("timestamps") != "1" || q.Get("follow") != "1" {
			e.t.Errorf("logs are asked for with %v", q)
		}
		sec, nano, _ := strings.Cut(q.Get("since"), ".")
		s, err := strconv.ParseInt(sec, 10, 64)
		n, err2 := strconv.ParseInt(nano, 10, 64)
		if err != nil || err2 != nil || len(nano) != 9 {
			e.t.Errorf("since is %q", q.Get("since"))
		}
		since := time.Unix(s, n)
		e.follow(w, func(at int) (string, int, bool) {
			for at < len(c.log) && c.log[at].at.Before(since) {
				at++
			}
			if at < len(c.log) {
				return c.log[at].wire(c.tty), at + 1, true
			}
			return "", at, c.running
		}, 0)
	}
}

// wire is a message as the API has it, with its time.
func (k kept) wire(tty bool) string {
	const stamp = "2006-01-02T15:04:05.000000000Z07:00" // jsonmessage.RFC3339NanoFixed
	text := k.at.UTC().Format(stamp) + " " + k.text
	if tty {
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	head := [8]byte{0: 1}
	if k.stderr {
		head[0] = 2
	}
	binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
	return string(head[:]) + text
}

// follow writes what next gives until there will be no more.
func (e *engine) follow(w http.ResponseWriter, next func(at int) (string, int, bool), at int) {
	w.(http.Flusher).Flush()
	e.mu.Lock()
	defer e.mu.Unlock()
	for cut := e.cut; cut == e.cut; {
		text, after, more := next(at)
		at = after
		if text == "" {
			if !more {
				return
			}
			e.moved.Wait()
			continue
		}
		e.mu.Unlock()
		_, err := w.Write([]byte(text))
		w.(http.Flusher).Flush()
		e.mu.Lock()
		if err != nil {
			return
		}
	}
}
