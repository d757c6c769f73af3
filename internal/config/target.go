package config

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func readTargets(dst *[]Target, v value) {
	if v.null() {
		return // all items are commented out: the default stays
	}
	*dst = []Target{}
	names := map[string]bool{}
	for _, item := range v.items() {
		var t Target
		item.mapping([]field{
			{"name", into(&t.Name, as(name)), ""},
			{"opnsense", func(v value) { t.OPNsense = readOPNsense(v) }, ""},
			{"feed", func(v value) { t.Feed = readFeed(v) }, ""},
		})
		item.named(&t.Name, names, "opnsense", "feed")
		*dst = append(*dst, t)
	}
}

// named holds an item of a list to having one of some kinds, and gives it the
// name of its kind if it has none. Names tell items apart.
func (v value) named(name *string, taken map[string]bool, kinds ...string) {
	if v.node.Kind != yaml.MappingNode && !v.null() {
		return // said already
	}
	var has []string
	for _, k := range kinds {
		if _, ok := v.get(k); ok {
			has = append(has, k)
		}
	}
	switch {
	case len(has) == 0:
		v.wrong("is nothing; write %s: and its settings", strings.Join(kinds, ": or "))
		return
	case len(has) > 1:
		v.wrong(`is both %s; make it an item each, with a "- " of its own`, strings.Join(has, " and "))
	}
	if *name == "" {
		*name = has[0]
	}
	if taken[*name] {
		v.wrong("another is called %s already; give one a name: of its own", quote(*name))
	}
	taken[*name] = true
}

func readOPNsense(v value) *OPNsense {
	o := &OPNsense{Timeout: 30 * time.Second}
	v.mapping([]field{
		{"url", into(&o.URL, as(firewall)), "url: https://192.168.1.1"},
		{"pin", into(&o.Pin, as(pin)), ""},
		{"ca", into(&o.CA, certificates), ""},
		{"apikey", readKeyFile(&o.Key, &o.Secret), ""},
		{"key", into(&o.Key, value.secret), ""},
		{"secret", into(&o.Secret, value.secret), ""},
		{"alias", into(&o.Alias, as(alias)), "alias: and the name of the firewall's alias"},
		{"exclusive", into(&o.Exclusive, as(truth)), ""},
		{"states", into(&o.States, killStates), ""},
		{"timeout", into(&o.Timeout, span(time.Second, 10*time.Minute)), ""},
	})
	v.oneKey()
	return o
}

// oneKey holds an OPNsense to one API key, as a file or in its two parts.
func (v value) oneKey() {
	if v.node.Kind != yaml.MappingNode && !v.null() {
		return // said already
	}
	_, file := v.get("apikey")
	_, key := v.get("key")
	_, secret := v.get("secret")
	switch {
	case file && (key || secret):
		v.wrong("has apikey: and key: or secret: as well; keep one of the two")
	case file || key && secret:
	case key:
		v.wrong("has a key: without a secret:; write both, or apikey: file:PATH")
	case secret:
		v.wrong("has a secret: without a key:; write both, or apikey: file:PATH")
	default:
		v.wrong("has no API key; write apikey: file: and the path of the file that OPNsense let you download")
	}
}

// firewall reads the URL of what is trusted with a powerful key.
func firewall(s string) (string, error) {
	s, err := server(s)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		err = fmt.Errorf("would send the key in clear; write https://%s", u.Host)
	}
	return s, err
}

// pin reads the SHA-256 of a certificate in hex, with or without colons, or in
// base64.
func pin(s string) (string, error) {
	digest, is := strings.CutPrefix(s, "sha256:")
	sum, err := hex.DecodeString(strings.ReplaceAll(digest, ":", ""))
	if err != nil {
		sum, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(digest, "="))
	}
	if !is || err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%s is not the SHA-256 of a certificate; write sha256: and its 64 hex digits, as `edgeban pin URL` prints them", quote(s))
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// certificates reads the path of a file of PEM certificates.
func certificates(v value) (string, bool) {
	path, ok := v.file()
	if !ok {
		return "", false
	}
	data, ok := v.content(path)
	if ok && !x509.NewCertPool().AppendCertsFromPEM(data) {
		v.wrong("%s holds no certificate; it must have a part -----BEGIN CERTIFICATE-----", quote(path))
		return "", false
	}
	return path, ok
}

// aliasRule is OPNsense's: at most 31 characters, and not two underscores first.
var aliasRule = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9_]{0,30}|_[A-Za-z0-9][A-Za-z0-9_]{0,29})$`)

func alias(s string) (string, error) {
	if !aliasRule.MatchString(s) {
		return "", fmt.Errorf("%s cannot be the name of an alias; OPNsense takes up to 31 letters, digits and _, beginning with a letter or one _", quote(s))
	}
	return s, nil
}

func killStates(v value) (kill, ok bool) {
	_, ok = oneOf("kill")(v)
	return ok, ok
}

func readFeed(v value) *Feed {
	f := new(Feed)
	v.mapping([]field{
		{"listen", into(&f.Listen, as(address)), "listen: " + DefaultFeed},
		{"token", into(&f.Token, value.secret), ""},
		{"allow", each(&f.Allow, value.words, as(prefix)), ""},
	})
	_, guarded := v.get("token")
	if allow, ok := v.get("allow"); ok && len(allow.words()) > 0 {
		guarded = true
	}
	h, _, err := net.SplitHostPort(f.Listen)
	if err == nil && !isLoopback(h) && !guarded {
		listen, _ := v.get("listen")
		listen.wrong("can be reached from other machines, and anyone there could read it; add token: file:PATH, or allow: and the networks that may, or listen on 127.0.0.1")
	}
	return f
}
