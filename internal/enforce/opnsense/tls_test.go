package opnsense

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// listening returns a fake on a real socket and the settings that reach it.
func listening(t *testing.T, o opnsensetest.Options) (*opnsensetest.Firewall, config.OPNsense, string) {
	t.Helper()
	f := opnsensetest.New(o)
	t.Cleanup(func() { f.Close() })
	url, err := f.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	pin, err := f.Pin()
	if err != nil {
		t.Fatal(err)
	}
	c := f.Config()
	c.URL, c.Timeout = url, 10*time.Second
	return f, c, pin
}

func ask(t *testing.T, c config.OPNsense) error {
	t.Helper()
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.api.CloseIdle()
	_, err = a.Held(t.Context())
	keeps(t, err)
	return err
}

// saysWhatToPaste holds a text to the pin, once and whole, in few enough words that
// a message on a phone shows it.
func saysWhatToPaste(t *testing.T, text, pin string) {
	t.Helper()
	const phone = 250 // of 280, without who is in trouble
	if strings.Count(text, `pin="`+pin+`"`) != 1 || strings.Count(text, "sha256:") != 1 || len(text) > phone {
		t.Errorf("got %d bytes, %q; want %d at most, and pin=%q once", len(text), text, phone, pin)
	}
}

func TestSelfSignedCertificateIsNotTrustedByItself(t *testing.T) {
	f, c, pin := listening(t, opnsensetest.Options{})
	err := ask(t, c)
	if !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "self-signed") {
		t.Fatalf("got %v, want that it is self-signed", err)
	}
	saysWhatToPaste(t, err.Error(), pin)
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d calls, and with them the key, went to a firewall that was not verified", n)
	}
}

func TestPinnedCertificateIsTrustedWhateverItSays(t *testing.T) {
	for _, expired := range []bool{false, true} {
		_, c, pin := listening(t, opnsensetest.Options{Expired: expired})
		digits := strings.ToUpper(strings.TrimPrefix(pin, "sha256:"))
		for _, spelling := range []string{pin, digits, digits[:2] + ":" + digits[2:]} {
			c.Pin = spelling
			if err := ask(t, c); err != nil {
				t.Errorf("expired %v, pin %s: %v", expired, spelling, err)
			}
		}
	}
}

// Many a fail2ban setup talks to a firewall that it never verified.
func TestInsecureWorksAndSaysWhatToPin(t *testing.T) {
	_, c, pin := listening(t, opnsensetest.Options{Expired: true})
	c.Insecure = true
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.api.CloseIdle()
	var log strings.Builder
	a.Log = slog.New(slog.NewTextHandler(&log, nil))
	if notes := strings.Join(a.Notes(), "\n"); strings.Contains(notes, "certificate") {
		t.Errorf("before the first call: notes %q", notes)
	}
	for _, p := range sequence(3) {
		apply(t, a, []netip.Prefix{p}, nil)
		a.api.CloseIdle()
	}
	held(t, a, sequence(3)...)
	if n := strings.Count(log.String(), pin); n != 1 || !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "allow_insecure") {
		t.Errorf("logged %q, want one warning with the pin", &log)
	}
	saysWhatToPaste(t, a.Notes()[0], pin)
}

func TestPinHoldsThoughInsecureIsSaid(t *testing.T) {
	_, _, other := listening(t, opnsensetest.Options{})
	f, c, _ := listening(t, opnsensetest.Options{})
	c.Insecure, c.Pin = true, other
	if err := ask(t, c); !edgeban.IsPermanent(err) {
		t.Errorf("got %v, want another certificate to be refused", err)
	}
	if len(f.Requests()) != 0 {
		t.Error("the key went to the wrong firewall")
	}
}

func TestAnotherCertificateThanThePinnedIsRefused(t *testing.T) {
	_, _, other := listening(t, opnsensetest.Options{})
	f, c, pin := listening(t, opnsensetest.Options{})
	c.Pin = other
	err := ask(t, c)
	if !edgeban.IsPermanent(err) {
		t.Fatalf("got %v, want what a person must mend", err)
	}
	saysWhatToPaste(t, err.Error(), pin)
	if len(f.Requests()) != 0 {
		t.Error("the key went to the wrong firewall")
	}
}

func TestCAFileIsTrusted(t *testing.T) {
	for _, expired := range []bool{false, true} {
		f, c, pin := listening(t, opnsensetest.Options{Expired: expired})
		text, err := f.CA()
		if err != nil {
			t.Fatal(err)
		}
		c.CA = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(c.CA, text, 0o600); err != nil {
			t.Fatal(err)
		}
		err = ask(t, c)
		if !expired && err != nil {
			t.Errorf("got %v", err)
		}
		if expired && (!edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "expired") || !strings.Contains(err.Error(), pin)) {
			t.Errorf("an expired certificate: got %v, want that and the pin", err)
		}
		c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1)
		if err := ask(t, c); !edgeban.IsPermanent(err) {
			t.Errorf("another name than the certificate's: got %v", err)
		}
	}
}

func TestPinOfAURL(t *testing.T) {
	_, c, want := listening(t, opnsensetest.Options{})
	got, cert, err := api.Pin(t.Context(), c.URL)
	if err != nil || got != want || cert.Subject.CommonName != "OPNsense.internal" {
		t.Errorf("got %s %v %v, want %s", got, cert, err, want)
	}
	if _, _, err := api.Pin(t.Context(), "http://127.0.0.1"); err == nil {
		t.Error("a pin of a URL without TLS")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := api.Pin(done, c.URL); err == nil {
		t.Error("a pin from a call that was cancelled")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	f, c, pin := listening(t, opnsensetest.Options{})
	https := c.URL
	url, err := f.ListenRedirect(https)
	if err != nil {
		t.Fatal(err)
	}
	c.URL, c.Pin = url, pin
	err = ask(t, c)
	if !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), https) {
		t.Errorf("got %v, want the https URL", err)
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d calls went where the redirect pointed", n)
	}
}

func TestPlainHTTPBehindAnHTTPSURLIsNamed(t *testing.T) {
	f, c, _ := listening(t, opnsensetest.Options{})
	url, err := f.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c.URL = strings.Replace(url, "http:", "https:", 1)
	if err := ask(t, c); !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("got %v", err)
	}
	c.URL = url
	if err := ask(t, c); err != nil {
		t.Errorf("plain http, asked for: %v", err)
	}
}

func TestNobodyListeningPasses(t *testing.T) {
	f, c, pin := listening(t, opnsensetest.Options{})
	f.Close()
	c.Pin = pin
	if err := ask(t, c); err == nil || edgeban.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

// The web server closes each connection after 15 calls: one that dies just as it
// is used again must not cost a ban.
func TestADeadConnectionIsReplaced(t *testing.T) {
	f, c, pin := listening(t, opnsensetest.Options{})
	c.Pin = pin
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer a.api.CloseIdle()
	for _, p := range sequence(5) {
		apply(t, a, prefixes(p.Addr().String()), nil)
		f.Fail(opnsensetest.Lost, 1)
	}
	f.Heal()
	held(t, a, sequence(5)...)
	if err := a.Apply(t.Context(), enforce.Diff{Remove: sequence(5)}); err != nil {
		t.Error(err)
	}
}
