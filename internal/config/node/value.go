package node

import (
	"fmt"
	"iter"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// An Env is what a document may refer to outside of its file.
type Env struct {
	ReadFile  func(path string) ([]byte, error)
	LookupEnv func(name string) (string, bool)
	UID       int // who reads, for problems with a file's permissions
}

// A Reader walks one file and gathers what is wrong with it.
type Reader struct {
	file     string
	env      Env
	problems Problems
}

// NewReader returns a Reader of the file of this name, to whose folder the paths
// in it are relative.
func NewReader(file string, env Env) *Reader { return &Reader{file: file, env: env} }

// Problems returns what was wrong so far, in the order of the file, each once.
func (r *Reader) Problems() Problems { return r.problems.sorted() }

// MaxProblems is how many problems are worth listing: a file of another kind has one
// in each line.
const MaxProblems = 500

// wrong adds a problem at a place of the file.
func (r *Reader) wrong(at *yaml.Node, path, text string) {
	if len(r.problems) < MaxProblems {
		r.problems = append(r.problems, Problem{r.file, max(at.Line, 1), max(at.Column, 1), path, text})
	}
}

// A Value is one node of the file, and the way to it.
type Value struct {
	r    *Reader
	node *yaml.Node
	key  *yaml.Node // nil for an item of a list
	path string
}

// value returns a node as a value. What YAML offers beyond plain values is
// refused here, once: a file that is read by people says what it means where it
// says it.
func (r *Reader) value(node, key *yaml.Node, path string) Value {
	switch {
	case node.Kind == yaml.AliasNode:
		r.wrong(node, path, "is an alias, which is not understood; write the value itself, in quotes if it begins with *")
	case node.Anchor != "":
		r.wrong(node, path, "has an anchor, which is not understood; take it out, or put the value in quotes if it begins with &")
	case node.Style&yaml.TaggedStyle != 0:
		r.wrong(node, path, "has a tag, which is not understood; take it out, or put the value in quotes if it begins with !")
	}
	return Value{r, node, key, path}
}

// Wrong says what is wrong with v. Of a value that was refused already nothing
// more is said.
func (v Value) Wrong(format string, args ...any) {
	if v.node.Kind == yaml.AliasNode {
		return
	}
	at := v.node
	if v.key != nil && (at.Kind != yaml.ScalarNode || v.Null()) {
		at = v.key
	}
	v.r.wrong(at, v.path, fmt.Sprintf(format, args...))
}

// Null reports whether v is a key without a value.
func (v Value) Null() bool { return isNull(v.node) }

// IsMapping reports whether v has keys.
func (v Value) IsMapping() bool { return v.node.Kind == yaml.MappingNode }

// Is reports whether v is just this word.
func (v Value) Is(word string) bool { return v.node.Kind == yaml.ScalarNode && v.node.Value == word }

// Key returns the key that v stands at; empty for an item of a list.
func (v Value) Key() string {
	if v.key == nil {
		return ""
	}
	return v.key.Value
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Kind returns what v is, in a word for people.
func (v Value) Kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "text"
}

// A Field is one key of a mapping. A table of fields is what a mapping
// understands, in the order in which it is read.
type Field struct {
	key  string
	read func(Value)
	need string // what to write where the key is missing; empty if it may be
}

// Key returns the field of a key that may be left out.
func Key(key string, read func(Value)) Field { return Field{key: key, read: read} }

// Need returns the field of a key that must be there; need is what to write.
func Need(key string, read func(Value), need string) Field { return Field{key, read, need} }

// Name returns the field's key.
func (f Field) Name() string { return f.key }

// Mapping reads v by a table. Nothing at all counts as an empty mapping.
func (v Value) Mapping(fields []Field) {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	if v.node.Kind != yaml.MappingNode && !v.Null() {
		v.Wrong("is %s; write its settings as keys: %s", v.Kind(), strings.Join(known, ", "))
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
		if child, ok := v.Get(f.key); ok {
			f.read(child)
		} else if f.need != "" {
			v.Missing(f.key, f.need)
		}
	}
}

// Missing says that v has no such key, where v is.
func (v Value) Missing(key, need string) {
	v.path = join(v.path, key)
	v.Wrong("is missing; write %s", need)
}

// Keys returns the keys of a mapping that are plain words.
func (v Value) Keys() []string {
	var keys []string
	for k := range v.pairs() {
		keys = append(keys, k.Value)
	}
	return keys
}

// Named yields the entries of a mapping whose keys are names, each once; twin is
// what to do about a second of the same.
func (v Value) Named(twin string) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		taken := map[string]bool{}
		for k, node := range v.pairs() {
			item := v.r.value(node, k, join(v.path, k.Value))
			_, err := Name(k.Value)
			switch {
			case err != nil:
				v.r.wrong(k, v.path, err.Error())
			case taken[k.Value]:
				v.r.wrong(k, item.path, "is here a second time; "+twin)
			default:
				if taken[k.Value] = true; !yield(item) {
					return
				}
			}
		}
	}
}

