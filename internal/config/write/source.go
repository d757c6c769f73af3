package write

import "github.com/edgeban/edgeban/internal/config"

func writeSources(root block, sources []config.Source) {
	if len(sources) == 0 {
		return
	}
	list := root.section("sources")
	for i, s := range sources {
		item := list.item(i)
		switch {
		case s.Syslog != nil:
			item.unless("name", s.Name, "syslog")
			writeSyslog(item.under("syslog"), *s.Syslog)
		case s.Docker != nil:
			item.unless("name", s.Name, "docker")
			item.under("docker").text("url", s.Docker.URL)
		case s.Journal != nil:
			item.unless("name", s.Name, "journal")
			writeJournal(item, *s.Journal)
		}
	}
}

func writeSyslog(b block, s config.Syslog) {
	b.list("listen", s.Listen)
	var allow []string
	for _, p := range s.Allow {
		allow = append(allow, p.String())
	}
	b.words("allow", allow)
	b.text("cert", s.Cert)
	b.text("key", s.Key)
	b.text("client_ca", s.ClientCA)
	b.truth("bare", s.Bare)
}

func writeJournal(item block, j config.Journal) {
	if len(j.Match) == 0 && j.URL == "" {
		item.raw("journal", "{}")
		return
	}
	b := item.under("journal")
	b.text("url", j.URL)
	b.text("ca", j.CA)
	b.list("match", j.Match)
}
