package fail2ban

import (
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// An idleTag is a <tag> that is left in patterns and stands for nothing, so that
// to fail2ban it is text that no line has.
type idleTag struct {
	level Level
	err   error
	fatal bool     // a pattern that has it cannot be used
	mode  bool     // made of an option whose value the filter does not know
	lines []lineOf // which have it
}

type lineOf struct {
	key   string
	index int
}

type idleTags []*idleTag

// explain reports whether a tag made of a misspelt option says all about a line
// that is no pattern.
func (tags idleTags) explain(key string, index int) (explained bool) {
	for _, t := range tags {
		if t.mode && slices.Contains(t.lines, lineOf{key, index}) {
			t.fatal, explained = true, true
		}
	}
	return explained
}

// idleTags finds the tags that stand for nothing.
func (j *jail) idleTags(at places) idleTags {
	byTag := map[string]*idleTag{}
	var names []string
	r := j.out.Rules
	for _, opt := range []struct {
		key   string
		lines []string
	}{{"prefregex", []string{r.PrefRegex}}, {"failregex", r.FailRegex}, {"ignoreregex", r.IgnoreRegex}, {"datepattern", r.DatePattern}} {
		for i, line := range opt.lines {
			for _, name := range value.Tags(line) {
				if byTag[name] == nil {
					byTag[name] = &idleTag{level: Warning, err: wrong(at.of(opt.key, i), "%s[%d]: the tag <%s> stands for nothing, and is looked for as it stands; %s", opt.key, i+1, name, value.Remedy(name))}
					names = append(names, name)
				}
				byTag[name].lines = append(byTag[name].lines, lineOf{opt.key, i})
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return j.misnamed(names, byTag)
}

// misnamed puts the tags that were made of one option, such as mode, whose value
// the filter does not know, under what is wrong with that option.
func (j *jail) misnamed(names []string, byTag map[string]*idleTag) idleTags {
	byOption := map[string]*idleTag{}
	known := map[string][]string{}
	var all idleTags
	for _, name := range names {
		option, words := "", []string(nil)
		if j.filter != nil {
			option, words = j.filter.meant(name)
		}
		if option == "" {
			all = append(all, byTag[name])
			continue
		}
		if byOption[option] == nil {
			byOption[option], known[option] = &idleTag{level: Problem, mode: true}, words
			all = append(all, byOption[option])
		}
		t := byOption[option]
		t.lines = append(t.lines, byTag[name].lines...)
		if both := both(known[option], words); len(both) > 0 {
			known[option] = both
		}
	}
	for option, t := range byOption {
		word, at := j.optionAt(option)
		t.err = wrong(at, "%s = %s: the filter knows %s", option, word, strings.Join(known[option], ", "))
	}
	return all
}

func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// optionAt returns what the filter was given for an option, and where the jail, or
// the filter's brackets, say so.
func (j *jail) optionAt(option string) (string, ini.Place) {
	given, _ := j.filter.given(option)
	if t, ok, err := j.get(option); err == nil && ok && t.String() == given.String() {
		return given.String(), t.Place()
	}
	return given.String(), given.Place()
}

// meant returns the option whose value a tag was probably made of, such as mode
// for <mdre-typo>, and the values for which there would be such a tag.
func (d *definition) meant(tag string) (option string, words []string) {
	defined := d.doc.Options("Definition")
	for _, s := range d.doc.Sections() {
		for _, o := range d.doc.Options(s) {
			defined = append(defined, s+"/"+o)
		}
	}
	names := map[string]bool{}
	for _, o := range []map[string]ini.Text{d.params, d.init} {
		for name := range o {
			names[name] = !strings.HasPrefix(name, "known/")
		}
	}
	for name, ok := range names {
		given, _ := d.given(name)
		m := regexp.MustCompile(`^(|.*[-_])` + regexp.QuoteMeta(given.String()) + `(|[-_/].*)$`).FindStringSubmatch(tag)
		if !ok || given.String() == "" || m == nil || m[0] == given.String() {
			continue
		}
		before, after := m[1], m[2]
		var known []string
		for _, o := range defined {
			if rest, ok := strings.CutPrefix(o, before); ok {
				if word, ok := strings.CutSuffix(rest, after); ok && word != "" && !strings.Contains(word, "/") {
					known = append(known, word)
				}
			}
		}
		if len(known) > len(words) || len(known) == len(words) && name < option {
			option, words = name, known
		}
	}
	if len(words) == 0 {
		return "", nil
	}
	return option, words
}
