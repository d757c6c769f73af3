package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config/node"
)

// A Source is one place that logs come from, beside files. Exactly one kind is set.
type Source struct {
	Name    string
	Syslog  *Syslog
	Docker  *Docker
	Journal *Journal
}

// Syslog is where others send their lines.
type Syslog struct {
	Listen   []string       // udp://, tcp:// and tls:// with address and port; unix:// and unixgram:// with a path
	Allow    []netip.Prefix // who may send, beside this machine
	Cert     string         // file of PEM certificates for tls://
	Key      string         // file of its key
	ClientCA string         // file of PEM certificates that clients must have one of; empty to ask for none
	Bare     bool           // messages are whole lines of their own: the header before them is taken off
}

// Docker is the API of a container engine.
type Docker struct {
	URL string // unix:///run/docker.sock, or tcp:// or http:// with address and port
}

// Journal is systemd's.
type Journal struct {
	Match []string // one alternative each, as journalctl takes them; empty for all
	URL   string   // of systemd-journal-gatewayd; empty to run journalctl
	CA    string   // file of PEM certificates to trust instead of the system's
}

// DefaultDocker is the socket of the engine.
const DefaultDocker = "unix:///var/run/docker.sock"

func readSources(dst *[]Source, v node.Value) {
	names := map[string]bool{"file": true, "stdin": true} // of the sources of logpath
	for _, item := range v.Items() {
		var s Source
		item.Mapping([]node.Field{
			node.Key("name", node.Into(&s.Name, node.As(node.Name))),
			node.Key("syslog", func(v node.Value) { s.Syslog = readSyslog(v) }),
			node.Key("docker", func(v node.Value) { s.Docker = readDocker(v) }),
			node.Key("journal", func(v node.Value) { s.Journal = readJournal(v) }),
		})
		named(item, &s.Name, names, "syslog", "docker", "journal")
		*dst = append(*dst, s)
	}
}

func readSyslog(v node.Value) *Syslog {
	s := new(Syslog)
	v.Mapping([]node.Field{
		node.Need("listen", node.Each(&s.Listen, node.Value.Some, listener), "listen: udp://127.0.0.1:514, or tcp://, tls:// or unix://"),
		node.Key("allow", node.Each(&s.Allow, node.Value.Words, node.As(prefix))),
		node.Key("cert", node.Into(&s.Cert, certificates)),
		node.Key("key", node.Into(&s.Key, node.Value.File)),
		node.Key("client_ca", node.Into(&s.ClientCA, certificates)),
		node.Key("bare", node.Into(&s.Bare, node.As(node.Truth))),
	})
	open, secure := false, false
	for _, l := range s.Listen {
		u, _ := url.Parse(l)
		open = open || u.Host != "" && !isLoopback(u.Hostname())
		secure = secure || u.Scheme == "tls"
	}
	if open && len(s.Allow) == 0 {
		listen, _ := v.Get("listen")
		listen.Wrong("can be reached from other machines, and who sends lines decides who is banned; add allow: and the addresses that may, or listen on 127.0.0.1")
	}
	checkPair(v, s, secure)
	return s
}

