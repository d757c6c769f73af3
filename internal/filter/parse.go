package filter

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/date"
	"github.com/edgeban/edgeban/internal/filter/pattern"
)

// Parse reads the text of a filter's file. The error names every mistake as
// file:line:col, one a line, with what to write instead.
func Parse(file string, data []byte) (*Filter, error) {
	r := &reader{file: file}
	f := &Filter{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), file: file}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, broken(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s:1:1: the file is empty; write at least a list of failures", file)
	}
	r.filter(f, doc.Content[0])
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return f, nil
}

// broken words an error of YAML itself, which knows only the line.
func broken(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if n, err := fmt.Sscanf(text, "line %d:", &line); n == 1 && err == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return fmt.Errorf("%s:%d:1: this is not YAML: %s; look for a quote or a bracket without its other half", file, line, text)
}

// A reader collects the mistakes of a file.
type reader struct {
	file string
	errs []error
}

// errorf notes a mistake at byte off of the value n.
func (r *reader) errorf(n *yaml.Node, off int, format string, args ...any) {
	line, col := n.Line, n.Column
	switch {
	case off == 0:
	case n.Style == yaml.SingleQuotedStyle:
		col += 1 + off + strings.Count(n.Value[:min(off, len(n.Value))], "'")
	case n.Style == 0:
		col += off
	}
	r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s", r.file, line, col, fmt.Sprintf(format, args...)))
}

// fields walks the mapping n, whose keys must be among those of known.
func (r *reader) fields(n *yaml.Node, what string, known []string, each func(key string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.errorf(n, 0, "%s is a mapping; write %s: and what belongs to it", what, known[0])
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		switch {
		case !slices.Contains(known, key.Value):
			r.errorf(key, 0, "%s has no %q; write one of %s", what, key.Value, strings.Join(known, ", "))
		case seen[key.Value]:
			r.errorf(key, 0, "%q stands here twice; join the two", key.Value)
		default:
			each(key.Value, value)
		}
		seen[key.Value] = true
	}
}

var filterKeys = []string{
	"description", "programs", "containers", "bare", "datepattern",
	"ignore", "failures", "successes", "now", "zone", "samples",
}

func (r *reader) filter(f *Filter, n *yaml.Node) {
	rules := map[string][]rule{}
	var defaults sample
	r.fields(n, "a filter", filterKeys, func(key string, v *yaml.Node) {
		switch key {
		case "description":
			f.Description = r.text(v)
		case "programs":
			f.origin.programs = r.texts(v)
		case "containers":
			f.origin.containers = r.texts(v)
		case "bare":
			f.origin.bare = r.boolean(v)
		case "datepattern":
			f.forms, f.undated = r.forms(v)
		case "ignore":
			rules[key] = r.rules(v, 0)
		case "failures":
			rules[key] = r.rules(v, edgeban.Failure)
		case "successes":
			rules[key] = r.rules(v, edgeban.Success)
		case "now", "zone":
			r.context(&defaults, key, v)
		case "samples":
			f.samples = r.samples(v)
		}
	})
	if len(r.errs) == 0 && len(rules["failures"]) == 0 {
		r.errorf(n, 0, "a filter without failures finds nothing; write failures: and a list of patterns")
	}
	if f.forms == 0 && !f.undated {
		f.forms = date.JSON
	}
	for _, key := range []string{"ignore", "failures", "successes"} {
		for _, rule := range rules[key] {
			f.add(rule)
		}
	}
	for i := range f.samples {
		f.samples[i].fill(defaults)
	}
}

// text returns the string of a scalar.
func (r *reader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, 0, "a text is wanted here; write it in quotes on this line")
		return ""
	}
	return n.Value
}

// texts returns the strings of a list, or of one scalar.
func (r *reader) texts(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var all []string
	for _, v := range r.list(n) {
		all = append(all, r.text(v))
	}
	return all
}

func (r *reader) list(n *yaml.Node) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		r.errorf(n, 0, "a list is wanted here; write each item on a line of its own after \"- \"")
		return nil
	}
	return n.Content
}

func (r *reader) boolean(n *yaml.Node) bool {
	var b bool
	if err := n.Decode(&b); err != nil {
		r.errorf(n, 0, "%q is neither true nor false; write one of them", n.Value)
	}
	return b
}

var formNames = map[string]date.Forms{
	"syslog": date.Syslog, "iso": date.ISO, "clf": date.CLF, "epoch": date.Epoch, "json": date.JSON,
}

// forms reads datepattern.
func (r *reader) forms(n *yaml.Node) (forms date.Forms, none bool) {
	words := r.texts(n)
	if len(words) == 1 && words[0] == "none" {
		return 0, true
	}
	for _, w := range words {
		form, ok := formNames[w]
		if !ok {
			r.errorf(n, 0, "datepattern: %q is not a form of date; write none, or some of syslog, iso, clf, epoch, json", w)
		}
		forms |= form
	}
	return forms, false
}

// rules reads a list of patterns.
func (r *reader) rules(n *yaml.Node, kind edgeban.Kind) []rule {
	var all []rule
	for _, v := range r.list(n) {
		rule := rule{kind: kind}
		at := v
		if v.Kind == yaml.MappingNode {
			r.fields(v, "a pattern", []string{"match", "program", "counts"}, func(key string, v *yaml.Node) {
				switch key {
				case "match":
					at = v
				case "program":
					rule.program = r.texts(v)
				case "counts":
					rule.counts = r.counting(v)
				}
			})
			if at == v {
				r.errorf(v, 0, "a pattern without match; write match: '...'")
				continue
			}
		}
		if rule.pattern = r.pattern(at); rule.pattern != nil {
			r.check(at, rule)
			all = append(all, rule)
		}
	}
	return all
}

func (r *reader) counting(n *yaml.Node) counting {
	switch n.Value {
	case "each":
		return each
	case "total":
		return total
	case "once":
		return once
	}
	r.errorf(n, 0, "counts: %q is not a way to count; write each, total or once", n.Value)
	return each
}

func (r *reader) pattern(n *yaml.Node) *pattern.Pattern {
	text := r.text(n)
	if text == "" {
		r.errorf(n, 0, "an empty pattern matches every line; write what the line says")
		return nil
	}
	p, err := pattern.Compile(text)
	if err == nil {
		return p
	}
	off := 0
	if e, ok := errors.AsType[*pattern.Error](err); ok {
		off = e.Offset
	}
	r.errorf(n, off, "%v (byte %d of the pattern)", err, off)
	return nil
}

// check refuses a rule that could never say who.
func (r *reader) check(n *yaml.Node, rule rule) {
	p := rule.pattern
	switch {
	case rule.kind != 0 && !p.Has(pattern.Host):
		r.errorf(n, 0, "the pattern does not say who; write <HOST> where the address stands")
	case rule.kind == 0 && p.Has(pattern.Session) && !p.Has(pattern.Host):
		r.errorf(n, 0, "a session belongs to an address; write <HOST> where it stands")
	case rule.counts != each && !p.Has(pattern.Session):
		r.errorf(n, 0, "counts total or once is about a session; write <F-SESSION>...</F-SESSION> around what names it")
	}
}
