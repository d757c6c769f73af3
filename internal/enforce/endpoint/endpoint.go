// Package endpoint is what the endpoints that targets serve have in common: bounded
// connections, who may ask, and how little is said to whoever may not.
//
// It knows nothing of bans.
package endpoint

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	shutdown  = 2 * time.Second // for answers under way at the end
	quiet     = time.Minute     // between two lines about refused clients
	sending   = 2 * time.Minute // one whole answer
	maxHeader = 8 << 10         // bytes
)

// Serve answers on ln until ctx is done, and closes it then.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      sending,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
		defer cancel()
		if srv.Shutdown(last) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(ln)
	if !stop() { // ctx is done
		<-closed
		return nil
	}
	_ = srv.Close()
	return err
}

// Access says who may ask.
type Access struct {
	Allow []netip.Prefix // clients that need no token
	Token config.Secret  // may be empty
}

// Admit returns 200 if the client may ask, else what to answer. Tokens returns
// those that a request brings. Without a token and an allow list only this machine
// may.
func (a Access) Admit(r *http.Request, tokens func(*http.Request) []string) int {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := client.Addr().Unmap().WithZone("")
	switch {
	case err == nil && a.Allows(addr):
		return http.StatusOK
	case !a.Token.Empty():
		if a.HasToken(tokens(r)) {
			return http.StatusOK
		}
		return http.StatusUnauthorized
	case len(a.Allow) == 0 && err == nil && addr.IsLoopback():
		return http.StatusOK
	}
	return http.StatusForbidden
}

// Allows reports whether a client needs no token.
func (a Access) Allows(client netip.Addr) bool {
	for _, p := range a.Allow {
		if p.Contains(client) {
			return true
		}
	}
	return false
}

// HasToken reports whether the token is among those given. How long that takes says
// nothing about it.
func (a Access) HasToken(given []string) bool {
	want, has := sha256.Sum256([]byte(a.Token.Reveal())), false
	for _, g := range given {
		got := sha256.Sum256([]byte(g))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			has = true
		}
	}
	return has && !a.Token.Empty()
}

// Bearer returns the token of the Authorization header, if there is one.
func Bearer(r *http.Request) []string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return []string{strings.TrimSpace(token)}
	}
	return nil
}

// Refusals says which clients are refused: the commonest reason why nothing comes of
// a list is a wrong token. It does so seldom, because anybody may knock.
type Refusals struct {
	mu    sync.Mutex
	said  time.Time
	since int
}

// Say logs that a client of what was refused.
func (r *Refusals) Say(log *slog.Logger, what, client string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since++
	if !r.said.IsZero() && time.Since(r.said) < quiet {
		return
	}
	log.Warn("client refused", "endpoint", what, "client", client, "status", status, "times", r.since)
	r.said, r.since = time.Now(), 0
}
