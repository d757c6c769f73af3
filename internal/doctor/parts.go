package doctor

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/dovecot"
	"github.com/edgeban/edgeban/internal/enforce/opnsense"
	"github.com/edgeban/edgeban/internal/enforce/postfix"
	"github.com/edgeban/edgeban/internal/enforce/traefik"
	"github.com/edgeban/edgeban/internal/notify"
	"github.com/edgeban/edgeban/internal/source/docker"
	"github.com/edgeban/edgeban/internal/source/journal"
)

// Parts returns the sources, targets and notifiers of a configuration. It knows every kind of
// them. A key that is given looks at the rules of firewalls in place of a target's
// own, which needs not be allowed to.
func Parts(c config.Config, key, secret config.Secret) (parts []Part) {
	for _, s := range c.Sources {
		name := "source " + s.Name
		switch { // to syslog the daemon listens: see exam.sources
		case s.Docker != nil:
			parts = append(parts, Part{name, docker.New(docker.Config{Name: s.Name, URL: s.Docker.URL, Globs: c.Reading(s.Name)})})
		case s.Journal != nil:
			parts = append(parts, Part{name, journal.New(s.Name, *s.Journal)})
		}
	}
	for _, t := range c.Targets {
		name := "target " + t.Name
		if t.OPNsense != nil { // a feed is served by the daemon: see exam.feeds
			a, err := opnsense.New(*t.OPNsense)
			if err == nil {
				a.LookWith(key, secret)
			}
			parts = append(parts, part(name, a, err))
		}
		quiet := slog.New(slog.DiscardHandler)
		switch {
		case t.Traefik != nil:
			parts = append(parts, Part{name, traefik.New(*t.Traefik, c.State, nil, quiet)})
		case t.Dovecot != nil:
			parts = append(parts, Part{name, dovecot.New(*t.Dovecot, nil, quiet)})
		case t.Postfix != nil:
			parts = append(parts, Part{name, postfix.New(*t.Postfix, quiet)})
		}
	}
	for _, n := range c.Notify {
		parts = append(parts, Part{"notify " + n.Name, notify.NewNtfy(*n.Ntfy, http.DefaultTransport)})
	}
	return parts
}

func part(name string, c edgeban.Checker, err error) Part {
	if err != nil {
		return Part{name, unusable{err}}
	}
	return Part{name, c}
}

// unusable is what cannot even be made.
type unusable struct{ error }

// Check implements edgeban.Checker.
func (u unusable) Check(context.Context) []edgeban.Finding {
	return []edgeban.Finding{{Link: "settings", Grade: edgeban.Broken, Evidence: u.Error(), Fix: "correct it in the configuration; edgeban check reads it again"}}
}