// checkPair holds a syslog to a certificate with its key where it needs one.
func checkPair(v node.Value, s *Syslog, secure bool) {
	cert, hasCert := v.Get("cert")
	key, hasKey := v.Get("key")
	switch {
	case hasCert != hasKey && hasCert:
		cert.Wrong("has no key: beside it; write both")
	case hasCert != hasKey:
		key.Wrong("has no cert: beside it; write both")
	case secure && !hasCert:
		listen, _ := v.Get("listen")
		listen.Wrong("tls:// needs cert: and key: with the paths of a certificate and its key")
	case hasCert && s.Cert != "" && s.Key != "":
		chain, _ := v.Content(s.Cert)
		private, ok := key.Content(s.Key)
		if !ok {
			return
		}
		if _, err := tls.X509KeyPair(chain, private); err != nil {
			key.Wrong("is not the key of the certificate in cert: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
	}
}

// listener reads where syslog is taken.
func listener(v node.Value) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	scheme, rest, _ := strings.Cut(s, "://")
	switch scheme {
	case "udp", "tcp", "tls":
		if _, err := address(rest); err != nil {
			v.Wrong("%s is not an address to listen on; write %s://host:port, such as %s://127.0.0.1:514", node.Quote(s), scheme, scheme)
			return "", false
		}
		return s, true
	case "unix", "unixgram":
		flat := filepath.Clean(rest)
		if !filepath.IsAbs(rest) || len(flat) > 107 {
			v.Wrong("%s is no path of a socket; write %s:// and an absolute path of 107 bytes at most, such as %s:///run/edgeban/log", node.Quote(s), scheme, scheme)
			return "", false
		}
		return scheme + "://" + flat, true
	}
	v.Wrong("%s is not understood; write udp://, tcp:// or tls:// with address and port, or unix:// or unixgram:// with a path", node.Quote(s))
	return "", false
}

func readDocker(v node.Value) *Docker {
	d := &Docker{URL: DefaultDocker}
	v.Mapping([]node.Field{node.Key("url", node.Into(&d.URL, node.As(DockerURL)))})
	return d
}

// DockerURL reads where the API of a container engine is.
func DockerURL(s string) (string, error) {
	if p, ok := strings.CutPrefix(s, "unix://"); ok {
		if !path.IsAbs(p) {
			return "", fmt.Errorf("%s has no absolute path; write %s", node.Quote(s), DefaultDocker)
		}
		return s, nil
	}
	web := s
	if rest, ok := strings.CutPrefix(s, "tcp://"); ok {
		web = "http://" + rest
	}
	u, err := ServerURL(web)
	if err != nil {
		return "", errors.New("is not where an engine is; write unix:///run/docker.sock, or http://socket-proxy:2375")
	}
	return u, nil
}

func readJournal(v node.Value) *Journal {
	j := new(Journal)
	v.Mapping([]node.Field{
		node.Key("match", node.Each(&j.Match, node.Value.Lines, match)),
		node.Key("url", node.Into(&j.URL, node.As(ServerURL))),
		node.Key("ca", node.Into(&j.CA, certificates)),
	})
	if ca, ok := v.Get("ca"); ok && !strings.HasPrefix(j.URL, "https://") {
		ca.Wrong("is of no use without url: https://…; take it out")
	}
	return j
}

func match(v node.Value) (string, bool) {
	s, ok := v.Line()
	if !ok {
		return "", false
	}
	if err := JournalMatch(s); err != nil {
		v.Wrong("%v", err)
		return "", false
	}
	return s, true
}

var journalTerm = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,63}=`)

// JournalMatch says what is wrong with terms as journalctl takes them: FIELD=VALUE,
// and a + between alternatives.
func JournalMatch(s string) error {
	terms := strings.Fields(s)
	for i, t := range terms {
		switch {
		case t == "+" && i > 0 && i < len(terms)-1 && terms[i-1] != "+":
		case journalTerm.MatchString(t) && !strings.ContainsAny(t, `"'\`):
		default:
			return fmt.Errorf("%s is not understood in %s; write FIELD=VALUE without quotes, such as _SYSTEMD_UNIT=ssh.service, and a + between alternatives", node.Quote(t), node.Quote(s))
		}
	}
	return nil
}

// from returns the reading of a source that a jail names, and of what in it: a glob
// after a slash.
func from(sources []Source, targets []Target) func(node.Value) (string, bool) {
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	for _, t := range targets {
		if t.Dovecot != nil { // which is told of logins
			names = append(names, t.Name)
		}
	}
	return func(v node.Value) (string, bool) {
		s, ok := v.Text()
		if !ok {
			return "", false
		}
		name, glob, some := strings.Cut(s, "/")
		if !some {
			glob = "*"
		}
		if !slices.Contains(names, name) {
			v.Wrong("no source is called %s; %s", node.Quote(name), node.Meant(name, names))
			return "", false
		}
		if _, err := path.Match(glob, ""); err != nil || glob == "" || strings.Contains(glob, "/") {
			v.Wrong("%s names nothing of a source; write %s, or %s/ and a pattern of names such as *", node.Quote(s), name, name)
			return "", false
		}
		return name + "/" + glob, true
	}
}

// forgeable returns a source of the jail to which others may send in another's name; ""
// for none.
func forgeable(j Jail, sources []Source) string {
	for _, s := range sources {
		reads := slices.ContainsFunc(j.Source, func(glob string) bool { return strings.HasPrefix(glob, s.Name+"/") })
		if !reads || s.Syslog == nil {
			continue
		}
		for _, l := range s.Syslog.Listen {
			if u, err := url.Parse(l); err == nil && u.Scheme == "udp" && !isLoopback(u.Hostname()) {
				return s.Name
			}
		}
	}
	return ""
}

// OverBans reports whether the jail reads no log but the bans of the others.
func (j Jail) OverBans() bool { return len(j.LogPath) == 0 && len(j.Source) == 0 }

// Reading returns what the jails read of a source, as Jail.Source has it, each once.
func (c Config) Reading(source string) (globs []string) {
	for _, j := range c.Jails {
		for _, glob := range j.Source {
			if strings.HasPrefix(glob, source+"/") && !slices.Contains(globs, glob) {
				globs = append(globs, glob)
			}
		}
	}
	return globs
}

// Reads reports whether the jail reads an origin of a source, NAME/WHOM.
func (j Jail) Reads(origin string) bool {
	return slices.ContainsFunc(j.Source, func(glob string) bool {
		ok, err := path.Match(glob, origin)
		return ok && err == nil
	})
}
