package syslog

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

// secure returns how TLS is spoken. The certificate is read again when its file was
// written: it is renewed while we run.
func secure(c config.Syslog) *tls.Config {
	p := &pair{c: c}
	t := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate() },
	}
	if c.ClientCA != "" {
		t.ClientAuth, t.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if data, err := os.ReadFile(c.ClientCA); err == nil {
			t.ClientCAs.AppendCertsFromPEM(data) // a file that cannot be read leaves nobody in
		}
	}
	return t
}

// A pair is the certificate as it was read last.
type pair struct {
	c config.Syslog

	mu   sync.Mutex
	at   time.Time // when the file was written
	cert *tls.Certificate
}

// certificate returns the present one; the last one while the files do not fit, as
// between two writes.
func (p *pair) certificate() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fi, err := os.Stat(p.c.Cert)
	if err == nil && p.cert != nil && fi.ModTime().Equal(p.at) {
		return p.cert, nil
	}
	if err == nil {
		var cert tls.Certificate
		if cert, err = tls.LoadX509KeyPair(p.c.Cert, p.c.Key); err == nil {
			p.at, p.cert = fi.ModTime(), &cert
		}
	}
	if p.cert == nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return p.cert, nil
}
