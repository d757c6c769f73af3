package fail2ban

import (
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
)

// filterOptions are those that a filter has, and that a jail may say in its place.
var filterOptions = []string{"usedns", "prefregex", "failregex", "ignoreregex", "maxlines", "datepattern", "journalmatch"}

// openFilter reads filter.d/NAME with its parameters, for a jail with that backend.
func (r *reader) openFilter(name string, at ini.Place, params map[string]ini.Text, backend string) (*definition, error) {
	doc, err := r.document("filter.d/" + name)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, wrong(at, "there is no filter.d/%s.conf and no filter.d/%[1]s.local; write the name of a filter that is there", name)
	}
	if v := params["logtype"]; v.String() == "" && !doc.Own("Definition", "logtype") {
		kind := "file"
		if strings.HasPrefix(backend, "systemd") {
			kind = "journal"
		}
		params["logtype"] = ini.NewText(kind, at)
	}
	return newDefinition(r.tree, doc, filterOptions, params)
}

// earlier returns an option of the filter for %(known/option)s in its jail.
func (d *definition) earlier(name string) (ini.Text, bool, error) {
	if _, ok := d.given(name); !ok && !d.known(name) {
		return ini.Text{}, false, nil
	}
	return d.value(name, early)
}

// places says where each pattern stands.
type places struct {
	prefix            ini.Place
	fail, ignore, day []ini.Place
}

// rulesOf returns what the filter says, which may be nil, and what the jail says
// in its place.
func rulesOf(f *definition, said map[string]ini.Text) (config.Rules, places, error) {
	rules := config.Rules{UseDNS: config.Warn, LogEncoding: "auto", MaxLines: 1}
	var at places
	for _, opt := range filterOptions {
		var texts []ini.Text
		own, given := said[opt], false
		if f != nil {
			_, given = f.given(opt)
		}
		if _, ok := said[opt]; f != nil && (given || !ok) {
			t, ok, err := f.value(opt, final)
			if err != nil {
				return rules, at, err
			}
			if ok {
				texts = append(texts, t)
			}
		}
		if _, ok := said[opt]; ok {
			texts = append(texts, own)
		}
		set(&rules, &at, opt, texts)
	}
	return rules, at, nil
}

// set takes what was said of an option, the filter's parameters before the jail.
// Patterns add up; of other options one counts, as upstream sends them.
func set(r *config.Rules, at *places, opt string, texts []ini.Text) {
	if len(texts) == 0 {
		return
	}
	first, last := texts[0], texts[len(texts)-1]
	switch opt {
	case "usedns":
		switch d := config.UseDNS(strings.ToLower(first.String())); d {
		case config.Yes, config.Warn, config.No, config.Raw:
			r.UseDNS = d
		default:
			r.UseDNS = config.No // as upstream
		}
	case "prefregex":
		r.PrefRegex, at.prefix = first.String(), first.Place()
	case "maxlines":
		for _, t := range slices.Backward(texts) {
			if n, err := strconv.Atoi(strings.TrimSpace(t.String())); err == nil {
				r.MaxLines = max(n, 1)
			}
		}
	case "failregex":
		r.FailRegex, at.fail = nonEmpty(texts)
	case "ignoreregex":
		r.IgnoreRegex, at.ignore = nonEmpty(texts)
	case "datepattern":
		r.DatePattern, at.day = nil, nil
		for _, line := range last.Lines() {
			if s := line.Trim(); s.String() != "" {
				r.DatePattern, at.day = append(r.DatePattern, s.String()), append(at.day, s.At(0))
			}
		}
	case "journalmatch":
		r.JournalMatch, _ = nonEmpty(texts)
	}
}

func nonEmpty(texts []ini.Text) (lines []string, at []ini.Place) {
	for _, t := range texts {
		for _, line := range t.Lines() {
			if line.String() != "" {
				lines, at = append(lines, line.String()), append(at, line.At(0))
			}
		}
	}
	return lines, at
}
