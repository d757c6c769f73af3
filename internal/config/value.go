package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A reader walks one file and gathers what is wrong with it.
type reader struct {
	file     string
	env      Env
	problems Problems
}

// told is how many problems are worth listing: a file of another kind has one
// in each line.
const told = 500

// wrong adds a problem at a place of the file.
func (r *reader) wrong(at *yaml.Node, path, text string) {
	if len(r.problems) < told {
		r.problems = append(r.problems, Problem{r.file, max(at.Line, 1), max(at.Column, 1), path, text})
	}
}

// A value is one node of the file, and the way to it.
type value struct {
	r    *reader
	node *yaml.Node
	key  *yaml.Node // nil for an item of a list
	path string
}

// value returns a node as a value. What YAML offers beyond plain values is
// refused here, once: a file that is read by people says what it means where it
// says it.
func (r *reader) value(node, key *yaml.Node, path string) value {
	switch {
	case node.Kind == yaml.AliasNode:
		r.wrong(node, path, "is an alias, which is not understood; write the value itself, in quotes if it begins with *")
	case node.Anchor != "":
		r.wrong(node, path, "has an anchor, which is not understood; take it out, or put the value in quotes if it begins with &")
	case node.Style&yaml.TaggedStyle != 0:
		r.wrong(node, path, "has a tag, which is not understood; take it out, or put the value in quotes if it begins with !")
	}
	return value{r, node, key, path}
}

// wrong says what is wrong with v. Of a value that was refused already nothing
// more is said.
func (v value) wrong(format string, args ...any) {
	if v.node.Kind == yaml.AliasNode {
		return
	}
	at := v.node
	if v.key != nil && (at.Kind != yaml.ScalarNode || v.null()) {
		at = v.key
	}
	v.r.wrong(at, v.path, fmt.Sprintf(format, args...))
}

func (v value) null() bool { return isNull(v.node) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "text"
}

// A field is one key of a mapping. A table of fields is what a mapping
// understands, in the order in which it is read.
type field struct {
	key  string
	read func(value)
	need string // what to write where the key is missing; empty if it may be
}

// into returns the reading of a field that is kept in dst.
func into[T any](dst *T, read func(value) (T, bool)) func(value) {
	return func(v value) {
		if t, ok := read(v); ok {
			*dst = t
		}
	}
}

// as returns the reading of a text that parse understands, or says why not.
func as[T any](parse func(string) (T, error)) func(value) (T, bool) {
	return func(v value) (t T, ok bool) {
		s, ok := v.text()
		if !ok {
			return t, false
		}
		t, err := parse(s)
		if err != nil {
			v.wrong("%v", err)
		}
		return t, err == nil
	}
}

// each returns the reading of a field that holds several.
func each[T any](dst *[]T, split func(value) []value, read func(value) (T, bool)) func(value) {
	return func(v value) {
		*dst = nil
		for _, item := range split(v) {
			if t, ok := read(item); ok {
				*dst = append(*dst, t)
			}
		}
	}
}

// mapping reads v by a table. Nothing at all counts as an empty mapping.
func (v value) mapping(fields []field) {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	if v.node.Kind != yaml.MappingNode && !v.null() {
		v.wrong("is %s; write its settings as keys: %s", v.kind(), strings.Join(known, ", "))
		return
	}
	first, owner := map[string]*yaml.Node{}, v.hollow(known)
	for k, val := range v.pairs() {
		at, seen := first[k.Value]
		switch {
		case !slices.Contains(known, k.Value):
			v.unknown(k, val, known, owner)
		case seen:
			v.r.wrong(k, join(v.path, k.Value), fmt.Sprintf("is here a second time, after line %d; keep one", at.Line))
		default:
			first[k.Value] = k
		}
	}
	for _, f := range fields {
		if child, ok := v.get(f.key); ok {
			f.read(child)
		} else if f.need != "" {
			v.missing(f.key, f.need)
		}
	}
}

// missing says that v has no such key, where v is.
func (v value) missing(key, need string) {
	v.path = join(v.path, key)
	v.wrong("is missing; write %s", need)
}

// pairs yields the keys and values of a mapping whose keys are plain words.
func (v value) pairs() func(yield func(k, val *yaml.Node) bool) {
	return func(yield func(k, val *yaml.Node) bool) {
		if v.node.Kind != yaml.MappingNode {
			return
		}
		for pair := range slices.Chunk(v.node.Content, 2) {
			k := pair[0]
			if len(v.r.problems) >= told {
				return
			}
			if k.Tag == "!!merge" {
				v.r.wrong(k, v.path, "<< is not understood; write the keys out")
				continue
			}
			if k.Kind == yaml.SequenceNode || k.Kind == yaml.MappingNode {
				v.r.wrong(k, v.path, "a key must be one word; put a value in quotes if it begins with { or [")
				continue
			}
			if v.r.value(k, nil, v.path).node.Kind == yaml.AliasNode {
				continue
			}
			if !yield(k, pair[1]) {
				return
			}
		}
	}
}

