package ini

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A Document is what all files of one name say together.
type Document struct {
	tree     *Tree
	files    []string
	defaults map[string]Text
	order    []string
	sections map[string]*section
	known    map[string]map[string]Text // what a section said before the file that said it last
}

// Document reads the document of a name, such as jail or filter.d/sshd. Nil
// without an error means that it has no file.
func (t *Tree) Document(name string) (*Document, error) {
	names, err := t.top(name)
	if err != nil {
		return nil, err
	}
	c := collector{tree: t}
	if err := c.collect(names, nil); err != nil {
		return nil, err
	}
	if len(c.files) == 0 {
		return nil, nil
	}
	d := newDocument(t)
	for _, f := range c.files {
		if err := d.merge(f); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Empty returns a document that says nothing.
func (t *Tree) Empty() *Document { return newDocument(t) }

func newDocument(t *Tree) *Document {
	return &Document{tree: t, defaults: map[string]Text{}, sections: map[string]*section{}, known: map[string]map[string]Text{}}
}

// Files returns the files in the order in which they were read.
func (d *Document) Files() []string { return d.files }

// Sections returns the names of the sections, in the order in which they appear.
func (d *Document) Sections() []string {
	return slices.DeleteFunc(slices.Clone(d.order), func(s string) bool { return s == includeSection })
}

// Has reports whether there is such a section.
func (d *Document) Has(section string) bool { return d.sections[section] != nil }

// Place returns where a section begins, in the last file that has it.
func (d *Document) Place(section string) Place {
	if s := d.sections[section]; s != nil {
		return s.place
	}
	return Place{}
}

// Options returns the sorted names of a section's own options. Those of a
// [section?condition] end in the condition as it is written, and Get, which asks in
// small letters, finds no other.
func (d *Document) Options(section string) []string {
	if s := d.sections[section]; s != nil {
		return slices.Sorted(maps.Keys(s.options))
	}
	return nil
}

// An Option is one option of a section as it is written, before anything in it is
// expanded.
type Option struct {
	Section, Name string
	Text          Text
}

// All returns every option of every section, those of [DEFAULT] first.
func (d *Document) All() []Option {
	var all []Option
	add := func(section string, options map[string]Text) {
		for _, name := range slices.Sorted(maps.Keys(options)) {
			all = append(all, Option{section, name, options[name]})
		}
	}
	add(DefaultSection, d.defaults)
	for _, name := range d.order {
		add(name, d.sections[name].options)
	}
	return all
}

// Own reports whether the section itself, not [DEFAULT], has the option.
func (d *Document) Own(section, option string) bool {
	s := d.sections[section]
	if s == nil {
		return false
	}
	_, ok := s.options[option]
	return ok
}

// SetDefault sets an option of [DEFAULT], over what the files say.
func (d *Document) SetDefault(option, value string) {
	d.defaults[option] = NewText(value, Place{})
}

// conditional is the name of a section that says something for one condition, as
// [Init?family=inet6] does.
var conditional = regexp.MustCompile(`^([0-9A-Za-z_]+)(\?.+)$`)

// merge adds a file over those before it.
func (d *Document) merge(f *file) error {
	const cost = 64 // of an option, in bytes copied
	if err := d.tree.Spend(cost * (1 + f.options)); err != nil {
		return err
	}
	d.files = append(d.files, f.name)
	maps.Copy(d.defaults, f.defaults)
	for _, s := range f.sections {
		name, options := s.name, s.options
		if m := conditional.FindStringSubmatch(name); m != nil {
			name, options = m[1], map[string]Text{}
			for k, v := range s.options {
				options[k+m[2]] = v
			}
		}
		old := d.sections[name]
		if old == nil {
			d.order = append(d.order, name)
			d.sections[name] = &section{name, s.place, maps.Clone(options)}
			continue
		}
		for k := range options {
			if v, ok := old.options[k]; ok {
				if d.known[name] == nil {
					d.known[name] = map[string]Text{}
				}
				d.known[name][k] = v
			}
		}
		maps.Copy(old.options, options)
		old.place = s.place
	}
	return nil
}

// A collector gathers the files of a document in the order in which they are
// read.
type collector struct {
	tree  *Tree
	files []*file
	work  int
}

// collect adds files, what they include, and the .local beside each. The chain
// is of the files that include each other to here.
func (c *collector) collect(names, chain []string) error {
	for _, name := range names {
		if err := c.add(name, chain); err != nil {
			return err
		}
		local := strings.TrimSuffix(name, path.Ext(name)) + ".local"
		if !slices.Contains(names, local) && c.tree.exists(local) {
			if err := c.add(local, chain); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds what a file includes before it, the file, and what it includes after.
func (c *collector) add(name string, chain []string) error {
	if c.work++; c.work > maxFiles || len(chain) > maxDepth {
		return &Error{Place: Place{File: name}, Msg: "is one include too many; look for files that include each other"}
	}
	f, err := c.tree.load(name)
	if err != nil || f == nil {
		return err
	}
	within := append(slices.Clip(chain), name)
	for _, side := range []string{"before", "", "after"} {
		if side == "" {
			c.files = append(c.files, f)
			continue
		}
		includes, err := f.includes(c.tree, side)
		if err != nil {
			return err
		}
		for _, i := range includes {
			if slices.Contains(chain, i) {
				continue
			}
			if err := c.collect([]string{i}, within); err != nil {
				return err
			}
		}
	}
	return nil
}

// includes returns the paths that a file includes, as it says it by itself.
func (f *file) includes(t *Tree, side string) ([]string, error) {
	s := f.section(includeSection)
	if s == nil {
		return nil, nil
	}
	d := newDocument(t)
	if err := d.merge(&file{f.name, f.defaults, []*section{s}, 0}); err != nil {
		return nil, err
	}
	text, _, err := d.Get(includeSection, side, nil)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, line := range text.Lines() {
		p := line.String()
		switch {
		case p == "":
		case path.IsAbs(p):
			paths = append(paths, path.Clean(p))
		default:
			paths = append(paths, path.Join(path.Dir(f.name), p))
		}
	}
	return paths, nil
}
