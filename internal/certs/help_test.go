package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// An authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64 // serial number
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), next: 1}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-1000 * day), NotAfter: time.Now().Add(1000 * day), KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(c, c, a.key)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (a *authority) sign(c, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// issue returns what resolver le has for domains, the first of which is the main
// one. It has lived a third of its time, and has left days to go.
func (a *authority) issue(left time.Duration, domains ...string) entry {
	a.t.Helper()
	return a.issueFrom(time.Now().Add(left-90*day), 90*day, domains...)
}

func (a *authority) issueFrom(from time.Time, lifetime time.Duration, domains ...string) entry {
	a.t.Helper()
	a.next++
	key := newKey(a.t)
	leaf := a.sign(&x509.Certificate{SerialNumber: big.NewInt(a.next), DNSNames: domains, NotBefore: from, NotAfter: from.Add(lifetime)}, a.cert, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	return entry{"le", domains[0], domains[1:], chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

// accountKey stands in every acme.json of the tests: it must never leave it.
const accountKey = "QUNDT1VOVEtFWQ=="

// acmeJSON returns what Traefik writes, in its order and indentation.
func acmeJSON(t testing.TB, entries ...entry) []byte {
	t.Helper()
	type domain struct {
		Main string   `json:"main"`
		SANs []string `json:"sans,omitempty"`
	}
	type certificate struct {
		Domain      domain `json:"domain"`
		Certificate []byte `json:"certificate"`
		Key         []byte `json:"key"`
		Store       string
	}
	type resolver struct {
		Account      map[string]string
		Certificates []certificate
	}
	all := map[string]*resolver{}
	for _, e := range entries {
		if all[e.resolver] == nil {
			all[e.resolver] = &resolver{Account: map[string]string{"PrivateKey": accountKey}}
		}
		r := all[e.resolver]
		r.Certificates = append(r.Certificates, certificate{domain{e.main, e.sans}, e.chain, e.key, "default"})
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// place is an acme.json and a folder to write to.
type place struct {
	t   testing.TB
	dir string
}

func newPlace(t testing.TB) place { t.Helper(); return place{t, t.TempDir()} }

func (p place) acme() string { return filepath.Join(p.dir, "acme.json") }

func (p place) options(wants ...string) Options {
	p.t.Helper()
	o := Options{File: p.acme(), Dir: filepath.Join(p.dir, "certs"), Group: -1, Log: slog.New(slog.DiscardHandler)}
	for _, s := range wants {
		w, err := ParseWant(s)
		if err != nil {
			p.t.Fatal(err)
		}
		o.Wants = append(o.Wants, w)
	}
	return o
}

// write writes acme.json as Traefik does: in place.
func (p place) write(text []byte) {
	p.t.Helper()
	if err := os.WriteFile(p.acme(), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// served returns the certificate that a program would load from combined.pem.
func (p place) served(name string) (*x509.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "certs", name, bothFile))
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(text, text)
	return c.Leaf, err
}

// A record keeps what is logged.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(b))
	return len(b), nil
}

func (r *record) log() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func leafOf(t testing.TB, e entry) *x509.Certificate {
	t.Helper()
	chain, err := certificates(e.chain)
	if err != nil {
		t.Fatal(err)
	}
	return chain[0]
}
