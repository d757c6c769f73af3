// Package doctor looks at every link of the chain from a log line to a firewall and
// a phone, and says of each what was seen and what to do. The parts that know their
// links are asked (edgeban.Checker); what only the whole shows is added.
//
// It prints nothing, takes no lease and writes to no ledger: it may run while the
// daemon does. What it changes at a firewall to find out, it changes back.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

// Options say what is looked at.
type Options struct {
	Config config.Config // with all that is found where nobody said
	Parts  []Part        // the sources, targets and notifiers; see Parts
	Notify bool          // send a message by each notifier
	Daemon Daemon        // nil where there is no socket to ask at
	Now    time.Time

	// Networks returns the networks that this host has an address in; nil for the system's.
	Networks func() ([]netip.Prefix, error)
}

// A Part is something that looks at its links itself.
type Part struct {
	Name string // target edge, notify ntfy
	edgeban.Checker
}

// Examine looks at every link, those that the others depend on first. Parts are
// asked side by side: each may wait for a network.
func Examine(ctx context.Context, o Options) []edgeban.Finding {
	asked := make([]chan []edgeban.Finding, len(o.Parts))
	for i, p := range o.Parts {
		asked[i] = make(chan []edgeban.Finding, 1)
		go func() { asked[i] <- ask(ctx, p, o.Notify) }()
	}
	e := &exam{Options: o}
	answers := func(sources bool) {
		for i, p := range o.Parts {
			if strings.HasPrefix(p.Name, "source ") == sources {
				e.found = append(e.found, <-asked[i]...)
			}
		}
	}
	st, running := e.host(ctx)
	e.protected(ctx)
	answers(true)
	e.sources(st, running)
	e.logs(ctx)
	e.flat()
	e.zones()
	answers(false)
	return byPart(e.found)
}

// byPart brings together what is said of one part, in the order in which parts are met.
func byPart(found []edgeban.Finding) []edgeban.Finding {
	first := map[string]int{}
	for _, f := range found {
		if _, known := first[f.Part]; !known {
			first[f.Part] = len(first)
		}
	}
	slices.SortStableFunc(found, func(a, b edgeban.Finding) int { return cmp.Compare(first[a.Part], first[b.Part]) })
	return found
}

// A messenger can be asked to send a message, to see whether it comes through.
type messenger interface {
	CheckMessage(ctx context.Context) edgeban.Finding
}

func ask(ctx context.Context, p Part, notify bool) []edgeban.Finding {
	found := p.Check(ctx)
	m, ok := p.Checker.(messenger)
	switch broken := slices.ContainsFunc(found, func(f edgeban.Finding) bool { return f.Grade == edgeban.Broken }); {
	case !ok:
	case !notify:
		found = append(found, edgeban.Finding{Link: message, Grade: edgeban.Untried, Evidence: "edgeban doctor --notify sends one"})
	case broken:
		found = append(found, edgeban.Finding{Link: message, Grade: edgeban.Untried, Evidence: "it would fail for what is said above"})
	default:
		found = append(found, m.CheckMessage(ctx))
	}
	for i := range found {
		found[i].Part = p.Name
	}
	return found
}

const message = "test message"

// Worst returns the worst grade of the findings. A link that nobody could look at
// counts as good here: what kept us from it is a finding of its own.
func Worst(found []edgeban.Finding) edgeban.Grade {
	worst := edgeban.Good
	for _, f := range found {
		if f.Grade != edgeban.Untried {
			worst = max(worst, f.Grade)
		}
	}
	return worst
}

// An exam is what was found so far.
type exam struct {
	Options
	list    *never.List
	clients map[netip.Addr]string // private addresses that logs show as clients, and in which log
	found   []edgeban.Finding
}

// A link names one link, to say what was found of it.
type link struct {
	e          *exam
	part, name string
}

func (e *exam) link(part, name string) link { return link{e, part, name} }

func (l link) add(g edgeban.Grade, fix, format string, args ...any) {
	l.e.found = append(l.e.found, edgeban.Finding{Part: l.part, Link: l.name, Grade: g, Evidence: fmt.Sprintf(format, args...), Fix: fix})
}

func (l link) good(format string, args ...any)    { l.add(edgeban.Good, "", format, args...) }
func (l link) untried(format string, args ...any) { l.add(edgeban.Untried, "", format, args...) }
func (l link) warn(fix, format string, args ...any) {
	l.add(edgeban.Warning, fix, format, args...)
}

func (l link) broken(fix, format string, args ...any) {
	l.add(edgeban.Broken, fix, format, args...)
}
