package opnsensetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// stateLimit is how many states pf may have, as recorded.
const stateLimit = 787_000

// lookUp returns what a search or a filter matches. Before 26.1.3 a search lost
// ":" and "/", too, and nothing matched a part of an address.
func (f *Firewall) lookUp(text string, strip bool) func(*pf.State) bool {
	recent := f.sys.Conf.Version.Since(26, 1, 3)
	if strip || !recent {
		text = strings.NewReplacer(":", "", "/", "").Replace(text)
	}
	words := strings.Fields(text)
	return func(s *pf.State) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !s.Matches(w, recent) })
	}
}

// killStates has the product's danger: the filter loses ":" and "/", and what
// is then no address any more is searched for as a piece of text.
func (f *Firewall) killStates(c *call) reply {
	filter, _ := c.text("filter")
	rule, _ := c.text("ruleid")
	if c.method != "POST" || filter == "" {
		return result("failed")
	}
	c.Ran(0, "-vvs state")
	matches := f.lookUp(filter, true)
	killed := f.sys.PF.Kill(func(s *pf.State) bool { return matches(s) && (rule == "" || s.Label == rule) })
	for _, id := range killed {
		c.Ran(0, "-k id -k "+id)
	}
	return ok(map[string]any{"result": "ok", "dropped_states": len(killed)})
}

func (f *Firewall) delState(c *call) reply {
	id := c.params[0] + "/" + c.params[1]
	c.Ran(0, "-k id -k "+id)
	killed := f.sys.PF.Kill(func(s *pf.State) bool { return s.ID == id })
	return result(fmt.Sprintf("killed %d states\n\n\n", len(killed)))
}

func (f *Firewall) queryStates(c *call) reply {
	if c.method != "POST" {
		return ok(map[string]any{"rows": []any{}, "rowCount": 0, "total": 0, "current": 0})
	}
	c.Ran(0, "-vvs state")
	phrase, _ := c.text("searchPhrase")
	matches := f.lookUp(phrase, false)
	rows := []map[string]any{}
	for i := range f.sys.PF.States {
		if matches(&f.sys.PF.States[i]) {
			rows = append(rows, f.sys.PF.States[i].Row())
		}
	}
	page := c.number("current", 1)
	from, to := window(len(rows), page, c.number("rowCount", -1))
	return ok(map[string]any{"rows": rows[from:to], "rowCount": to - from, "total": len(rows), "current": page})
}

func (f *Firewall) countStates(c *call) reply {
	c.Ran(0, "-si")
	c.Ran(0, "-s memory")
	return ok(map[string]any{"current": fmt.Sprint(len(f.sys.PF.States)), "limit": fmt.Sprint(stateLimit)})
}

func (f *Firewall) systemStatus(*call) reply {
	type object = map[string]any
	return ok(object{
		"metadata": object{
			"system":       object{"status": "OK", "message": "No pending messages", "title": "System"},
			"translations": object{"dialogTitle": "System Status", "dialogCloseButton": "Close"}, "subsystems": []any{},
		},
		"subsystems": []any{},
	})
}

func (f *Firewall) systemInformation(*call) reply {
	return ok(map[string]any{
		"name":     "OPNsense.internal",
		"versions": []string{"OPNsense " + f.o.Version + "-amd64", "FreeBSD 14.3-RELEASE-p2", "OpenSSL 3.0.17"},
		"updates":  "Click to check for updates.",
	})
}

// firmwareStatus has no mirror to ask.
func (f *Firewall) firmwareStatus(*call) reply {
	return ok(map[string]any{
		"status_msg": "Firmware status check was aborted internally. Please try again.", "status": "error",
	})
}
