package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Handler serves the API of b. Whoever reaches it may ban: it belongs on a
// socket that only its owner can open.
func Handler(b Backend, log *slog.Logger) http.Handler {
	s := server{b, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", plain(s, b.Status))
	mux.HandleFunc("GET /v1/bans", s.bans)
	mux.HandleFunc("GET /v1/why", about(s, b.Why))
	mux.HandleFunc("POST /v1/ban", s.ban)
	mux.HandleFunc("POST /v1/unban", about(s, b.Unban))
	mux.HandleFunc("POST /v1/adopt", plain(s, b.Adopt))
	return mux
}

// Health answers /healthz: 200 while the daemon is healthy, 503 with its
// troubles otherwise. It tells nothing that an attacker could use.
func Health(b Backend) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		st, err := b.Status(r.Context())
		if err != nil || !st.Healthy {
			http.Error(w, "trouble: run edgeban status", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	})
	return mux
}

// Serve serves h on l until ctx is done, and gives requests under way 2 s to end.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		srv.Close()
	}
	<-done
	return nil
}

type server struct {
	b   Backend
	log *slog.Logger
}

const maxBody = 64 << 10

func (s server) ban(w http.ResponseWriter, r *http.Request) {
	var req BanRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		s.fail(w, &BadRequest{"the request is not JSON: " + err.Error()})
		return
	}
	v, err := s.b.Ban(r.Context(), req)
	answer(s, w, v, err)
}

// bans writes one ban after the other: there may be so many that they are not to
// be held at once.
func (s server) bans(w http.ResponseWriter, r *http.Request) {
	bans, err := s.b.Bans(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 64<<10)
	enc, before := json.NewEncoder(out), ""
	_ = out.WriteByte('[') // an error stays until the flush
	for b := range bans {
		_, _ = out.WriteString(before)
		if err := enc.Encode(b); err != nil {
			s.log.Debug("answer not sent", "err", err)
			return
		}
		before = ","
	}
	_, _ = out.WriteString("]\n")
	if err := out.Flush(); err != nil {
		s.log.Debug("answer not sent", "err", err)
	}
}

// plain serves a call without parameters.
func plain[T any](s server, f func(context.Context) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r.Context())
		answer(s, w, v, err)
	}
}

// about serves a call about an address.
func about[T any](s server, f func(context.Context, netip.Prefix) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := ParsePrefix(r.FormValue("address"))
		if err != nil {
			s.fail(w, err)
			return
		}
		v, err := f(r.Context(), p)
		answer(s, w, v, err)
	}
}

// answer writes what a Backend returned.
func answer[T any](s server, w http.ResponseWriter, v T, err error) {
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("answer not sent", "err", err)
	}
}

func (s server) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if _, ok := errors.AsType[*BadRequest](err); ok {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(failure{err.Error()}); err != nil {
		s.log.Debug("answer not sent", "err", err)
	}
}

type failure struct {
	Error string `json:"error"`
}

// ParsePrefix reads an address or a network as a person writes it.
func ParsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return Canonical(p), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, &BadRequest{text + " is neither an address nor a network; write 203.0.113.9, 2001:db8::1 or 2001:db8::/64"}
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// Canonical returns p without host bits, and as IPv4 if it is IPv4 written as IPv6.
func Canonical(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
