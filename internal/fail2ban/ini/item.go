package ini

import (
	"fmt"
	"regexp"
	"strings"
)

// An Item is a name and its parameters: name[k=v, k2="v 2"][k3='v3'].
type Item struct {
	Place
	Name   string
	Keys   []string // in the order in which they were written first
	Params map[string]Text
}

// paramKey is the name of a parameter, perhaps for one condition, and its =.
var paramKey = regexp.MustCompile(`^[\pL\pN_.-]+(?:\?[\pL\pN_]+=[\pL\pN_]+)?=`)

// Items reads a list of items, which spaces and lines separate. Errors never show
// a value, which may be a secret.
func Items(t Text) ([]Item, error) {
	var items []Item
	s := scanner{t: t, s: t.String()}
	for s.space(); s.i < len(s.s); s.space() {
		start := s.i
		for s.i < len(s.s) && s.s[s.i] != '[' && !isSpaceAt(s.s, s.i) {
			s.i++
		}
		name := s.s[start:s.i]
		if s.i < len(s.s) && s.s[s.i] != '[' {
			before := s.i
			if s.space(); s.i == len(s.s) || s.s[s.i] != '[' {
				s.i = before
			}
		}
		it, err := s.item(name, start)
		if err != nil {
			return nil, err
		}
		if s.i < len(s.s) && !isSpaceAt(s.s, s.i) {
			return nil, s.wrong(name, "something follows its last ]; put a space or a new line between two actions")
		}
		items = append(items, it)
	}
	return items, nil
}

// OneItem reads an item that is all of t.
func OneItem(t Text) (Item, error) {
	s := scanner{t: t, s: t.String()}
	name, _, _ := strings.Cut(s.s, "[")
	s.i = len(name)
	it, err := s.item(strings.TrimSpace(name), 0)
	if err != nil {
		return Item{}, err
	}
	if s.space(); s.i < len(s.s) {
		return Item{}, s.wrong(it.Name, "something follows its last ]; take it away")
	}
	return it, nil
}

func isSpaceAt(s string, i int) bool { return strings.IndexByte(" \t\n\r\v\f", s[i]) >= 0 }

type scanner struct {
	t Text
	s string
	i int
}

func (s *scanner) space() {
	for s.i < len(s.s) && isSpaceAt(s.s, s.i) {
		s.i++
	}
}

func (s *scanner) wrong(name, text string) error {
	return &Error{Place: s.t.At(s.i), Msg: fmt.Sprintf("%s: %s", quoteName(name), text)}
}

// item reads the groups of parameters behind a name.
func (s *scanner) item(name string, start int) (Item, error) {
	it := Item{Place: s.t.At(start), Name: name, Params: map[string]Text{}}
	if name == "" {
		return it, &Error{Place: it.Place, Msg: "a [ without a name before it; write name[option=value]"}
	}
	for s.i < len(s.s) && s.s[s.i] == '[' {
		s.i++
		if err := s.group(&it); err != nil {
			return it, err
		}
		end := s.i
		if s.space(); s.i == len(s.s) || s.s[s.i] != '[' {
			s.i = end
		}
	}
	return it, nil
}

// group reads parameters up to the ] after them.
func (s *scanner) group(it *Item) error {
	const how = `write name[option=value, option="value"], with no space around = and none before a comma`
	for {
		s.space()
		rest := s.s[s.i:]
		if strings.HasPrefix(rest, ",]") {
			s.i, rest = s.i+1, rest[1:]
		}
		if strings.HasPrefix(rest, "]") {
			s.i++
			return nil
		}
		key := paramKey.FindString(rest)
		if key == "" {
			return s.wrong(it.Name, "its brackets hold something that is no option; "+how)
		}
		s.i += len(key)
		key = strings.TrimSuffix(key, "=")
		if _, ok := it.Params[key]; !ok {
			it.Keys = append(it.Keys, key)
		}
		it.Params[key] = s.value()
		switch rest = s.s[s.i:]; {
		case strings.HasPrefix(rest, ","):
			s.i++
		case !strings.HasPrefix(rest, "]"):
			return s.wrong(it.Name, "after option "+key+" comes neither , nor ]; "+how)
		}
	}
}

// value reads a value in quotes, or up to the next , or ].
func (s *scanner) value() Text {
	rest := s.s[s.i:]
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		if n := strings.IndexByte(rest[1:], rest[0]); n >= 0 {
			s.i += n + 2
			return s.t.Slice(s.i-n-1, s.i-1).Trim()
		}
	}
	n := strings.IndexAny(rest, ",]")
	if n < 0 {
		n = len(rest)
	}
	s.i += n
	return s.t.Slice(s.i-n, s.i).Trim()
}
