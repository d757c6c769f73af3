package check

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// source tells of a source, and what keeps it from being read.
func (r *report) source(c config.Source) {
	r.line("source %s", c.Name)
	if len(r.c.Reading(c.Name)) == 0 {
		served := func(o config.Source) bool {
			return o.Name != c.Name && o.Journal != nil && o.Journal.URL == c.Journal.URL
		}
		if c.Journal != nil && c.Journal.URL != "" && slices.ContainsFunc(r.c.Sources, served) {
			r.line("  %s: there fail2ban's jails read the journal", c.Journal.URL)
			return
		}
		r.line("  no jail reads it, so it is left alone; add source: %s to one", c.Name)
		return
	}
	switch {
	case c.Syslog != nil:
		r.syslog(*c.Syslog)
	case c.Docker != nil:
		r.line("  the logs of containers, by the engine at %s", c.Docker.URL)
		if path, ok := strings.CutPrefix(c.Docker.URL, "unix://"); ok {
			r.socket(path)
		}
	case c.Journal != nil:
		r.journal(*c.Journal)
	}
}

func (r *report) syslog(c config.Syslog) {
	r.line("  syslog at %s, from %s", strings.Join(c.Listen, ", "), whom(c))
	for _, p := range c.Allow {
		if p.Bits() == 0 {
			r.line("  warning: allow: lets everybody send lines, and with them ban whom he likes")
		}
	}
	for _, at := range c.Listen {
		if strings.HasPrefix(at, "udp://") {
			r.line("  UDP cannot be asked to wait: what comes while edgeban is down or cannot record is lost; over TCP the sender keeps it")
			break
		}
	}
}

// whom says who may send.
func whom(c config.Syslog) string {
	var all []string
	for _, p := range c.Allow {
		if p.IsSingleIP() {
			all = append(all, p.Addr().String())
		} else {
			all = append(all, p.String())
		}
	}
	loopback := netip.MustParsePrefix("127.0.0.0/8").String()
	return strings.Join(append(all, "this machine ("+loopback+", ::1, sockets)"), ", ")
}

// socket says whether the engine's socket may be used.
func (r *report) socket(path string) {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		r.problem("  PROBLEM: %v; mount it there, or name a socket proxy: url: http://socket-proxy:2375", err)
	case fi.Mode()&os.ModeSocket == 0:
		r.problem("  PROBLEM: %s is no socket; docker makes a folder where what is to be mounted does not exist", path)
	default:
		r.line("  warning: who may use this socket rules the machine; a proxy that only lets GET through for containers and events is enough (docs/sources.md)")
	}
}

func (r *report) journal(c config.Journal) {
	what := "all of it"
	if len(c.Match) > 0 {
		what = strings.Join(c.Match, " + ")
	}
	if c.URL != "" {
		r.line("  the journal that %s serves: %s", c.URL, what)
		return
	}
	r.line("  the journal of this machine, by journalctl: %s", what)
	if _, err := exec.LookPath("journalctl"); err != nil {
		r.problem("  PROBLEM: %s", fmt.Sprintf("%v; run edgeban where journalctl is, or let systemd-journal-gatewayd serve the journal and write url: http://HOST:19531", err))
	}
}
