package datepattern

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/edgeban/edgeban/internal/filter/pyre"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
	"github.com/edgeban/edgeban/internal/inuse"
)

// A template is one way to write a stamp. Its group 1 is what is cut out.
type template struct {
	name   string
	re     *pyre.Regexp
	fields []field
	weight float64
	start  bool // looks from the start of the line only
	end    bool // looks at the end of the line only
	word   bool // does not begin within a word
	reach  bool // has a year that must lie within reach
	loose  bool // matches the same whatever stands before it
	inner  bool // is where its group 1 is: what it has before that is only looked at
	before bool // a letter, digit or _ may stand right before what is cut out
	after  bool // and right behind it
	tight  bool // cuts out all from the start of the line but two characters that are no letters or digits
	shape  shape

	recent atomic.Pointer[minute] // that the last detector has found
}

// A field is a group of a template that says something of a time.
type field struct {
	kind  byte // the letter of the directive, or one of the kinds below
	group int
}

// The kinds of field that are no directives.
const (
	kindEpoch     = 'e'
	kindLongEpoch = 'l'
	kindTAI       = 't'
)

// fixed reports whether a match can only be at one place of the line.
func (t *template) fixed() bool { return t.start || t.end }

// What a pattern says of its ends. A mark is not one after a backslash.
var (
	openBegin = regexp.MustCompile(`^\(*(?:\^|\*\*|\(\?:\^)`)
	openEnd   = regexp.MustCompile(`(?:^|[^\\])(?:\$\)?|\\b|\\s|\*\*\)*)$`)
	starsHead = regexp.MustCompile(`^\(*(\*\*)`)
	starsTail = regexp.MustCompile(`(?:^|[^\\])(\*\*)\)*$`)
	flags     = regexp.MustCompile(`(?:^|[^\\])(\(\?[aiu]+\))`)
	lineBegin = regexp.MustCompile(`^(?:\^|\((?:\?:)?\^(?:[^|]|$))`)
	lineEnd   = regexp.MustCompile(`[^\\|]\$\)?$`)
	ownEpoch  = regexp.MustCompile(`(?i)(?:^|[^\\])\{L?EPOCH\}`)
	folding   = regexp.MustCompile(`(?:^|[^%])%[aAbBpc]`)
	before    = regexp.MustCompile(`(?:^|[^\[])\^|\\A|\(\?<|^\(*\\[bB]`)
)

// boundary holds where a word is not cut in two.
const boundary = `(?!\B\w)`

// A written template is what one is made of.
type written struct {
	name, pattern string
	weight        float64
}

// Jails that log alike share templates.
var templates inuse.Pool[written, template]

// compile makes a template, or finds that it is in use. An error is a *pyre.Error with
// the place in the pattern.
func compile(w written) (*template, error) {
	return templates.Get(w, func() (*template, error) {
		t, err := newTemplate(w.name, w.pattern)
		if err == nil {
			t.weight = w.weight
		}
		return t, err
	})
}

func newTemplate(name, pattern string) (*template, error) {
	t := &template{name: name, word: true, inner: strings.HasPrefix(pattern, epochPlace), shape: shapeOf(pattern)}
	body, bound := strings.CutPrefix(pattern, unbound)
	bound = !bound
	prefix := ""
	if rest, ok := strings.CutPrefix(body, lineStart); ok {
		body, prefix, t.word = rest, `^\W{0,2}`, false
	}
	s := source{body: body}
	mode := s.flags()
	s.from = len(pattern) - len(s.body)
	s.drop(starsHead.FindStringSubmatchIndex(s.body))
	s.drop(starsTail.FindStringSubmatchIndex(s.body))
	if t.word = t.word && bound && !openBegin.MatchString(s.body); t.word {
		prefix = boundary
	}
	s.put(prefix, 0)
	whole, err := s.wrap()
	if err != nil {
		return nil, err
	}
	t.end = lineEnd.MatchString(s.out.String())
	bound = bound && !openEnd.MatchString(s.body)
	if bound {
		s.put(boundary, len(s.body))
	}
	if err := t.finish(&s, mode); err != nil {
		return nil, err
	}
	t.tight = t.start && whole
	return t, t.edges(s.out.String(), mode, bound)
}