// pairs yields the keys and values of a mapping whose keys are plain words.
func (v Value) pairs() iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, val *yaml.Node) bool) {
		if v.node.Kind != yaml.MappingNode {
			return
		}
		for pair := range slices.Chunk(v.node.Content, 2) {
			k := pair[0]
			if len(v.r.problems) >= MaxProblems {
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

// Get returns the value of a key, of several the first.
func (v Value) Get(key string) (Value, bool) {
	if v.node.Kind != yaml.MappingNode {
		return Value{}, false
	}
	for pair := range slices.Chunk(v.node.Content, 2) {
		if k := pair[0]; k.Kind == yaml.ScalarNode && k.Value == key && k.Tag != "!!merge" {
			return v.r.value(pair[1], k, join(v.path, key)), true
		}
	}
	return Value{}, false
}

// plainKey is a key that may be shown though nobody knows it. A secret can get
// into the place of a key, as in {topic: a, tk_xyz}.
var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z_.-]{0,30}$`)

// unknown says that nothing is called k, and what is meant. The owner may be
// whose setting it is.
func (v Value) unknown(k, val *yaml.Node, known []string, owner string) {
	name := k.Value
	if i := strings.IndexAny(name, ":="); i > 0 && slices.Contains(known, name[:i]) {
		v.r.wrong(k, join(v.path, name[:i]), `has no space after the colon; write "`+name[:i]+`: " and the value`)
		return
	}
	if near := nearest(name, known); near != "" {
		v.r.wrong(k, v.path, fmt.Sprintf("unknown key %s; did you mean %s?", Quote(name), near))
		return
	}
	text := "unknown key"
	if plainKey.MatchString(name) && !isNull(val) {
		text += " " + Quote(name)
	}
	if owner != "" {
		text += "; indent it further if it belongs to " + owner
	}
	v.r.wrong(k, v.path, text+"; known here: "+strings.Join(known, ", "))
}

// hollow returns a known key of v that has no value, as one does whose settings
// stand beside it in place of below it.
func (v Value) hollow(known []string) string {
	for _, key := range known {
		if child, ok := v.Get(key); ok && child.Null() {
			return key
		}
	}
	return ""
}

// Items returns what a list holds. A single value is a list of one, and nothing
// is an empty list.
func (v Value) Items() []Value {
	switch {
	case v.Null():
		return nil
	case v.node.Kind == yaml.MappingNode:
		v.Wrong(`is a mapping; write a list, with "- " before each item`)
		return nil
	case v.node.Kind != yaml.SequenceNode:
		return []Value{v}
	}
	vs := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		vs[i] = v.r.value(n, nil, v.path+"["+strconv.Itoa(i)+"]")
	}
	return vs
}

// Some returns the items of a list that must hold one.
func (v Value) Some() []Value {
	vs := v.Items()
	if len(vs) == 0 && v.node.Kind != yaml.MappingNode {
		v.Wrong("is empty; write a value, or take the key out")
	}
	return vs
}

// Words returns the items of a list, each cut at spaces and commas as fail2ban
// does.
func (v Value) Words() []Value {
	var words []Value
	for _, item := range v.Items() {
		if item.node.Kind != yaml.ScalarNode || item.Null() {
			words = append(words, item)
			continue
		}
		for word := range strings.FieldsFuncSeq(item.node.Value, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
			n := *item.node
			n.Value = word
			words = append(words, Value{v.r, &n, item.key, item.path})
		}
	}
	return words
}

// Lines returns the items of a list without those that are blank. A text of
// several lines is as many items, without the space around them.
func (v Value) Lines() []Value {
	var lines []Value
	for _, item := range v.Items() {
		if item.node.Kind != yaml.ScalarNode || item.Null() {
			lines = append(lines, item)
			continue
		}
		text := item.node.Value
		for line := range strings.SplitSeq(text, "\n") {
			n := *item.node
			if n.Value = line; line != text {
				n.Value = strings.TrimSpace(line)
			}
			if strings.TrimSpace(line) != "" {
				lines = append(lines, Value{v.r, &n, item.key, item.path})
			}
		}
	}
	return lines
}

// Line reads one line of text that may hold tabs, as regular expressions do.
func (v Value) Line() (string, bool) {
	flat := *v.node
	flat.Value = strings.ReplaceAll(flat.Value, "\t", " ")
	if _, ok := (Value{v.r, &flat, v.key, v.path}).Text(); !ok {
		return "", false
	}
	return v.node.Value, true
}

// Text reads one line of text, which may look like a number or a truth.
func (v Value) Text() (string, bool) {
	switch {
	case v.node.Kind != yaml.ScalarNode:
		v.Wrong("is %s; write a single value", v.Kind())
	case v.Null() || v.node.Value == "":
		v.Wrong("has no value; write one, or take the key out")
	case HasControl(v.node.Value):
		v.Wrong("holds a line break or a control character; write it in one line")
	default:
		return v.node.Value, true
	}
	return "", false
}

func HasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// File reads a path, relative to the folder of the configuration.
func (v Value) File() (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	return v.Absolute(s), true
}

// Absolute returns a path that is relative to the folder of v's file.
func (v Value) Absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(v.r.file), path)
}

// join adds a key to a path.
func join(path, key string) string {
	if !name.MatchString(key) {
		key = Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
