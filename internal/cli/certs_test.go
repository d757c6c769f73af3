package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// writeACME: acme FILE DAYS DOMAIN,... writes an acme.json as Traefik does, in place,
// with a new certificate of 90 days of which so many are left.
func writeACME(ts *testscript.TestScript, _ bool, args []string) {
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	domains := strings.Split(args[2], ",")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	end := time.Now().AddDate(0, 0, days)
	c := &x509.Certificate{SerialNumber: big.NewInt(end.UnixNano()), DNSNames: domains, NotBefore: end.AddDate(0, 0, -90), NotAfter: end}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	type object map[string]any
	text, err := json.MarshalIndent(object{"le": object{
		"Account": object{"Email": "postmaster@example.org"},
		"Certificates": []any{object{
			"domain":      object{"main": domains[0], "sans": domains[1:]},
			"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
			"key":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
			"Store":       "default",
		}},
	}}, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// waitTold: told TOPIC PATTERN waits until a message of ntfy matches.
func waitTold(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[1])
	phone := ts.Value("phone").(*ntfytest.Server)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		messages := phone.Messages(args[0])
		if slices.ContainsFunc(messages, func(m ntfytest.Message) bool { return want.MatchString(m.Message) }) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after 30 s the messages are %v", messages)
		}
	}
}