// edges finds out what may stand around what is cut out. A boundary parts words, so
// where that begins or ends with a letter, none is beside it.
func (t *template) edges(expr string, mode pyre.Flags, bound bool) error {
	e, err := syntax.Around(expr, syntax.Flags{Multi: mode&pyre.MultiLine != 0, Fold: mode&pyre.IgnoreCase != 0}, 1)
	word := func(e syntax.Edge) bool { return e.Word && !e.Other && !e.None }
	t.before = e.Before.Word || e.Before.None && !e.Anchored && !(t.word && word(e.First))
	t.after = e.After.Word || e.After.None && !(bound && word(e.Last)) || t.reach // a search may end at a year that is out of reach
	return err
}

// finish compiles what s has collected.
func (t *template) finish(s *source, mode pyre.Flags) (err error) {
	expr := s.out.String()
	if t.re, err = pyre.Compile(expr, mode); err != nil {
		return s.blame(err)
	}
	if len(t.re.Groups()) == 1 && !strings.Contains(expr, nowhere) { // such as a ? at the start, which makes something else of the brackets around
		return s.errorf(0, "no part of it is a group, so nothing says where the stamp is; write the stamp in brackets")
	}
	t.start = lineBegin.MatchString(expr)
	t.loose = !before.MatchString(s.body)
	t.reach = slices.Contains(s.used, "ExY")
	for group, name := range t.re.Groups() {
		switch {
		case name == "_epoch":
			t.fields = append(t.fields, field{kindEpoch, group})
		case name == "_lepoch":
			t.fields = append(t.fields, field{kindLongEpoch, group})
		case name == "_tai":
			t.fields = append(t.fields, field{kindTAI, group})
		case len(name) == 1 && strings.Contains("YymbBdHIpMSaAwjUWzZ", name):
			t.fields = append(t.fields, field{name[0], group})
		}
	}
	return nil
}

// A source is a regular expression in the making, which remembers where each of
// its bytes was written.
type source struct {
	body string // the pattern without its first word
	from int    // where in the pattern it begins
	out  strings.Builder
	at   []int    // for each byte of out one of body
	gone [][2]int // parts of body that mean something else
	used []string // the directives so far
	read string   // the groups of them
}

// put appends text that was written at a byte of the body.
func (s *source) put(text string, at int) {
	s.out.WriteString(text)
	for len(s.at) < s.out.Len() {
		s.at = append(s.at, at)
	}
}

// drop leaves what the first group of a regexp has found out of the body.
func (s *source) drop(found []int) {
	if found != nil {
		s.gone = append(s.gone, [2]int{found[2], found[3]})
	}
}

// flags takes the first (?i) or its like out of the body: it holds for all of it,
// wherever it stands. The names of months and days are matched in either case.
func (s *source) flags() pyre.Flags {
	var mode pyre.Flags
	if folding.MatchString(s.body) {
		mode = pyre.IgnoreCase
	}
	at := flags.FindStringSubmatchIndex(s.body)
	if at == nil {
		return mode
	}
	if strings.Contains(s.body[at[2]:at[3]], "i") {
		mode = pyre.IgnoreCase
	}
	if at[2] == 0 {
		s.body = s.body[at[3]:]
	} else {
		s.drop(at)
	}
	return mode
}

