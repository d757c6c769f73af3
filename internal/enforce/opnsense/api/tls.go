package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// NewTransport returns the transport of one target, which tells unverified the
// pin of a certificate that it trusted because it was told to trust any. Its
// limits are the product's: connections that idle for 30 s are closed there.
func NewTransport(c config.OPNsense, unverified func(pin string)) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     25 * time.Second,
		MaxConnsPerHost:     Workers,
		MaxIdleConnsPerHost: Workers,
		ForceAttemptHTTP2:   true,
	}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s holds no PEM certificate", c.CA)
		}
	}
	switch {
	case c.Pin != "":
		want, err := parsePin(c.Pin)
		if err != nil {
			return nil, err
		}
		// The pin takes the place of the chain, the name and the dates: exactly
		// this certificate is the firewall's.
		t.TLSClientConfig.InsecureSkipVerify = true
		t.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error { return checkPin(want, s.PeerCertificates) }
	case c.Insecure:
		t.TLSClientConfig.InsecureSkipVerify = true
		t.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				unverified(pinOf(s.PeerCertificates[0]))
			}
			return nil
		}
	}
	return t, nil
}

const pinPrefix = "sha256:"

// parsePin returns a pin in its one spelling.
func parsePin(text string) (string, error) {
	digits := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(text), pinPrefix), ":", ""))
	if raw, err := hex.DecodeString(digits); err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("pin %q: write sha256: and 64 hexadecimal digits, as `edgeban pin URL` prints them", text)
	}
	return pinPrefix + digits, nil
}

func pinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return pinPrefix + hex.EncodeToString(sum[:])
}

// Setting is how a pin is written, whichever file the target came from. It is to
// be pasted: what it stands in must be short enough to be shown whole.
func Setting(pin string) string {
	return fmt.Sprintf("pin=%q (in edgeban.yaml pin:)", pin)
}

// PinMismatch is the error for another certificate than the pinned one.
type PinMismatch struct{ Got string } // empty for none

func (e *PinMismatch) Error() string {
	if e.Got == "" {
		return "it shows no certificate, and one is pinned"
	}
	return "its certificate is not the pinned one: somebody stands in between, or the firewall has a new one; then write " + Setting(e.Got)
}

// Untrusted is the error for a certificate that nobody vouches for.
type Untrusted struct{ Why, Got string }

func (e *Untrusted) Error() string {
	return "its certificate is not trusted: " + e.Why + "; if it is your firewall's, write " + Setting(e.Got)
}

func checkPin(want string, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return &PinMismatch{}
	}
	if got := pinOf(chain[0]); got != want {
		return &PinMismatch{got}
	}
	return nil
}

// certificateTrouble marks an error of TLS as one for a person, and says what to
// do about a certificate that cannot be verified. Other errors pass as they are.
func certificateTrouble(err error) error {
	if e, ok := errors.AsType[*PinMismatch](err); ok {
		return edgeban.Permanent(e)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(e.UnverifiedCertificates) > 0 {
		cert := e.UnverifiedCertificates[0]
		why := e.Err.Error()
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](e.Err); unknown && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			why = "it is self-signed"
		}
		return edgeban.Permanent(&Untrusted{why, pinOf(cert)})
	}
	op, _ := errors.AsType[*net.OpError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	if record || op != nil && (op.Op == "remote error" || op.Op == "local error") {
		return edgeban.Permanent(fmt.Errorf("no TLS connection: %w; is the url the firewall's GUI?", err))
	}
	return err
}

// Pin returns the pin of the certificate that is served at an https URL, and the
// certificate, whoever signed it. What it returns is only as good as the network
// it was asked over.
func Pin(ctx context.Context, rawURL string) (string, *x509.Certificate, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", nil, errors.New("pin: write https:// and the address of the firewall")
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// Nothing is sent over this connection but the handshake.
	d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return "", nil, fmt.Errorf("pin: %w", err)
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return "", nil, fmt.Errorf("pin: %s shows no certificate", u.Host)
	}
	return pinOf(chain[0]), chain[0], nil
}
