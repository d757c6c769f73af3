package opnsensetest

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/cert"
)

type listeners struct {
	mu      sync.Mutex
	servers []*http.Server
	cert    *tls.Certificate
}

// Listen serves plain HTTP on a random port of the loopback until Close, and
// returns the URL.
func (f *Firewall) Listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.serve(l, f)
	return "http://" + l.Addr().String(), nil
}

// ListenTLS is Listen with the self-signed certificate that a new firewall has.
func (f *Firewall) ListenTLS() (string, error) { return f.ListenTLSAt("127.0.0.1:0") }

// ListenTLSAt is ListenTLS at an address.
func (f *Firewall) ListenTLSAt(addr string) (string, error) {
	cert, err := f.certificate()
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	url := "https://" + l.Addr().String()
	f.serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"http/1.1"}}), f)
	return url, nil
}

// ListenRedirect serves what port 80 of a firewall does: every call is sent on
// to url, with 301.
func (f *Firewall) ListenRedirect(url string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.serve(l, Redirect(url))
	return "http://" + l.Addr().String(), nil
}

// Redirect is what port 80 of a firewall answers.
func Redirect(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", url+r.URL.EscapedPath())
		w.WriteHeader(http.StatusMovedPermanently)
	})
}

func (f *Firewall) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: 10 * time.Second}
	f.open.mu.Lock()
	f.open.servers = append(f.open.servers, s)
	f.open.mu.Unlock()
	go func() { _ = s.Serve(l) }() // ends with Close, which is its only error
}

// Close ends every listener.
func (f *Firewall) Close() error {
	f.open.mu.Lock()
	defer f.open.mu.Unlock()
	for _, s := range f.open.servers {
		s.Close()
	}
	f.open.servers = nil
	return nil
}

// Pin returns the pin of the certificate that ListenTLS serves.
func (f *Firewall) Pin() (string, error) {
	cert, err := f.certificate()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// CA returns the certificate that ListenTLS serves, as PEM.
func (f *Firewall) CA() ([]byte, error) {
	cert, err := f.certificate()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), nil
}

func (f *Firewall) certificate() (*tls.Certificate, error) {
	f.open.mu.Lock()
	defer f.open.mu.Unlock()
	if f.open.cert != nil {
		return f.open.cert, nil
	}
	until := time.Now().Add(397 * 24 * time.Hour)
	if f.o.Expired {
		until = time.Now().Add(-time.Minute)
	}
	made, err := cert.New(until)
	if err != nil {
		return nil, err
	}
	f.open.cert = made
	return made, nil
}
