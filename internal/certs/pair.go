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
// certificate with the signature of another. (Only the signature of the last of the
// chain goes unseen, if it is no root; for that acme.json is read twice.)
func verify(e entry, domain string, now time.Time) (pair, error) {
	chain, err := certificates(e.chain)
	if err != nil {
		return pair{}, err
	}
	key, err := privateKey(chain[0], e.key)
	if err != nil {
		return pair{}, err
	}
	p := pair{key: key, leaf: chain[0]}
	for i, c := range chain {
		if !signed(chain[i:]) {
			return pair{}, fmt.Errorf("certificate %d of its chain is not signed by the next", i+1)
		}
		p.chain = append(p.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if !covers(p.leaf, domain) {
		return pair{}, fmt.Errorf("it is not for %s but for %s", domain, strings.Join(p.names(), ", "))
	}
	return p, inTime(p.leaf, now)
}

// signed reports whether the first certificate of a chain is signed by the next one.
// Who signed the last is not here, unless it was itself.
func signed(chain []*x509.Certificate) bool {
	c := chain[0]
	if len(chain) > 1 {
		return c.CheckSignatureFrom(chain[1]) == nil
	}
	return !bytes.Equal(c.RawIssuer, c.RawSubject) || c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
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

// privateKey returns the one key of text that is the leaf's, as PKCS #8. It is
// encoded anew: an elliptic key may repeat its public half, which nothing that reads
// it compares, and which may be torn.
func privateKey(leaf *x509.Certificate, text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it has no key, or more than one, in PEM")
	}
	both, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), text)
	if err != nil {
		return nil, errors.New("its key is none, or that of another certificate") // err may quote it
	}
	der, err := x509.MarshalPKCS8PrivateKey(both.PrivateKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
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
