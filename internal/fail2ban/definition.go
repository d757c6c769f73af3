package fail2ban

import (
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// A definition is a filter or an action with the parameters that a jail gives it.
type definition struct {
	tree    *ini.Tree
	doc     *ini.Document
	options []string            // those of [Definition] that are known by name
	params  map[string]ini.Text // given in brackets
	lower   map[string]ini.Text // the same, as %(name)s knows them
	init    map[string]ini.Text // of [Init], and known/ of each
	skip    map[string]bool     // options whose tags stay, and tags that stay
	jail    ini.Lookup          // the options of the jail
	early   ini.Lookup          // those that are known before the filter was read
	found   map[string]*tagValue
}

type tagValue struct {
	text ini.Text
	ok   bool
}

func newDefinition(t *ini.Tree, d *ini.Document, options []string, params map[string]ini.Text) (*definition, error) {
	none := func(string) (ini.Text, bool, error) { return ini.Text{}, false, nil }
	def := &definition{
		tree: t, doc: d, options: options, params: params, lower: map[string]ini.Text{}, init: map[string]ini.Text{}, skip: map[string]bool{},
		jail: none, early: none, found: map[string]*tagValue{},
	}
	for _, opt := range d.Options("Init") {
		v, ok, err := d.Get("Init", opt, nil)
		switch {
		case err != nil:
			return nil, err
		case !ok: // upstream stops here, too
			return nil, wrong(d.Place("Init"), "option %s of [Init] can never be found; write what stands after the ? of its section in small letters, as [Init?family=inet6]", value.Quote(opt))
		}
		def.init[opt] = v
		if !strings.HasPrefix(opt, "known/") {
			def.init["known/"+opt] = v
		}
		if base, _, ok := strings.Cut(opt, "?"); ok {
			def.skip[base] = true
		}
	}
	for opt, v := range params {
		def.lower[strings.ToLower(opt)] = v
		if base, _, ok := strings.Cut(opt, "?"); ok {
			def.skip[base] = true
		}
	}
	return def, nil
}

// given returns a parameter, or what [Init] says in its place.
func (d *definition) given(name string) (ini.Text, bool) {
	if v, ok := d.params[name]; ok {
		return v, true
	}
	v, ok := d.init[name]
	return v, ok
}

// A view is how a definition is seen: early, while the jail itself is still read,
// or at last.
type view bool

const (
	early view = false
	final view = true
)

// vars returns what stands before the files' own values in %(name)s.
func (d *definition) vars(v view) ini.Lookup {
	return func(name string) (ini.Text, bool, error) {
		if t, ok := d.lower[name]; ok {
			return t, true, nil
		}
		if v == early {
			return d.early(name)
		}
		if t, ok := d.init[name]; ok {
			return t, true, nil
		}
		return d.jail(name)
	}
}

// raw returns a value before its tags are replaced.
func (d *definition) raw(name string, v view) (ini.Text, bool, error) {
	if t, ok := d.given(name); ok {
		return t, true, nil
	}
	return d.doc.Get("Definition", name, d.varsOf(name, v))
}

// varsOf is vars for one option. While the jail is read upstream reads those of
// its own that a filter has without them.
func (d *definition) varsOf(name string, v view) ini.Lookup {
	if v == early && !slices.Contains(d.options, name) && d.known(name) {
		return nil
	}
	return d.vars(v)
}

// value returns an option with every <tag> replaced that stands for something.
func (d *definition) value(name string, v view) (ini.Text, bool, error) {
	t, ok, err := d.raw(name, v)
	if err != nil || !ok {
		return ini.Text{}, false, err
	}
	t, err = d.replace(name, t, v)
	return t, err == nil, err
}

// tag returns what a <tag> stands for, if anything.
func (d *definition) tag(name string, v view) (ini.Text, bool, error) {
	key := name
	if v == final {
		key = " " + name // a tag has no space
	}
	if f := d.found[key]; f != nil {
		return f.text, f.ok, nil
	}
	t, ok := d.given(name)
	if !ok {
		if !d.known(name) {
			v = early // upstream remembers what it saw first
		}
		var err error
		if t, ok, err = d.doc.FromSection("Definition", name, d.varsOf(name, v)); err != nil {
			return ini.Text{}, false, err
		}
	}
	d.found[key] = &tagValue{t, ok}
	return t, ok, nil
}

// known reports whether the definition itself has an option.
func (d *definition) known(name string) bool {
	return slices.Contains(d.options, name) || d.doc.Own("Definition", name)
}

const (
	maxReplaced = 100     // of one tag in one value; upstream gives up after 25
	maxText     = 1 << 20 // bytes of a value
)

var tagRule = regexp.MustCompile(`<[^ <>]+>`)

// replace replaces the tags of a value, inner ones first, until none is left that
// stands for something. Of others the text stays, <HOST> for one.
func (d *definition) replace(self string, t ini.Text, v view) (ini.Text, error) {
	if d.skip[self] {
		return t, nil
	}
	counts := map[string]int{}
	for changed := true; changed; {
		changed = false
		for pos := 0; ; {
			at := tagRule.FindStringIndex(t.String()[pos:])
			if at == nil {
				break
			}
			from, to := pos+at[0], pos+at[1]
			name := t.String()[from+1 : to-1]
			if d.skip[name] {
				pos = to
				continue
			}
			if name == self || counts[name] >= maxReplaced {
				return t, wrong(t.At(from), "option %s: the tag <%s> stands for something that holds the tag itself; take it out there", self, name)
			}
			value, ok, err := d.tag(name, v)
			if err != nil {
				return t, err
			}
			if !ok {
				pos = to
				continue
			}
			counts[name]++
			place := t.At(from)
			t = t.Replace("<"+name+">", value)
			if len(t.String()) > maxText {
				return t, wrong(place, "option %s grows beyond %d bytes when <%s> is replaced", self, maxText, name)
			}
			if err := d.tree.Spend(256 + 4*len(t.String())); err != nil {
				return t, err
			}
			pos, changed = min(from, len(t.String())), true // one before it may have become shorter, too
		}
	}
	return t, nil
}
