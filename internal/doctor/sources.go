package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

// sources looks at what the daemon has heard from what is no file. What can be asked
// itself is one of the Parts.
func (e *exam) sources(st web.Status, running bool) {
	for _, s := range e.Config.Sources {
		if !running {
			e.link("source "+s.Name, "lines").untried("the daemon reads them, and none answers")
			continue
		}
		var own, heard []web.Stream
		for _, w := range st.Streams {
			switch {
			case w.Source != s.Name:
			case w.Origin == s.Name:
				own = append(own, w)
			default:
				heard = append(heard, w)
			}
		}
		if s.Syslog != nil {
			e.listening(s, own)
		}
		for _, glob := range e.Config.Reading(s.Name) {
			e.heard(s, glob, heard)
		}
		e.lost(s, slices.Concat(own, heard))
	}
}

// listening looks at the places that others send to, and at who was turned away.
func (e *exam) listening(s config.Source, own []web.Stream) {
	l := e.link("source "+s.Name, "listening")
	good := true
	for _, w := range own {
		if w.Error != "" {
			good = false
			l.broken("free the address, or write another as listen:; then kill -HUP the daemon", "%s", strings.TrimPrefix(w.Error, "source "+s.Name+": "))
		}
		if w.Note != "" {
			e.link("source "+s.Name, "allow").warn("name them in allow: if they are yours", "%s", w.Note)
		}
	}
	if good {
		l.good("%s", strings.Join(s.Syslog.Listen, ", "))
	}
}

// heard looks at what came from those that a jail reads.
func (e *exam) heard(s config.Source, glob string, heard []web.Stream) {
	l := e.link("source "+s.Name, "lines")
	var from, others []string
	var lines uint64
	var last time.Time
	for _, w := range heard {
		ok, err := path.Match(glob, w.Origin)
		switch {
		case w.Lines == 0:
		case !ok || err != nil:
			others = append(others, w.Origin)
		default:
			from = append(from, w.Origin)
			lines += w.Lines
			if w.Read.After(last) {
				last = w.Read
			}
		}
	}
	switch {
	case len(from) > 0:
		l.good("%s: %d since the daemon started, the last %s ago, from %s", glob, lines, span(e.Now.Sub(last)), some(from))
	case len(others) > 0:
		l.warn("write source: "+others[0]+" if that is meant, or see whether anything is written there", "%s: none came, but from %s", glob, some(others))
	case s.Syslog != nil:
		l.warn(sending(s.Syslog.Listen), "%s: none came since the daemon started", glob)
	default:
		l.untried("%s: nothing was written since the daemon started", glob)
	}
}

// sending is how to send a line to the first place that is listened on.
func sending(listen []string) string {
	kind, at, _ := strings.Cut(listen[0], "://")
	switch kind {
	case "udp", "tcp":
		host, port, _ := net.SplitHostPort(at)
		if a, err := netip.ParseAddr(host); err != nil || a.IsUnspecified() {
			host = "ADDRESS-OF-EDGEBAN"
		}
		return fmt.Sprintf("on the machine that should send: logger --server %s --port %s --%s hello sends a line; if it does not arrive, a packet filter is between", host, port, kind)
	case "unix", "unixgram":
		return "logger --socket " + at + " hello sends a line; whoever should send needs the socket in its container"
	}
	return "see the log of who should send, for its TLS"
}

// lost looks at lines that were read from nobody.
func (e *exam) lost(s config.Source, streams []web.Stream) {
	part := "source " + s.Name
	for _, w := range streams {
		if w.Dropped > 0 {
			e.link(part, "lost").warn("let it send by tcp://, where the sender waits", "%s sent %d lines faster than they could be recorded", w.Origin, w.Dropped)
		}
		if w.Skipped > 0 {
			e.link(part, "too long").warn(longWay(s), "of %s %d lines were left out, being too long", w.Origin, w.Skipped)
		}
	}
}

// longWay says how long lines can be, and what has longer ones read.
func longWay(s config.Source) string {
	switch {
	case s.Docker != nil:
		return "the engine cuts lines of 16 KiB and more; if such matter, let the service write to a file that logpath: names"
	case s.Journal != nil && s.Journal.URL != "":
		return "the gateway leaves out messages of more than 4 KiB; edgeban on that machine, with journalctl, reads them"
	}
	return "lines may have 64 KiB"
}

// some names the first of many.
func some(names []string) string {
	const most = 6
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
