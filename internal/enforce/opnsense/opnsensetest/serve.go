package opnsensetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/system"
)

// A call is one request on its way through the firewall.
type call struct {
	system.Commands
	method string
	query  string
	params []string       // path elements after the action
	post   map[string]any // nil if there is no usable body
	empty  bool           // the body says JSON and holds nothing
	user   *User
	req    *Request
	added  []netip.Prefix // what the call put into a table of pf
}

// text returns a posted field as PHP would coerce it to a string; ok is whether
// it is there.
func (c *call) text(field string) (text string, ok bool) {
	v, ok := c.post[field]
	if !ok || v == nil {
		return "", false
	}
	return model.Text(v), true
}

// A reply is what a call is answered with. A nil body is sent as nothing.
type reply struct {
	status   int
	body     any
	kind     string // Content-Type
	location string
}

// The product has two spellings of its content type: one for answers, one for
// what its error handler writes.
const (
	answered = "application/json; charset=UTF-8"
	thrown   = "application/json;charset=utf-8"
	html     = "text/html; charset=UTF-8"
)

func notFound() reply {
	return reply{status: 404, body: map[string]any{"errorMessage": "Endpoint not found"}, kind: thrown}
}

func unexpected() reply {
	return reply{status: 500, body: map[string]any{"errorMessage": "Unexpected error, check log for details"}, kind: thrown}
}

// refused is what the product says before an action runs.
func refused(code int, message string) reply {
	return reply{status: code, body: map[string]any{"status": code, "message": message}, kind: answered}
}

func unauthorized() reply { return refused(401, "Authentication Failed") }
func forbidden() reply    { return refused(403, "Forbidden") }

func ok(body any) reply        { return reply{status: 200, body: body, kind: answered} }
func status(word string) reply { return ok(map[string]any{"status": word}) }
func denied(who string) reply {
	return reply{status: 500, kind: thrown, body: map[string]any{
		"errorMessage": "User " + who + " denied for write access (user-config-readonly set)",
		"errorTitle":   "General access", "errorLevel": "error",
	}}
}

// ServeHTTP answers one call.
func (f *Firewall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	path := r.URL.EscapedPath()
	req := Request{Time: time.Now(), Method: r.Method, Path: path, Body: string(body)}
	fault, slow := f.nextFault()
	if fault.cuts(r) {
		f.note(req)
		panic(http.ErrAbortHandler)
	}
	rep, replaced := fault.reply()
	if !replaced {
		rep = f.answer(r, body, &req)
	} else if fault == Unauthorized {
		f.refuseSlowly(r)
	}
	req.Status = rep.status
	pause(r, slow)
	w.Header().Set("Content-Type", rep.kind)
	if rep.location != "" {
		w.Header().Set("Location", rep.location)
	}
	if _, _, controller, _ := f.route(path); controller {
		w.Header().Set("Cache-Control", "no-store, no-cache, must-revalidate")
		w.Header().Set("Set-Cookie", "PHPSESSID=0123456789abcdef; path=/; secure; HttpOnly; SameSite=Lax")
	}
	f.note(req)
	fault.write(w, rep)
}

func (f *Firewall) note(r Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r)
}

// answer follows the product's order: the path, the key, the privilege, the
// body, and only then the action.
func (f *Firewall) answer(r *http.Request, body []byte, req *Request) reply {
	e, params, _, found := f.route(req.Path)
	if !found {
		return notFound()
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return reply{status: 302, kind: html, location: "/?url=" + req.Path}
	}
	user, known := f.user(header)
	if user == nil {
		if known {
			f.refuseSlowly(r)
		}
		return unauthorized()
	}
	req.User = user.Name
	if !user.may(req.Path) || !f.near(user, r) {
		return forbidden()
	}
	c := &call{method: r.Method, query: r.URL.RawQuery, params: params, user: user, req: req}
	c.read(r.Header.Get("Content-Type"), body)
	if c.empty {
		return refused(400, "Invalid JSON syntax")
	}
	f.lock <- struct{}{}
	defer func() { <-f.lock }()
	if f.o.Latency || f.o.PerCall > 0 {
		pause(r, f.cost(c))
	}
	if e.fetches {
		f.fetch(false)
	}
	rep := f.act(e, c)
	req.Pfctl = c.Commands
	for _, p := range c.added {
		if f.o.OnAdd != nil {
			f.o.OnAdd(c.params[0], p)
		}
	}
	return rep
}

// refuseSlowly is the delay of bad credentials, which there is since 25.1.
func (f *Firewall) refuseSlowly(r *http.Request) {
	if (f.o.Latency || f.o.PerCall > 0) && f.sys.Conf.Version.Since(25, 1) {
		pause(r, badLogin)
	}
}

// near reports whether the client is where the user's group may come from. Calls
// in process come from the loopback.
func (f *Firewall) near(u *User, r *http.Request) bool {
	if len(u.From) == 0 || !f.sys.Conf.Version.Since(25, 7) {
		return true
	}
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(u.From, func(p netip.Prefix) bool { return p.Contains(client.Addr().Unmap()) })
}

func (f *Firewall) act(e endpoint, c *call) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	return e.answer(f, c)
}

// user finds who an Authorization header belongs to. The scheme is not looked
// at. The second result is false for a header that nobody could own.
func (f *Firewall) user(header string) (*User, bool) {
	_, word, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(word)
	key, secret, isPair := strings.Cut(string(raw), ":")
	if err != nil || !isPair {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.o.Users {
		if u.Key == key && u.Secret == secret && !u.Disabled {
			return &u, true
		}
	}
	return nil, true
}

// read takes the posted fields from the body. Content that is not understood is
// no error: there just are no fields.
func (c *call) read(kind string, body []byte) {
	kind = strings.ToLower(strings.ReplaceAll(kind, " ", ""))
	switch {
	case kind == "application/json" || kind == "application/json;charset=utf-8":
		c.empty = len(body) == 0
		numbers := json.NewDecoder(bytes.NewReader(body))
		numbers.UseNumber()
		if numbers.Decode(&c.post) != nil {
			c.post = nil
		}
	case c.method != http.MethodPost:
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		values, _ := url.ParseQuery(string(body))
		c.post = nested(values)
	case strings.HasPrefix(kind, "multipart/form-data"):
		_, words, _ := mime.ParseMediaType(kind)
		form, err := multipart.NewReader(bytes.NewReader(body), words["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return
		}
		c.post = nested(form.Value)
	}
}

// nested makes fields of a form, where alias[name] is the field name of alias.
func nested(values url.Values) map[string]any {
	out := map[string]any{}
	for field := range values {
		root, name, inside := strings.Cut(strings.TrimSuffix(field, "]"), "[")
		if !inside {
			out[field] = values.Get(field)
			continue
		}
		object, _ := out[root].(map[string]any)
		if object == nil {
			object = map[string]any{}
			out[root] = object
		}
		object[name] = values.Get(field)
	}
	return out
}
