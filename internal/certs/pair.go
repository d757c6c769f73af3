package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// A pair is a certificate with its chain, and its key. It has been verified.
type pair struct {
	chain, key []byte // PEM
	leaf       *x509.Certificate
}

// both returns key and chain in one text, in the order that Postfix wants
// (postconf(5), smtpd_tls_chain_files).
func (p pair) both() []byte { return slices.Concat(p.key, p.chain) }

// names returns what the certificate is for.
func (p pair) names() []string {
	all := slices.Clone(p.leaf.DNSNames)
	for _, ip := range p.leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// verify makes sure that what goes out can be served: all of it parses, the key is
// the certificate's, the chain is in order, it is valid now and for the domain. What
// is half old and half new does not pass: a key of another certificate, or a
// certificate with the signature of another.
func verify(e entry, domain string, now time.Time) (pair, error) {
	chain, err := certificates(e.chain)
	if err != nil {
		return pair{}, err
	}
	key, err := privateKey(e.key)
	if err != nil {
		return pair{}, err
	}
	p := pair{key: key, leaf: chain[0]}
	for i, c := range chain {
		if i > 0 {
			if err := chain[i-1].CheckSignatureFrom(c); err != nil {
				return pair{}, fmt.Errorf("certificate %d of its chain did not sign the one before it", i+1)
			}
		}
		p.chain = append(p.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if _, err := tls.X509KeyPair(p.chain, p.key); err != nil {
		return pair{}, errors.New("its key is none, or that of another certificate")
	}
	if !covers(p.leaf, domain) {
		return pair{}, fmt.Errorf("it is not for %s but for %s", domain, strings.Join(p.names(), ", "))
	}
	return p, inTime(p.leaf, now)
}

func inTime(leaf *x509.Certificate, now time.Time) error {
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("%w since %s; the log of Traefik says why it was not renewed", errExpired, leaf.NotAfter.Format(time.DateTime))
	}
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("it is valid from %s, and here it is %s; one of the clocks is wrong", leaf.NotBefore.Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return nil
}

var errExpired = errors.New("it has expired")

// certificates reads a chain, the leaf first.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := bytes.TrimSpace(text); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("its chain holds what is no certificate in PEM")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of its chain cannot be read", len(chain)+1)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("it has no chain")
	}
	return chain, nil
}

// privateKey returns the one key of text, without what may stand around it. Whether
// it is one is seen when it is held against its certificate.
func privateKey(text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it has no key, or more than one, in PEM")
	}
	return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}), nil
}

// covers reports whether the certificate is for the domain. A wildcard is asked for
// by itself: no certificate without it would do.
func covers(leaf *x509.Certificate, domain string) bool {
	if strings.HasPrefix(domain, "*.") {
		return slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, domain) })
	}
	if net.ParseIP(domain) != nil {
		domain = "[" + domain + "]" // so VerifyHostname takes it for an address
	}
	return leaf.VerifyHostname(domain) == nil
}
