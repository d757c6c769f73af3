package traefik

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

// A fetch is when the document was taken, by whom, and what was in it.
type fetch struct {
	at      time.Time
	by      string
	entries []netip.Prefix
}

// Addr returns where the document is to be served; empty for nowhere.
func (d *Door) Addr() string {
	if d.config.File != "" {
		return ""
	}
	return d.config.Listen
}

// Serve answers Traefik's HTTP provider on ln until ctx is done.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error {
	ln = endpoint.Limit(ln, endpoint.Usual)
	if d.config.Cert != "" {
		ln = tls.NewListener(ln, &tls.Config{GetCertificate: d.certificate, NextProtos: []string{"http/1.1"}})
	}
	d.log.Info("routers are served to Traefik", "listen", ln.Addr().String())
	if err := endpoint.Serve(ctx, ln, d.Handler(), d.log); err != nil {
		return fmt.Errorf("traefik: serve: %w", err)
	}
	return nil
}

// certificate reads the certificate each time: whoever renews it needs to tell nobody.
func (d *Door) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(d.config.Cert, d.config.Key)
	if err != nil {
		d.log.Warn("certificate not read", "err", err)
		return nil, err
	}
	return &c, nil
}

// Handler answers requests for the document. Without one it answers 503, at which
// Traefik keeps what it has.
func (d *Door) Handler() http.Handler { return http.HandlerFunc(d.answer) }

func (d *Door) answer(w http.ResponseWriter, r *http.Request) {
	access := endpoint.Access{Allow: d.config.Allow, Token: d.config.Token}
	if status := access.Admit(r, endpoint.Bearer); status != http.StatusOK {
		d.refused.Say(d.log, "traefik", r.RemoteAddr, status)
		w.Header().Set("Connection", "close") // it keeps no place of those who may ask
		http.Error(w, http.StatusText(status), status)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		http.Error(w, "the routers can only be read", http.StatusMethodNotAllowed)
		return
	}
	text := d.present()
	if text == nil {
		http.Error(w, "the bans are not known yet", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if n, err := w.Write(text); err != nil || n < len(text) {
		return
	}
	by := r.RemoteAddr
	if a, err := netip.ParseAddrPort(by); err == nil {
		by = a.Addr().Unmap().String()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetched = fetch{time.Now(), by, named(text)}
}

// present returns what is served: at first the last copy, if it is whole.
func (d *Door) present() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.served == nil {
		text, err := d.read()
		if err == nil && len(text) > 0 && string(render(d.config, named(text))) == string(text) {
			d.served = text
		}
	}
	return d.served
}
