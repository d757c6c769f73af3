package opnsensetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
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
func (f *Firewall) ListenTLS() (string, error) {
	cert, err := f.certificate()
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
	f.serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", url+r.URL.EscapedPath())
		w.WriteHeader(http.StatusMovedPermanently)
	}))
	return "http://" + l.Addr().String(), nil
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	until := now.Add(397 * 24 * time.Hour)
	if f.o.Expired {
		until = now.Add(-time.Minute)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "OPNsense.internal", Organization: []string{"OPNsense self-signed web certificate"}},
		NotBefore:    now.Add(-time.Hour), NotAfter: until,
		DNSNames: []string{"OPNsense.internal"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	f.open.cert = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return f.open.cert, nil
}