// get returns the value of a key, of several the first.
func (v value) get(key string) (value, bool) {
	if v.node.Kind != yaml.MappingNode {
		return value{}, false
	}
	for pair := range slices.Chunk(v.node.Content, 2) {
		if k := pair[0]; k.Kind == yaml.ScalarNode && k.Value == key && k.Tag != "!!merge" {
			return v.r.value(pair[1], k, join(v.path, key)), true
		}
	}
	return value{}, false
}

// plainKey is a key that may be shown though nobody knows it. A secret can get
// into the place of a key, as in {topic: a, tk_xyz}.
var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z_.-]{0,30}$`)

// unknown says that nothing is called k, and what is meant. The owner may be
// whose setting it is.
func (v value) unknown(k, val *yaml.Node, known []string, owner string) {
	name := k.Value
	if i := strings.IndexAny(name, ":="); i > 0 && slices.Contains(known, name[:i]) {
		v.r.wrong(k, join(v.path, name[:i]), `has no space after the colon; write "`+name[:i]+`: " and the value`)
		return
	}
	if near := nearest(name, known); near != "" {
		v.r.wrong(k, v.path, fmt.Sprintf("unknown key %s; did you mean %s?", quote(name), near))
		return
	}
	text := "unknown key"
	if plainKey.MatchString(name) && !isNull(val) {
		text += " " + quote(name)
	}
	if owner != "" {
		text += "; indent it further if it belongs to " + owner
	}
	v.r.wrong(k, v.path, text+"; known here: "+strings.Join(known, ", "))
}

// hollow returns a known key of v that has no value, as one does whose settings
// stand beside it in place of below it.
func (v value) hollow(known []string) string {
	for _, key := range known {
		if child, ok := v.get(key); ok && child.null() {
			return key
		}
	}
	return ""
}

// items returns what a list holds. A single value is a list of one, and nothing
// is an empty list.
func (v value) items() []value {
	switch {
	case v.null():
		return nil
	case v.node.Kind == yaml.MappingNode:
		v.wrong(`is a mapping; write a list, with "- " before each item`)
		return nil
	case v.node.Kind != yaml.SequenceNode:
		return []value{v}
	}
	vs := make([]value, len(v.node.Content))
	for i, n := range v.node.Content {
		vs[i] = v.r.value(n, nil, v.path+"["+strconv.Itoa(i)+"]")
	}
	return vs
}

// some returns the items of a list that must hold one.
func (v value) some() []value {
	vs := v.items()
	if len(vs) == 0 && v.node.Kind != yaml.MappingNode {
		v.wrong("is empty; write a value, or take the key out")
	}
	return vs
}

// words returns the items of a list, each cut at spaces and commas as fail2ban
// does.
func (v value) words() []value {
	var words []value
	for _, item := range v.items() {
		if item.node.Kind != yaml.ScalarNode || item.null() {
			words = append(words, item)
			continue
		}
		for word := range strings.FieldsFuncSeq(item.node.Value, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
			n := *item.node
			n.Value = word
			words = append(words, value{v.r, &n, item.key, item.path})
		}
	}
	return words
}

// text reads one line of text, which may look like a number or a truth.
func (v value) text() (string, bool) {
	switch {
	case v.node.Kind != yaml.ScalarNode:
		v.wrong("is %s; write a single value", v.kind())
	case v.null() || v.node.Value == "":
		v.wrong("has no value; write one, or take the key out")
	case hasControl(v.node.Value):
		v.wrong("holds a line break or a control character; write it in one line")
	default:
		return v.node.Value, true
	}
	return "", false
}

func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// file reads a path, relative to the folder of the configuration.
func (v value) file() (string, bool) {
	s, ok := v.text()
	if !ok {
		return "", false
	}
	return v.r.absolute(s), true
}

func (r *reader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// truth reads a truth, in the words of YAML and fail2ban.
func truth(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false; write one of them", quote(s))
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// name reads a name that people will type and that ends up in URLs and tables.
func name(s string) (string, error) {
	if !nameRule.MatchString(s) {
		return "", fmt.Errorf("%s cannot be a name; use up to 64 letters, digits, _, - and ., beginning with a letter or a digit", quote(s))
	}
	return s, nil
}

// oneOf returns the reading of one of some words.
func oneOf[T ~string](known ...T) func(value) (T, bool) {
	return as(func(s string) (T, error) {
		words := make([]string, len(known))
		for i, k := range known {
			if words[i] = string(k); words[i] == s {
				return k, nil
			}
		}
		return "", fmt.Errorf("%s is not known; %s", quote(s), meant(s, words))
	})
}

// meant is the way out for a word that is none of known.
func meant(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "write " + strings.Join(known, ", ")
}

// join adds a key to a path.
func join(path, key string) string {
	if !nameRule.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
