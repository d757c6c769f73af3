package value

import (
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// Journal returns the source of what a jail with backend = systemd reads, or what is
// wrong with it and what to write.
func Journal(j config.Jail, backend string) (*config.Source, string) {
	if strings.Contains(backend, "[") {
		return nil, Quote("backend = "+backend) + ": edgeban reads no other journal than the system's; write backend = systemd"
	}
	s := &config.Source{Name: "journal-" + j.Name, Journal: &config.Journal{}}
	if len(s.Name) > 64 {
		s.Name = s.Name[:64]
	}
	if j.Rules != nil {
		s.Journal.Match = j.Rules.JournalMatch
	}
	for _, m := range s.Journal.Match {
		if config.JournalMatch(m) != nil {
			return nil, "journalmatch: " + Quote(m) + " is not understood; write FIELD=VALUE without quotes"
		}
	}
	return s, ""
}

// AddJournal adds a source to others, unless one of them reads just the same, and
// returns what a jail that reads it names.
func AddJournal(all []config.Source, s *config.Source) ([]config.Source, []string) {
	if s == nil {
		return all, nil
	}
	i := slices.IndexFunc(all, func(o config.Source) bool { return slices.Equal(o.Journal.Match, s.Journal.Match) })
	if i < 0 {
		i, all = len(all), append(all, *s)
	}
	return all, []string{all[i].Name + "/*"}
}
