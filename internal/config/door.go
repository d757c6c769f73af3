package config

import (
	"net"
	"regexp"
	"time"

	"github.com/edgeban/edgeban/internal/config/node"
)

func readTraefik(v node.Value) *Traefik {
	t := new(Traefik)
	v.Mapping([]node.Field{
		node.Key("file", node.Into(&t.File, dynamicFile)),
		node.Key("listen", node.Into(&t.Listen, node.As(address))),
		node.Key("token", node.Into(&t.Token, secret)),
		node.Key("allow", node.Each(&t.Allow, node.Value.Words, node.As(prefix))),
		node.Key("cert", node.Into(&t.Cert, certificates)),
		node.Key("key", node.Into(&t.Key, node.Value.File)),
		node.Key("tcp", node.Each(&t.TCP, node.Value.Words, node.As(node.Name))),
		node.Key("tls", node.Each(&t.TLS, node.Value.Words, node.As(node.Name))),
		node.Key("http", node.Each(&t.HTTP, node.Value.Words, node.As(node.Name))),
		node.Key("https", node.Each(&t.HTTPS, node.Value.Words, node.As(node.Name))),
		node.Key("api", node.Into(&t.API, node.As(ServerURL))),
		node.Key("api_user", node.Into(&t.User, node.Value.Text)),
		node.Key("api_password", node.Into(&t.Password, secret)),
	})
	if !v.IsMapping() && !v.Null() {
		return t // said already
	}
	oneWay(v, t)
	both(v, "cert", "key")
	both(v, "api_user", "api_password")
	if len(t.TCP)+len(t.TLS)+len(t.HTTP)+len(t.HTTPS) == 0 {
		v.Wrong("names no entry point; write those of Traefik's TCP routers at tcp: or, where they have tls, at tls:, and those of its HTTP routers at http: or https:")
	}
	return t
}

// oneWay holds a Traefik to one way to get its document.
func oneWay(v node.Value, t *Traefik) {
	_, file := v.Get("file")
	_, listen := v.Get("listen")
	switch {
	case file && listen:
		v.Wrong("has file: and listen:; keep one of the two")
	case !file && !listen:
		v.Wrong("is given nothing; write file: and a .yml in the folder that Traefik's file provider watches, or listen: and where its HTTP provider is to ask")
	case file:
		for _, key := range []string{"token", "allow", "cert", "key"} {
			if x, ok := v.Get(key); ok {
				x.Wrong("is for listen:, and here is file:; take it out")
			}
		}
	default:
		guarded(v, t.Listen, "anyone there could read who is banned")
	}
}

// both holds two keys to standing together.
func both(v node.Value, a, b string) {
	x, hasA := v.Get(a)
	y, hasB := v.Get(b)
	switch {
	case hasA && !hasB:
		x.Wrong("needs %s: as well", b)
	case hasB && !hasA:
		y.Wrong("needs %s: as well", a)
	}
}

func readDovecot(v node.Value) *Dovecot {
	d := new(Dovecot)
	v.Mapping([]node.Field{
		node.Need("listen", node.Into(&d.Listen, node.As(address)), "listen: 127.0.0.1:9092"),
		node.Need("token", node.Into(&d.Token, secret), "token: file:PATH of a secret that Dovecot sends as auth_policy_server_api_header = Authorization: Bearer …"),
		node.Key("allow", node.Each(&d.Allow, node.Value.Words, node.As(prefix))),
		node.Key("tarpit", node.Into(&d.Tarpit, span(time.Second, time.Minute))),
		node.Key("doveadm", node.Into(&d.Doveadm, node.As(ServerURL))),
		node.Key("doveadm_key", node.Into(&d.DoveadmKey, secret)),
	})
	if v.IsMapping() {
		both(v, "doveadm", "doveadm_key")
	}
	return d
}

func readPostfix(v node.Value) *Postfix {
	p := new(Postfix)
	v.Mapping([]node.Field{
		node.Need("listen", node.Into(&p.Listen, node.As(address)), "listen: 127.0.0.1:9093"),
		node.Key("allow", node.Each(&p.Allow, node.Value.Words, node.As(prefix))),
	})
	h, _, err := net.SplitHostPort(p.Listen)
	if err == nil && !isLoopback(h) && len(p.Allow) == 0 {
		listen, _ := v.Get("listen")
		listen.Wrong("can be reached from other machines, and Postfix sends no secret; add allow: and Postfix's address, or listen on 127.0.0.1")
	}
	return p
}

var dynamic = regexp.MustCompile(`\.ya?ml$`)

// dynamicFile reads the path of a file that Traefik's file provider reads.
func dynamicFile(v node.Value) (string, bool) {
	path, ok := v.File()
	if ok && !dynamic.MatchString(path) {
		v.Wrong("%s is no file that Traefik reads; write one that ends in .yml, in the folder that its file provider watches", node.Quote(path))
		return "", false
	}
	return path, ok
}
