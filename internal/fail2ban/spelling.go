package fail2ban

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// own reports whether a place is in a file that its user wrote, not one that came
// with the package.
func (r *reader) own(at ini.Place) bool {
	return at.File != path.Join(r.dir, "jail.conf") && !strings.HasPrefix(path.Base(at.File), "paths-")
}

// reference is a name that a value refers to, another section's option too.
var reference = regexp.MustCompile(`%\((?:[^()/]*/)?([^()/]+)\)s`)

// misspelt says which options are probably others, misspelt. To fail2ban every
// option may be a name for %(name)s, so it never complains; nor is one complained
// of here that some value refers to.
func (r *reader) misspelt(on map[string]bool) {
	known := slices.Concat(slices.Sorted(maps.Keys(jailOptions)), filterOptions, []string{"banaction", "mode"})
	all := r.jails.All()
	wanted := map[string]bool{}
	for _, o := range all {
		for _, m := range reference.FindAllStringSubmatch(o.Text.String(), -1) {
			wanted[strings.ToLower(m[1])] = true
		}
	}
	nearest := map[string]string{} // most options are in many sections
	for _, o := range all {
		near, ok := nearest[o.Name]
		if !ok {
			near = value.Near(o.Name, known)
			nearest[o.Name] = near
		}
		if near == "" || near == o.Name || wanted[o.Name] || !r.own(o.Text.At(0)) {
			continue
		}
		var err error
		switch {
		case on[o.Section] || o.Section == ini.DefaultSection:
			err = wrong(o.Text.At(0), "%s: there is no such option, and it does nothing; did you mean %s?", value.Quote(o.Name), near)
		case near == "enabled":
			err = wrong(o.Text.At(0), "%s: there is no such option, and the jail is not enabled; write enabled = true", value.Quote(o.Name))
		default:
			continue
		}
		n := note(Warning, o.Text.At(0), err)
		if o.Section != ini.DefaultSection {
			n.Jail = o.Section
		}
		r.result.Notes = append(r.result.Notes, n)
	}
}

// checkDisabled says of a jail that is not enabled if somebody may think that it
// is.
func (j *jail) checkDisabled() {
	t, _, err := j.get("enabled")
	if err != nil || !j.own(t.Place()) {
		return
	}
	switch strings.ToLower(t.String()) {
	case "", "0", "off", "false", "no":
		return
	}
	n := note(Problem, t.Place(), unlike("enabled", t, value.Quote(t.String())+" means no to fail2ban, and the jail does not run; write true or false"))
	n.Jail = j.name
	j.result.Notes = append(j.result.Notes, n)
}
