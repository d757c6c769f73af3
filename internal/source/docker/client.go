package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// A client asks an engine, and changes nothing there: all it sends is GET.
type client struct {
	base string // of URLs
	at   string // for people
	http *http.Client
}

// patience is how long an answer that is no stream may take.
const patience = 30 * time.Second

func newClient(at string) *client {
	c := &client{base: at, at: at}
	t := &http.Transport{MaxIdleConns: 4, IdleConnTimeout: time.Minute, DisableCompression: true}
	if path, ok := strings.CutPrefix(at, "unix://"); ok {
		c.base = "http://docker"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	}
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

// A refusal is an answer that is none of those that were asked for.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("HTTP %d: %s", r.code, r.text) }

// get asks for a path. The body is the caller's to close.
func (c *client) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	var said struct{ Message string }
	_ = json.Unmarshal(text, &said)
	return nil, &refusal{resp.StatusCode, clip(cmp.Or(said.Message, strings.TrimSpace(string(text)), http.StatusText(resp.StatusCode)))}
}

// clip keeps a text short.
func clip(s string) string {
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

// maxAnswer bounds an answer that is no stream: a list of thousands of containers.
const maxAnswer = 32 << 20

// read asks for a path and decodes the answer.
func (c *client) read(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(into)
}

// A container is one as the list has it.
type container struct {
	ID    string   `json:"Id"`
	Names []string // each with a / before it; those with more are of links
	State string
}

// name returns its own name, without the /.
func (c container) name() string {
	for _, n := range c.Names {
		if n = strings.TrimPrefix(n, "/"); n != "" && !strings.Contains(n, "/") {
			return n
		}
	}
	return c.ID[:min(12, len(c.ID))]
}

// list returns all containers, those that do not run too.
func (c *client) list(ctx context.Context) (all []container, err error) {
	err = c.read(ctx, "/containers/json", url.Values{"all": {"1"}}, &all)
	return all, err
}

// tty reports whether a container has a terminal: its log is not framed then.
func (c *client) tty(ctx context.Context, id string) (bool, error) {
	var info struct{ Config struct{ Tty bool } }
	err := c.read(ctx, "/containers/"+url.PathEscape(id)+"/json", nil, &info)
	return info.Config.Tty, err
}

// logs follows what a container has written from a time on, that included.
func (c *client) logs(ctx context.Context, id string, since time.Time) (io.ReadCloser, error) {
	return c.get(ctx, "/containers/"+url.PathEscape(id)+"/logs", url.Values{
		"stdout": {"1"}, "stderr": {"1"}, "timestamps": {"1"}, "follow": {"1"},
		"since": {fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())},
	})
}

// An event is what happened to a container.
type event struct {
	Action string
	Actor  struct{ ID string }
}

// events calls f for what happens to containers until ctx is done or the engine ends it.
func (c *client) events(ctx context.Context, ready func(), f func(event)) error {
	body, err := c.get(ctx, "/events", url.Values{"filters": {`{"type":["container"],"event":["create","start","die","destroy","rename"]}`}})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	ready()
	for in := json.NewDecoder(&gauge{in: body}); ; {
		var e event
		if err := in.Decode(&e); err != nil {
			return err
		}
		f(e)
	}
}

// A gauge ends a stream that gives too much in one read of a value: an event is some
// kilobytes.
type gauge struct {
	in io.Reader
}

func (g *gauge) Read(p []byte) (int, error) {
	if len(p) > 1<<20 { // the decoder doubles its room for a value that does not end
		return 0, errors.New("an event of the engine does not end")
	}
	return g.in.Read(p)
}

// explain says what an error of the engine means, and the way out.
func (c *client) explain(err error) error {
	return fmt.Errorf("engine %s: %w: %s", c.at, err, cmp.Or(wayOut(err), "it is tried again"))
}

// wayOut says what to do about an error of the engine, or returns "".
func wayOut(err error) string {
	r := (*refusal)(nil)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return `add the socket's group to the container (group_add: ["GID"]), or better name a socket proxy that only lets GET through: url: http://socket-proxy:2375`
	case errors.Is(err, fs.ErrNotExist):
		return "mount the socket there, or name a socket proxy: url: http://socket-proxy:2375"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start the engine, or its proxy; it is tried again"
	case errors.As(err, &r) && r.code == http.StatusForbidden:
		return "let the proxy answer GET for containers and events (CONTAINERS=1, EVENTS=1)"
	case errors.As(err, &r) && strings.Contains(r.text, "logging driver"):
		return "give the container a log driver that can be read (json-file, local, journald), or read where its driver writes"
	}
	return ""
}
