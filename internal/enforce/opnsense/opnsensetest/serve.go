package opnsensetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A call is one request on its way through the firewall.
type call struct {
	method string
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
	return fmt.Sprint(v), true
}

func (c *call) ran(status int, command string) {
	c.req.Pfctl = append(c.req.Pfctl, fmt.Sprintf("rc=%d pfctl %s", status, command))
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

// An endpoint is one action of the API. Its name is the path without case and
// underscores: the router takes every spelling, the privileges only one.
type endpoint struct {
	params int // how many it needs
	answer func(*Firewall, *call) reply
}

func endpoints() map[string]endpoint {
	return map[string]endpoint{
		"firewall/aliasutil/add":            {1, (*Firewall).add},
		"firewall/aliasutil/delete":         {1, (*Firewall).delete},
		"firewall/aliasutil/flush":          {1, (*Firewall).flush},
		"firewall/aliasutil/list":           {1, (*Firewall).list},
		"firewall/aliasutil/aliases":        {0, (*Firewall).tableNames},
		"firewall/aliasutil/findreferences": {0, (*Firewall).findReferences},
		"firewall/alias/getaliasuuid":       {1, (*Firewall).aliasUUID},
		"firewall/alias/getitem":            {0, (*Firewall).aliasItem},
		"firewall/alias/reconfigure":        {0, (*Firewall).apply},
		"firewall/alias/searchitem":         {0, unmodelled},
		"firewall/filter/apply":             {0, (*Firewall).applyFilter},
		"diagnostics/firewall/killstates":   {0, (*Firewall).killStates},
		"diagnostics/firewall/delstate":     {2, (*Firewall).delState},
		"core/system/status":                {0, unmodelled},
		"core/menu/search":                  {0, func(*Firewall, *call) reply { return ok([]any{}) }},
	}
}

func unmodelled(*Firewall, *call) reply {
	return reply{status: 501, body: map[string]any{"errorMessage": "opnsensetest does not know how this is answered"}, kind: thrown}
}

// route finds the endpoint of a path and its parameters. Path elements are not
// decoded.
func route(path string) (e endpoint, params []string, controller, found bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/api/"), "/")
	if !strings.HasPrefix(path, "/api/") || len(parts) < 3 {
		return endpoint{}, nil, false, false
	}
	name := strings.ToLower(strings.ReplaceAll(strings.Join(parts[:3], "/"), "_", ""))
	all := endpoints()
	for known := range all {
		controller = controller || strings.HasPrefix(known, name[:strings.LastIndex(name, "/")+1])
	}
	e, found = all[name]
	return e, parts[3:], controller, found && len(parts)-3 >= e.params
}

// patterns are the url patterns of a privilege, without their final star.
func patterns(privilege string) []string {
	switch privilege {
	case Tables:
		return []string{"/api/firewall/alias_util/"}
	case ShowStates:
		return []string{"/api/diagnostics/firewall/query_states", "/api/diagnostics/firewall/del_state", "/api/diagnostics/firewall/kill_states"}
	case AliasEdit:
		return []string{"/api/firewall/alias/"}
	case AliasView:
		return []string{"/api/firewall/alias/export", "/api/firewall/alias/get", "/api/firewall/alias/search", "/api/firewall/alias/list"}
	case FilterAPI:
		return []string{"/api/firewall/filter/"}
	case SystemState:
		return []string{"/api/core/system/status"}
	case All:
		return []string{"/"}
	}
	return nil
}

func (u *User) may(path string) bool {
	if strings.HasPrefix(path, "/api/core/menu/") {
		return true
	}
	return slices.ContainsFunc(u.Privileges, func(privilege string) bool {
		return slices.ContainsFunc(patterns(privilege), func(p string) bool { return strings.HasPrefix(path, p) })
	})
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
	} else if fault == Unauthorized && f.o.Latency {
		pause(r, badLogin)
	}
	req.Status = rep.status
	pause(r, slow)
	w.Header().Set("Content-Type", rep.kind)
	if rep.location != "" {
		w.Header().Set("Location", rep.location)
	}
	if _, _, controller, _ := route(path); controller {
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
	e, params, _, found := route(req.Path)
	if !found {
		return notFound()
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return reply{status: 302, kind: html, location: "/?url=" + req.Path}
	}
	user, known := f.user(header)
	if user == nil {
		if known && f.o.Latency {
			pause(r, badLogin)
		}
		return unauthorized()
	}
	req.User = user.Name
	if !user.may(req.Path) {
		return forbidden()
	}
	c := &call{method: r.Method, params: params, user: user, req: req}
	c.read(r.Header.Get("Content-Type"), body)
	if c.empty {
		return refused(400, "Invalid JSON syntax")
	}
	f.lock <- struct{}{}
	defer func() { <-f.lock }()
	if f.o.Latency {
		pause(r, f.cost(c))
	}
	rep := f.act(e, c)
	for _, p := range c.added {
		if f.o.OnAdd != nil {
			f.o.OnAdd(c.params[0], p)
		}
	}
	return rep
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
	for i := range f.o.Users {
		u := &f.o.Users[i]
		if u.Key == key && u.Secret == secret && !u.Disabled {
			return u, true
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
		c.post = map[string]any{}
		for field := range values {
			c.post[field] = values.Get(field)
		}
	case strings.HasPrefix(kind, "multipart/form-data"):
		_, words, _ := mime.ParseMediaType(kind)
		form, err := multipart.NewReader(bytes.NewReader(body), words["boundary"]).ReadForm(1 << 20)
		if err != nil {
			return
		}
		c.post = map[string]any{}
		for field, values := range form.Value {
			c.post[field] = values[0]
		}
	}
}
