package feed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

const (
	retryAfter = 10 // seconds, when there is no list yet
	realm      = `realm="edgeban"`
)

// Serve answers on ln until ctx is done, and closes it then.
func (f *Feed) Serve(ctx context.Context, ln net.Listener) error {
	f.log.Info("feed is served", "listen", ln.Addr().String())
	if err := endpoint.Serve(ctx, endpoint.Limit(ln, endpoint.Usual), f.Handler(), f.log); err != nil {
		return fmt.Errorf("feed: serve: %w", err)
	}
	return nil
}

// Handler answers requests for the list.
func (f *Feed) Handler() http.Handler { return http.HandlerFunc(f.answer) }

func (f *Feed) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	if status := f.admit(r); status != http.StatusOK {
		f.refused.Say(f.log, "feed", r.RemoteAddr, status)
		w.Header().Set("Connection", "close") // it keeps no place of those who may ask
		if status == http.StatusUnauthorized {
			w.Header().Add("WWW-Authenticate", "Bearer "+realm)
			w.Header().Add("WWW-Authenticate", "Basic "+realm)
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the list can only be read", http.StatusMethodNotAllowed)
		return
	}
	isJSON := r.URL.Path == "/bans.json"
	if p := r.URL.Path; !isJSON && p != "/" && p != "/bans" && p != "/bans.txt" {
		http.Error(w, "there are /bans.txt and /bans.json", http.StatusNotFound)
		return
	}
	page := f.current()
	if page == nil {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		http.Error(w, "the list is not known yet", http.StatusServiceUnavailable)
		return
	}
	f.fetched.Store(&fetch{time.Now(), r.RemoteAddr})
	if isJSON {
		page.json().send(w, r, page.updated)
		return
	}
	page.text.send(w, r, page.updated)
}

// A fetch is when the list was asked for last, and by whom.
type fetch struct {
	at time.Time
	by string
}

// Notes says for status whether anybody takes the list: that it is served holds
// nobody.
func (f *Feed) Notes() []string {
	last := f.fetched.Load()
	if last == nil {
		return []string{"a list holds only what somebody pulls: nobody has fetched it since the start"}
	}
	by := last.by
	if a, err := netip.ParseAddrPort(by); err == nil {
		by = a.Addr().Unmap().String()
	}
	return []string{"fetched last at " + last.at.Format("Jan _2 15:04:05") + " by " + by}
}

// Gap implements enforce.Prober: a list stops nobody while nobody takes it.
func (f *Feed) Gap(_ context.Context, _ netip.Addr, since time.Time) (enforce.Gap, error) {
	last := f.fetched.Load()
	if last != nil && last.at.After(since) {
		return enforce.Gap{}, nil
	}
	if f.made.After(since) {
		since = f.made
	}
	return enforce.Gap{Kind: enforce.Unfetched, Text: fmt.Sprintf("Nobody has fetched the list at %s since %s: "+
		"look at the alias that is to pull it, and at its refresh frequency.", f.config.Listen, since.Local().Format("Jan _2 15:04"))}, nil
}

// send sends b, or that it has not changed.
func (b body) send(w http.ResponseWriter, r *http.Request, updated time.Time) {
	h := w.Header()
	h.Set("Content-Type", b.kind)
	h.Add("Vary", "Accept-Encoding")
	data, tag := b.plain, b.tag
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		data, tag = b.zipped(), b.tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	// A second may see several lists, so that its date names none of them while
	// it lasts; the tag always does.
	dated := time.Since(updated) >= time.Second
	if dated {
		h.Set("Last-Modified", updated.Format(http.TimeFormat))
	}
	if unchanged(r, tag, dated, updated) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // the client's loss
	}
}

// unchanged reports whether the client has this very list already. A date must
// be the same, not merely later: clocks step back.
func unchanged(r *http.Request, tag string, dated bool, updated time.Time) bool {
	tags := r.Header.Values("If-None-Match")
	if len(tags) == 0 {
		since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
		return err == nil && dated && updated.Equal(since)
	}
	for _, t := range strings.Split(strings.Join(tags, ","), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == `"`+tag+`"` || t == "*" {
			return true
		}
	}
	return false
}

// takesGzip reads Accept-Encoding.
func takesGzip(values []string) bool {
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !ok || err == nil && weight > 0
	}
	return false
}

// admit returns 200 if the client may read the list, else what to answer.
func (f *Feed) admit(r *http.Request) int {
	access := endpoint.Access{Allow: f.config.Allow, Token: f.config.Token}
	return access.Admit(r, f.tokens)
}

// tokens looks for a token wherever a firewall can put it.
func (f *Feed) tokens(r *http.Request) (given []string) {
	given = endpoint.Bearer(r)
	if _, password, ok := r.BasicAuth(); ok {
		given = append(given, password)
	}
	if token := r.URL.Query().Get("token"); token != "" {
		given = append(given, token)
	}
	return given
}
