// Package system is what stands between the configuration of the fake firewall
// and its packet filter: the reload of the rules, the program that fills the
// tables, the cron jobs, the boot. Which of them touches which table is as
// recorded.
package system

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// A System is one firewall without its API. It is not safe for use by many
// goroutines, but for Download.
type System struct {
	Conf    model.Config
	PF      *pf.Filter
	Fetch   http.RoundTripper // how url tables get their lists; nil for not at all
	BadRule bool              // pf refuses the rule set

	files   map[string][]string // what a table was last filled from
	fetched map[string]fetched
	cron    map[string]string // alias to the seconds after which its entries go
}

// New returns a system on which nothing was loaded yet.
func New(conf model.Config, tableLimit int) *System {
	return &System{
		Conf: conf, PF: pf.New(tableLimit),
		files: map[string][]string{}, fetched: map[string]fetched{}, cron: map[string]string{},
	}
}

// Commands are the commands of pf that something ran, with their exit status.
type Commands []string

// Ran notes one.
func (c *Commands) Ran(status int, command string) {
	*c = append(*c, "rc="+strconv.Itoa(status)+" pfctl "+command)
}

// Reconfigure loads the rules and fills the tables.
func (s *System) Reconfigure(log *Commands) {
	s.Load(log)
	s.schedule()
	s.UpdateTables(log, false)
	for _, i := range s.Conf.Interfaces {
		log.Ran(1, "-t __"+i.Key+"_network -T replace "+i.Device+":network") // the recording had no such device
	}
}

// Load gives pf the rules and declares the tables of all enabled aliases. A table
// without a list keeps its entries.
func (s *System) Load(log *Commands) {
	for _, command := range []string{"-vvsT", "-sm", "-e", "-sm", "-si -v", "-Of /tmp/rules.limits"} {
		log.Ran(0, command)
	}
	if s.BadRule {
		log.Ran(1, "-f /tmp/rules.debug")
		return
	}
	log.Ran(0, "-f /tmp/rules.debug")
	for _, a := range s.Conf.Aliases {
		if !a.Disabled && a.Type != "port" {
			s.PF.Declare(a.Name).Counters = a.Counters
		}
	}
	s.PF.Rules = s.Conf.Generate()
	log.Ran(0, "-t bogonsv6 -T flush")
}

// schedule writes the cron jobs that let entries of external aliases expire.
func (s *System) schedule() {
	clear(s.cron)
	for _, a := range s.Conf.Aliases {
		if a.Type == "external" && !a.Disabled && a.Expire != "" && s.Conf.Version.Since(25, 7) {
			s.cron[a.Name] = a.Expire
		}
	}
	s.cron["virusprot"] = "3600"
}

// UpdateTables gives the tables what their aliases say. The quick way looks at
// url tables only when their lists are new. Tables of external aliases are never
// touched; those of other aliases that are gone or disabled go.
func (s *System) UpdateTables(log *Commands, quick bool) {
	log.Ran(0, "-vvsT")
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		if a := s.Conf.Alias(name); a == nil || a.Disabled {
			log.Ran(0, "-t "+name+" -T kill")
			delete(s.PF.Tables, name)
			delete(s.files, name)
		}
	}
	for _, a := range s.Conf.Aliases {
		name := a.Name
		if a.Disabled || s.PF.Tables[name] == nil || slices.Contains([]string{"port", "external", "internal"}, a.Type) {
			continue
		}
		items := s.items(a, nil)
		if s.PF.Tables[name].Updated.IsZero() {
			s.PF.Tables[name].Updated = time.Now()
		}
		same := slices.Equal(items, s.files[name])
		if same && (quick && a.IsURL() || len(s.PF.Tables[name].Entries) == len(items)) {
			continue
		}
		status := 0
		if !s.PF.Replace(name, items) {
			status = 1 // over the limit: the table keeps what it had
		}
		log.Ran(status, "-t "+name+" -T replace -f /var/db/aliastables/"+name+".txt")
		s.files[name], s.PF.Tables[name].Updated = items, time.Now()
	}
}

// items are the entries of an alias, each once, in their order. A group has those
// of its members, external ones by what pf holds. Names are not resolved.
func (s *System) items(a *model.Alias, seen []string) (out []string) {
	if slices.Contains(seen, a.Name) {
		return nil
	}
	once := map[string]bool{}
	add := func(items ...string) {
		for _, item := range items {
			if !once[item] {
				once[item] = true
				out = append(out, item)
			}
		}
	}
	lines := a.Content
	if a.IsURL() {
		lines = a.Fetched
	}
	for _, line := range lines {
		nested := s.Conf.Alias(line)
		switch {
		case nested == nil || a.IsURL():
			add(entries(line)...)
		case nested.Type == "external" || nested.Type == "internal":
			add(s.PF.Tables[line].Show()...)
		default:
			add(s.items(nested, append(seen, a.Name))...)
		}
	}
	return out
}

// Cron does what the cron jobs do each minute.
func (s *System) Cron(log *Commands) {
	s.UpdateTables(log, s.Conf.Version.Since(26, 1))
	for _, name := range slices.Sorted(maps.Keys(s.cron)) {
		age, _ := strconv.Atoi(s.cron[name])
		if age < 3600 || time.Now().Minute()%15 == 0 {
			s.PF.Expire(name, time.Duration(age)*time.Second)
		}
	}
}

// Boot starts with an empty pf.
func (s *System) Boot(log *Commands) {
	s.PF.Reset()
	s.Load(log)
	s.schedule()
	s.UpdateTables(log, false)
}
