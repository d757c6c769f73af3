// Package ntfytest is a fake ntfy server for tests and for the demo: publishing,
// access, limits and polling as the real ntfy 2.13.0 was seen to do them with
// "auth-default-access: deny-all" and defaults otherwise. The recorded pairs in
// testdata hold it to that.
//
// It is strict: what ntfy would swallow but no careful client should send is
// kept in Odd. It keeps everything in memory and is no server to rely on.
package ntfytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options says how the server is set up.
type Options struct {
	Users       []User
	Daily       int  // visitor-message-daily-limit; 0 for none
	Attachments bool // whether a text that is too long becomes a file, instead of an error
}

// A Server is a fake ntfy server. It is an http.Handler, and Transport reaches it
// without a network.
type Server struct {
	opt Options

	mu       sync.Mutex
	users    []User
	visitors map[string]*visitor
	messages []Message
	requests int
	odd      []string
	fault    Fault
	times    int
}

// New returns a server with the users of opt and no messages.
func New(opt Options) *Server {
	return &Server{opt: opt, users: slices.Clone(opt.Users), visitors: make(map[string]*visitor)}
}

// Messages returns what was published to the topic, in order, delayed and
// uncached messages included.
func (s *Server) Messages(topic string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ms []Message
	for _, m := range s.messages {
		if m.Topic == topic {
			ms = append(ms, m)
		}
	}
	return ms
}

// Requests returns how many requests came, those that a fault ate included.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Odd returns what came that a careful client does not send.
func (s *Server) Odd() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.odd)
}

// ServeHTTP answers as ntfy does, or fails as Fail said.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRead))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fault := s.arrive()
	switch fault {
	case Down:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Broken:
		refuse(w, errInternal)
		return
	}
	answer, err := s.answer(r, body)
	if fault == LostAnswer {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", answer.kind)
	_, _ = w.Write(answer.body) // a client that is gone needs no answer
}

const maxRead = 1 << 20

// An answer is a 200.
type answer struct {
	kind string
	body []byte
}

func inJSON(v any) (answer, error) {
	body, err := json.Marshal(v)
	return answer{"application/json", append(body, '\n')}, err
}

// A refusal is an error as ntfy puts it into JSON.
type refusal struct {
	Code   int    `json:"code"`
	Status int    `json:"http"`
	Text   string `json:"error"`
	Link   string `json:"link,omitempty"`
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.Code, r.Text) }

const docs = "https://ntfy.sh/docs/"

var (
	errPriority    = refusal{40007, 400, "invalid priority parameter", docs + "publish/#message-priority"}
	errSince       = refusal{40008, 400, "invalid since parameter", docs + "subscribe/api/#fetch-cached-messages"}
	errTopic       = refusal{40009, 400, "invalid request: topic invalid", ""}
	errDelay       = refusal{40004, 400, "invalid delay parameter: unable to parse delay", docs + "publish/#scheduled-delivery"}
	errAttachment  = refusal{40014, 400, "invalid request: attachments not allowed", docs + "config/#attachments"}
	errActions     = refusal{40018, 400, "invalid request: actions invalid", docs + "publish/#action-buttons"}
	errJSON        = refusal{40024, 400, "invalid request: request body must be valid JSON", ""}
	errUnknown     = refusal{40101, 401, "unauthorized", docs + "publish/#authentication"}
	errForbidden   = refusal{40301, 403, "forbidden", docs + "publish/#authentication"}
	errNotFound    = refusal{40401, 404, "page not found", ""}
	errJSONTooBig  = refusal{41303, 413, "JSON body too large", ""}
	errRequests    = refusal{42901, 429, "limit reached: too many requests", docs + "publish/#limitations"}
	errMessages    = refusal{42908, 429, "limit reached: daily message quota reached", docs + "publish/#limitations"}
	errAuthFailure = refusal{42909, 429, "limit reached: too many auth failures", docs + "publish/#limitations"}
	errInternal    = refusal{50001, 500, "internal server error", ""}
)

func refuse(w http.ResponseWriter, err error) {
	r, ok := errors.AsType[refusal](err)
	if !ok {
		r = errInternal
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.Status)
	_ = json.NewEncoder(w).Encode(r) // a client that is gone needs no answer
}

var (
	topicPath = regexp.MustCompile(`^/[-_A-Za-z0-9]{1,64}$`)
	pollPath  = regexp.MustCompile(`^/([-_A-Za-z0-9]{1,64})/json$`)
)

// answer does what r asks. A bad token is found out before anything else; the
// bucket is charged before the rights are looked at, and not for what is no
// request to a topic.
func (s *Server) answer(r *http.Request, body []byte) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitor(r)
	u, err := s.authenticate(r, v)
	if err != nil {
		return answer{}, err
	}
	publishes := r.Method == http.MethodPost || r.Method == http.MethodPut
	switch path := r.URL.Path; {
	case r.Method == http.MethodGet && path == "/v1/health":
		return inJSON(map[string]bool{"healthy": true})
	case r.Method == http.MethodGet && path == "/v1/account" && u != nil:
		return s.account(v, u)
	case publishes && path == "/":
		p, err := s.fromJSON(body)
		if err != nil {
			return answer{}, err
		}
		p.host = r.Host
		return s.publish(v, u, p)
	case publishes && topicPath.MatchString(path):
		return s.publish(v, u, fromHeaders(r, body))
	case r.Method == http.MethodGet && pollPath.MatchString(path) && r.URL.Query().Get("poll") == "1":
		return s.poll(v, u, pollPath.FindStringSubmatch(path)[1], r.URL.Query().Get("since"))
	}
	s.odd = append(s.odd, "nothing is known of "+r.Method+" "+r.URL.Path)
	return answer{}, errNotFound
}

// account returns what a user may know of itself; of the recorded fields those that
// do not depend on the server's limits.
func (s *Server) account(v *visitor, u *User) (answer, error) {
	if !v.requests.take(time.Now()) {
		return answer{}, errRequests
	}
	type token struct {
		Token   string `json:"token"`
		Expires int64  `json:"expires,omitempty"`
	}
	tokens := []token{}
	for text, end := range u.Tokens {
		t := token{Token: text}
		if !end.IsZero() {
			t.Expires = end.Unix()
		}
		tokens = append(tokens, t)
	}
	return inJSON(map[string]any{"username": u.Name, "role": "user", "tokens": tokens})
}

// poll returns the cached messages of a topic, a JSON object a line.
func (s *Server) poll(v *visitor, u *User, topic, since string) (answer, error) {
	now := time.Now()
	if !v.requests.take(now) {
		return answer{}, errRequests
	}
	if u == nil || !allows(u.Read, topic) {
		return answer{}, errForbidden
	}
	var after time.Time
	if since != "" && since != "all" {
		d, err := time.ParseDuration(since)
		if err != nil {
			return answer{}, errSince
		}
		after = now.Add(-d)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, m := range s.messages {
		if m.Topic == topic && m.Expires > now.Unix() && m.Time >= after.Unix() && m.Time <= now.Unix() {
			if err := e.Encode(m); err != nil {
				return answer{}, err
			}
		}
	}
	return answer{"application/x-ndjson; charset=utf-8", b.Bytes()}, nil
}

func randomID(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	for range n {
		b.WriteByte(letters[rand.IntN(len(letters))])
	}
	return b.String()
}
