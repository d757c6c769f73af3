package filter

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/date"
	"github.com/edgeban/edgeban/internal/filter/pattern"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

//go:embed filters/*.yaml
var embedded embed.FS

// A Filter knows the lines of a service. It is safe for concurrent use.
type Filter struct {
	Name        string
	Description string

	file    string
	origin  origin
	forms   date.Forms // looked for in the whole line where no header has a stamp
	undated bool       // datepattern: none
	rules   []rule     // what to ignore first, then failures, then successes
	lits    [][]byte   // each rule's mask names some of them by its bits
	always  bool       // some rule has no literal: every line must be looked at
	samples []sample
}

// A rule is a pattern and what a line that matches it means.
type rule struct {
	pattern *pattern.Pattern
	kind    edgeban.Kind // 0 for a line that never counts
	counts  counting
	program []string   // globs of the programs whose lines alone are meant; none for any
	mask    uint64     // a line that matches holds one of these literals; 0 if none is known
	also    [][][]byte // and one string of each of these sets
}

// Counting is how a line stands for the failures of its session.
type counting uint8

const (
	each counting = iota
	total
	once
)

// Builtin returns the names of the filters that come with the program.
func Builtin() []string {
	files, err := embedded.ReadDir("filters")
	if err != nil {
		panic(err) // it is compiled in
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Text returns the file of a built-in filter.
func Text(name string) ([]byte, error) {
	if !slices.Contains(Builtin(), name) {
		return nil, fmt.Errorf("filter %q is not built in; there are %s", name, strings.Join(Builtin(), ", "))
	}
	return embedded.ReadFile("filters/" + name + ".yaml")
}

// Load reads a built-in filter, or the file of a name that has a slash in it or
// ends in .yaml or .yml. Every mistake of the file is in the error, with its
// place.
func Load(name string) (*Filter, error) {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		return Parse(name, data)
	}
	if !slices.Contains(Builtin(), name) {
		return nil, fmt.Errorf("filter %q is not built in; write one of %s, or the path of a .yaml file",
			name, strings.Join(Builtin(), ", "))
	}
	data, err := embedded.ReadFile(path.Join("filters", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", name, err)
	}
	return Parse(name+".yaml", data)
}

// Options says for whom a Scanner scans.
type Options struct {
	Jail string
	Zone *time.Location // of stamps without one; nil for the local zone

	// Named is told of each failure that names a host whose addresses are to be
	// looked up and counted: the match lacks only the address. It must not block.
	// Only patterns in the way of fail2ban with usedns = yes find such; nil to
	// leave them out.
	Named func(name string, m edgeban.Match)
}

// Scanner returns a Scanner for the lines of one stream.
func (f *Filter) Scanner(o Options) *Scanner {
	return &Scanner{filter: f, jail: o.Jail, zone: cmp.Or(o.Zone, time.Local), sessions: newSessions()}
}

// add takes in a rule and the literals that its pattern requires.
func (f *Filter) add(r rule) {
	if sets := r.pattern.Literals(); len(sets) > 0 {
		r.mask = f.bits(sets[0])
		for _, set := range sets[1:] {
			var also [][]byte
			for _, lit := range set {
				also = append(also, []byte(lit))
			}
			r.also = append(r.also, also)
		}
	}
	f.always = f.always || r.mask == 0
	f.rules = append(f.rules, r)
}

// Needs returns what each rule needs of a line as it is written. It is nil for a
// filter that has to see every line.
func (f *Filter) Needs() []scan.Need {
	var needs []scan.Need
	for i := range f.rules {
		var n scan.Need
		for _, set := range f.rules[i].pattern.Literals() {
			var lits []scan.Literal
			for _, l := range set {
				lits = append(lits, scan.Literal{Text: l})
			}
			n = append(n, lits)
		}
		if f.rules[i].mask == 0 || n.Open() {
			return nil
		}
		needs = append(needs, n)
	}
	return needs
}

// bits returns the mask of the literals, 0 if there is no room for them.
func (f *Filter) bits(lits []string) (mask uint64) {
	for _, lit := range lits {
		at := slices.IndexFunc(f.lits, func(b []byte) bool { return string(b) == lit })
		if at < 0 {
			if at = len(f.lits); at == 64 {
				return 0
			}
			f.lits = append(f.lits, []byte(lit))
		}
		mask |= 1 << at
	}
	return mask
}

// may reports whether any rule's may does.
func (f *Filter) may(line []byte, mask uint64) bool {
	for i := range f.rules {
		if f.rules[i].may(line, mask) {
			return true
		}
	}
	return false
}

// may reports whether a line that holds the literals of mask can match.
func (r *rule) may(line []byte, mask uint64) bool {
	if r.mask != 0 && r.mask&mask == 0 {
		return false
	}
	for _, set := range r.also {
		if !slices.ContainsFunc(set, func(lit []byte) bool { return bytes.Contains(line, lit) }) {
			return false
		}
	}
	return true
}

// by reports whether the rule is about lines of the program.
func (r *rule) by(program []byte) bool {
	return len(r.program) == 0 || slices.ContainsFunc(r.program, func(p string) bool { return glob(p, program) })
}
