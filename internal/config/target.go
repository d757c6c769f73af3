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

	"github.com/edgeban/edgeban/internal/config/node"
)

func readTargets(dst *[]Target, v node.Value) {
	if v.Null() {
		return // all items are commented out: the default stays
	}
	*dst = []Target{}
	names := map[string]bool{}
	for _, item := range v.Items() {
		var t Target
		item.Mapping([]node.Field{
			node.Key("name", node.Into(&t.Name, node.As(node.Name))),
			node.Key("opnsense", func(v node.Value) { t.OPNsense = readOPNsense(v) }),
			node.Key("feed", func(v node.Value) { t.Feed = readFeed(v) }),
			node.Key("traefik", func(v node.Value) { t.Traefik = readTraefik(v) }),
			node.Key("dovecot", func(v node.Value) { t.Dovecot = readDovecot(v) }),
			node.Key("postfix", func(v node.Value) { t.Postfix = readPostfix(v) }),
		})
		named(item, &t.Name, names, "opnsense", "feed", "traefik", "dovecot", "postfix")
		*dst = append(*dst, t)
	}
}

// named holds an item of a list to having one of some kinds, and gives it the
// name of its kind if it has none. Names tell items apart.
func named(v node.Value, name *string, taken map[string]bool, kinds ...string) {
	if !v.IsMapping() && !v.Null() {
		return // said already
	}
	var has []string
	for _, k := range kinds {
		if _, ok := v.Get(k); ok {
			has = append(has, k)
		}
	}
	switch {
	case len(has) == 0:
		v.Wrong("is nothing; write %s: and its settings", strings.Join(kinds, ": or "))
		return
	case len(has) > 1:
		v.Wrong(`is both %s; make it an item each, with a "- " of its own`, strings.Join(has, " and "))
	}
	if *name == "" {
		*name = has[0]
	}
	if taken[*name] {
		v.Wrong("another is called %s already; give one a name: of its own", node.Quote(*name))
	}
	taken[*name] = true
}

func readOPNsense(v node.Value) *OPNsense {
	o := &OPNsense{Timeout: DefaultTimeout}
	v.Mapping([]node.Field{
		node.Need("url", node.FromEnv(node.Into(&o.URL, node.As(FirewallURL))), "url: https://192.168.1.1"),
		node.Key("pin", node.FromEnv(node.Into(&o.Pin, node.As(Pin)))),
		node.Key("ca", node.Into(&o.CA, certificates)),
		node.Key("allow_insecure", node.Into(&o.Insecure, node.As(node.Truth))),
		node.Key("apikey", readKeyFile(&o.Key, &o.Secret)),
		node.Key("key", node.Into(&o.Key, secret)),
		node.Key("secret", node.Into(&o.Secret, secret)),
		node.Need("alias", node.FromEnv(node.Into(&o.Alias, node.As(AliasName))), "alias: and the name of the firewall's alias"),
		node.Key("exclusive", node.Into(&o.Exclusive, node.As(node.Truth))),
		node.Key("states", node.Into(&o.States, killStates)),
		node.Key("timeout", node.Into(&o.Timeout, span(time.Second, 10*time.Minute))),
	})
	oneKey(v)
	for _, key := range []string{"pin", "ca"} {
		if _, ok := v.Get(key); ok && o.Insecure {
			insecure, _ := v.Get("allow_insecure")
			insecure.Wrong("trusts whoever answers, and %s: is here as well; take this out", key)
		}
	}
	return o
}

// oneKey holds an OPNsense to one API key, as a file or in its two parts.
func oneKey(v node.Value) {
	if !v.IsMapping() && !v.Null() {
		return // said already
	}
	_, file := v.Get("apikey")
	_, key := v.Get("key")
	_, secret := v.Get("secret")
	switch {
	case file && (key || secret):
		v.Wrong("has apikey: and key: or secret: as well; keep one of the two")
	case file || key && secret:
	case key:
		v.Wrong("has a key: without a secret:; write both, or apikey: file:PATH")
	case secret:
		v.Wrong("has a secret: without a key:; write both, or apikey: file:PATH")
	default:
		v.Wrong("has no API key; write apikey: file: and the path of the file that OPNsense let you download")
	}
}

// FirewallURL reads the URL of what is trusted with a powerful key.
func FirewallURL(s string) (string, error) {
	s, err := ServerURL(s)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		err = fmt.Errorf("would send the key in clear; write https://%s", u.Host)
	}
	return s, err
}

// Pin reads the SHA-256 of a certificate in hex, with or without colons, or in
// base64.
func Pin(s string) (string, error) {
	digest, is := strings.CutPrefix(s, "sha256:")
	sum, err := hex.DecodeString(strings.ReplaceAll(digest, ":", ""))
	if err != nil {
		sum, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(digest, "="))
	}
	if !is || err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%s is not the SHA-256 of a certificate; write sha256: and its 64 hex digits, as `edgeban pin URL` prints them", node.Quote(s))
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// certificates reads the path of a file of PEM certificates.
func certificates(v node.Value) (string, bool) {
	path, ok := v.File()
	if !ok {
		return "", false
	}
	data, ok := v.Content(path)
	if ok && !x509.NewCertPool().AppendCertsFromPEM(data) {
		v.Wrong("%s holds no certificate; it must have a part -----BEGIN CERTIFICATE-----", node.Quote(path))
		return "", false
	}
	return path, ok
}

// aliasRule is OPNsense's: at most 31 characters, and not two underscores first.
var aliasRule = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9_]{0,30}|_[A-Za-z0-9][A-Za-z0-9_]{0,29})$`)

func AliasName(s string) (string, error) {
	if !aliasRule.MatchString(s) {
		return "", fmt.Errorf("%s cannot be the name of an alias; OPNsense takes up to 31 letters, digits and _, beginning with a letter or one _", node.Quote(s))
	}
	return s, nil
}

func killStates(v node.Value) (kill, ok bool) {
	_, ok = node.OneOf("kill")(v)
	return ok, ok
}

func readFeed(v node.Value) *Feed {
	f := new(Feed)
	v.Mapping([]node.Field{
		node.Need("listen", node.Into(&f.Listen, node.As(address)), "listen: "+DefaultFeed),
		node.Key("token", node.Into(&f.Token, secret)),
		node.Key("allow", node.Each(&f.Allow, node.Value.Words, node.As(prefix))),
	})
	guarded(v, f.Listen, "anyone there could read it")
	return f
}

// guarded holds an endpoint that other machines can reach to a token, or a list of
// clients; or else what happens.
func guarded(v node.Value, addr, or string) {
	_, token := v.Get("token")
	allow, ok := v.Get("allow")
	h, _, err := net.SplitHostPort(addr)
	if err == nil && !isLoopback(h) && !token && !(ok && len(allow.Words()) > 0) {
		listen, _ := v.Get("listen")
		listen.Wrong("can be reached from other machines, and %s; add token: file:PATH, or allow: and the networks that may, or listen on 127.0.0.1", or)
	}
}
