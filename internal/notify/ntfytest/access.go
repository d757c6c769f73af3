package ntfytest

import (
	"encoding/base64"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// A User may publish and read what its patterns name; * stands for anything.
type User struct {
	Name     string
	Password string
	Tokens   map[string]time.Time // when each ends; zero for never
	Write    []string
	Read     []string
}

// Allow adds u, in place of a user of that name.
func (s *Server) Allow(u User) {
	s.Forget(u.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, u)
}

// Forget removes a user with its tokens.
func (s *Server) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = slices.DeleteFunc(s.users, func(u User) bool { return u.Name == name })
}

func allows(patterns []string, topic string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, topic)
		return ok && err == nil
	})
}

// authenticate returns who sent r, or nil for nobody. An address that was wrong
// too often is refused even if it is right now.
func (s *Server) authenticate(r *http.Request, v *visitor) (*User, error) {
	header := r.Header.Get("Authorization")
	if q := r.URL.Query().Get("auth"); q != "" {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(q, "="))
		if err != nil {
			return nil, errUnknown
		}
		header = string(raw)
		r.Header.Set("Authorization", header)
	}
	if header == "" {
		return nil, nil
	}
	now := time.Now()
	if !v.failures.has(now) {
		return nil, errAuthFailure
	}
	if u := s.known(r, now); u != nil {
		return u, nil
	}
	v.failures.take(now)
	return nil, errUnknown
}

// known returns the user whose token or password r carries.
func (s *Server) known(r *http.Request, now time.Time) *User {
	name, secret, basic := r.BasicAuth()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if basic && name == "" {
		token, bearer, basic = secret, true, false
	}
	for i, u := range s.users {
		end, has := u.Tokens[token]
		switch {
		case bearer && has && (end.IsZero() || now.Before(end)),
			basic && name == u.Name && secret == u.Password:
			return &s.users[i]
		}
	}
	return nil
}