// wrap appends the body with its directives replaced, in a group if it has none
// of its own that has no name. A pattern with an epoch is cut out whole. It reports
// whether the group is the whole pattern.
func (s *source) wrap() (whole bool, err error) {
	from, to := 0, len(s.body)
	if grouped(s.body) && !ownEpoch.MatchString(s.body) {
		return false, s.expand(from, to)
	}
	if strings.HasPrefix(s.body, "^") {
		s.put("^", 0)
		from++
	}
	if to > from && s.body[to-1] == '$' && !strings.HasSuffix(s.body, `\$`) {
		to--
	}
	s.put("(", from)
	if err := s.expand(from, to); err != nil {
		return false, err
	}
	s.put(")"+s.body[to:], to)
	return true, nil
}

// grouped reports whether a pattern has a group without a name. A bracket in a
// class counts, as it does for fail2ban.
func grouped(p string) bool {
	for i := range len(p) {
		if p[i] == '(' && !strings.HasPrefix(p[i+1:], "?") && !strings.HasSuffix(p[:i], `\`) && !strings.HasSuffix(p[:i], "(?") {
			return true
		}
	}
	return false
}

// expand appends a part of the body with its directives replaced.
func (s *source) expand(from, to int) error {
	for i := from; i < to; {
		if g := slices.IndexFunc(s.gone, func(g [2]int) bool { return g[0] <= i && i < g[1] }); g >= 0 {
			i = s.gone[g][1]
			continue
		}
		rest := s.body[i:to]
		switch {
		case rest[0] == '%':
			n, err := s.directive(rest, i)
			if err != nil {
				return err
			}
			i += n
		case rest[0] == '\\' && len(rest) > 1:
			s.put(rest[:1], i)
			s.put(rest[1:2], i+1)
			i += 2
		case len(rest) >= 7 && strings.EqualFold(rest[:7], "{EPOCH}"):
			s.put(epoch, i)
			i += 7
		case len(rest) >= 8 && strings.EqualFold(rest[:8], "{LEPOCH}"):
			s.put(longEpoch, i)
			i += 8
		default:
			s.put(rest[:1], i)
			i++
		}
	}
	return nil
}

// directive appends what the directive at the start of rest stands for, and
// returns its length.
func (s *source) directive(rest string, at int) (int, error) {
	for _, n := range [...]int{4, 2} {
		if len(rest) < n {
			continue
		}
		expr, ok := directives[rest[1:n]]
		if !ok {
			continue
		}
		if expr != "%" {
			group := expr[strings.Index(expr, "<")+1:][:1]
			if i := strings.Index(s.read, group); i >= 0 {
				return 0, s.errorf(at, "%s reads what %%%s has read already; leave one of them out", rest[:n], s.used[i])
			}
			s.read, s.used = s.read+group, append(s.used, rest[1:n])
		}
		s.put(expr, at)
		return n, nil
	}
	if len(rest) < 2 {
		return 0, s.errorf(at, "a %% at the end is no directive; write %%%% for a percent sign")
	}
	if long, ok := shorthands[rest[1]]; ok {
		sub := source{body: long, read: s.read, used: s.used}
		if err := sub.expand(0, len(long)); err != nil {
			return 0, s.errorf(at, "in %s: %v", rest[:2], err)
		}
		s.read, s.used = sub.read, sub.used
		s.put(sub.out.String(), at)
		return 2, nil
	}
	if better, ok := meant[rest[1]]; ok {
		return 0, s.errorf(at, "%s is no directive here; write %s", rest[:2], better)
	}
	return 0, s.errorf(at, "%q is no directive; write %%%% for a percent sign", rest[:2])
}

// errorf makes an error about a byte of the body.
func (s *source) errorf(at int, format string, args ...any) error {
	return &pyre.Error{Offset: s.from + at, Msg: fmt.Sprintf(format, args...)}
}

// blame moves an error of the expression to where its text was written.
func (s *source) blame(err error) error {
	syntax, ok := errors.AsType[*pyre.Error](err)
	if !ok {
		return err
	}
	at := len(s.body)
	if 0 <= syntax.Offset && syntax.Offset < len(s.at) {
		at = s.at[syntax.Offset]
	}
	return s.errorf(at, "%s", syntax.Msg)
}
