package stage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// The ACME server is in the internet, and looks for its challenges at the edge.
const acmeServer = "203.0.113.2"

const pebbleConfig = `{"pebble": {
	"listenAddress": "` + acmeServer + `:14000", "certificate": "/pebble.pem", "privateKey": "/pebble.pem", "httpPort": 80, "tlsPort": 443,
	"keyAlgorithm": "ecdsa", "retryAfter": {"authz": 1, "order": 1}, "profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}}
}}`

// storage is the line of Traefik's configuration after which the lab's server is
// named: of what deploy/mail mounts nothing else differs.
const storage = "storage: /acme/acme.json\n"

// acme starts Pebble, and has Traefik get its certificates there. It changes the copy
// of the project that mistakes are made in and mended from.
func (s *Stage) acme() error {
	if err := netns.Command("cp", "-r", s.Deploy+"/.", s.Path("deploy")); err != nil {
		return err
	}
	s.Deploy = s.Path("deploy")
	file := s.Path("deploy/traefik/traefik.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.Count(string(text), storage) != 1 {
		return fmt.Errorf("%s has no %q any more", file, storage)
	}
	lines := storage + "      caServer: https://" + acmeServer + ":14000/dir\n      caCertificates: [/etc/traefik/pebble.pem]\n"
	text = []byte(strings.Replace(string(text), storage, lines, 1))
	pair, config := s.Path("deploy/traefik/pebble.pem"), s.Path("pebble.json")
	if err := errors.Join(os.WriteFile(file, text, 0o644), certify(pair), os.WriteFile(config, []byte(pebbleConfig), 0o644)); err != nil {
		return err
	}
	pebble := s.container("pebble", []string{"/pebble", "-config", "/pebble.json"},
		netns.ReadOnly(s.Pebble, "/pebble"), netns.ReadOnly(config, "/pebble.json"), netns.ReadOnly(pair, "/pebble.pem"))
	pebble.Net, pebble.Env = s.Nets["inet"], []string{"PEBBLE_VA_NOSLEEP=1"}
	pebble.Hosts = "127.0.0.1 localhost\n" + EdgeWAN + " mail.example.org ntfy.example.org\n"
	return pebble.Start()
}

// certify writes a certificate for the ACME server itself, and its key.
func certify(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(acmeServer)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	return os.WriteFile(file, text, 0o644)
}

// Issued returns the certificate of the mail server that is in Traefik's acme.json.
func (s *Stage) Issued() (*x509.Certificate, error) {
	file := s.Path("traefik/acme.json")
	if s.Engine != nil {
		file = s.Engine.volume("acme") + "/acme.json"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var resolvers map[string]struct {
		Certificates []struct {
			Domain      struct{ Main string }
			Certificate []byte
		}
	}
	if err := json.Unmarshal(text, &resolvers); err != nil {
		return nil, err
	}
	for _, c := range resolvers["le"].Certificates {
		if block, _ := pem.Decode(c.Certificate); c.Domain.Main == "mail.example.org" && block != nil {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("%s has no certificate of the mail server", file)
}
