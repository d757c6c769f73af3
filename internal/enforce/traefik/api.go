package traefik

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	answering = 5 * time.Second // one call of the API
	maxAnswer = 8 << 20         // bytes: a rule of 5,000 networks has 250 kB
)

// A state is what Traefik's API says of a router.
type state struct {
	Rule   string   `json:"rule"`
	Status string   `json:"status"` // enabled, warning, disabled
	Using  []string `json:"using"`  // the entry points that it is on
	Error  []string `json:"error"`
}

var errNone = errors.New("there is no such router")

// enabled returns which of the entries every router has, and has enabled, and what
// is still in one although the document does not name it any more.
func (d *Door) enabled(ctx context.Context, entries []netip.Prefix) []netip.Prefix {
	held, old := slices.Clone(entries), []netip.Prefix{}
	var trouble error
	for _, r := range routers(d.config) {
		s, err := d.ask(ctx, r)
		switch {
		case errors.Is(err, errNone):
			held = nil
			continue
		case err != nil:
			return d.unproven(entries, fmt.Errorf("the API at %s: %w", d.config.API, err))
		}
		ps := clients(s.Rule)
		if err := s.usable(r); err != nil {
			trouble, ps = edgeban.Permanent(err), nil
		}
		held = slices.DeleteFunc(held, func(p netip.Prefix) bool { return !covered(p, ps) })
		old = append(old, slices.DeleteFunc(ps, func(p netip.Prefix) bool { return touches(p, entries) })...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proven, d.trouble, d.asked = canonical(append(held, old...)), trouble, time.Now()
	return d.proven
}

// unproven returns which of the entries were proven when the API answered last.
func (d *Door) unproven(entries []netip.Prefix, err error) []netip.Prefix {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble = err
	return slices.DeleteFunc(slices.Clone(d.proven), func(p netip.Prefix) bool { return !slices.Contains(entries, p) })
}

// usable says why a router does not do what it is there for, or returns nil.
func (s state) usable(r router) error {
	if s.Status != "enabled" {
		return fmt.Errorf("its router is not enabled: Traefik has %s: %s %s", r.name, clean(s.Status), clean(strings.Join(s.Error, "; ")))
	}
	for _, p := range r.points {
		if !slices.Contains(s.Using, p) {
			return fmt.Errorf("its router %s is not on the entry point %s: has Traefik one of that name?", r.name, p)
		}
	}
	return nil
}

// covered reports whether p lies in one of ps.
func covered(p netip.Prefix, ps []netip.Prefix) bool {
	return slices.ContainsFunc(ps, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
}

// touches reports whether p overlaps one of ps.
func touches(p netip.Prefix, ps []netip.Prefix) bool {
	return slices.ContainsFunc(ps, p.Overlaps)
}

// provider is what Traefik calls where the document comes from.
func (d *Door) provider() string {
	if d.config.File != "" {
		return "file"
	}
	return "http"
}

// ask asks the API for a router.
func (d *Door) ask(ctx context.Context, r router) (s state, err error) {
	at, err := url.JoinPath(d.config.API, "api", r.kind, "routers", r.name+"@"+d.provider())
	if err != nil {
		return s, errors.New("the configured api is no URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return s, errors.New("the configured api is no URL")
	}
	if d.config.User != "" {
		req.SetBasicAuth(d.config.User, d.config.Password.Reveal())
	}
	resp, err := d.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return s, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return s, err
	case resp.StatusCode == http.StatusNotFound && unknown(text):
		return s, errNone
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return s, edgeban.Permanent(fmt.Errorf("it answers %d: api_user and api_password are not right", resp.StatusCode))
	case resp.StatusCode == http.StatusNotFound:
		// Also for a moment at its start, before it has read its configuration.
		return s, errors.New("it answers 404: Traefik needs api: {} and a router to it, or api: {insecure: true}")
	case resp.StatusCode != http.StatusOK:
		return s, fmt.Errorf("it answers %d", resp.StatusCode)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Status == "" {
		return s, errors.New("the answer is not Traefik's: something else listens there")
	}
	return s, nil
}

// unknown reports whether an answer is the API's that there is no such router. It is
// JSON, called text/plain; a page that is not found is not.
func unknown(answer []byte) bool {
	var a struct {
		Message string `json:"message"`
	}
	return json.Unmarshal(answer, &a) == nil && strings.Contains(a.Message, "not found")
}

// clean makes what another machine said fit for a terminal.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}
