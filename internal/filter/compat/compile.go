package compat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter/compat/charset"
	"github.com/edgeban/edgeban/internal/filter/datepattern"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// A Filter knows the lines of a service by a jail's patterns. It is safe for
// concurrent use.
type Filter struct {
	pref    *rule // nil for none
	session *take // of the prefregex: which session; nil if it names none, or lines are looked at together
	fail    []rule
	all     []int32 // the failregexes
	always  []int32 // those that have to see every line
	leading bool    // dates are at the start of lines
	ignore  []rule
	early   bool // the ignoreregexes are also tried first
	dates   *datepattern.Templates
	lines   int // that a match may span
	dns     config.UseDNS
	code    charset.Encoding // of the lines; nil for UTF-8
	names   []string         // of the slots
}

// A rule is one pattern.
type rule struct {
	pattern Pattern
	re      *pyre.Regexp
	needs   [][]literal
	takes   []take
	tuples  []tuple
	skips   []int // groups of the lines that a match leaves out
	content int   // group of what the failregexes see; -1 for none
	ends    bool  // of a failregex: all that it tells is that a session has ended
}

// A literal is one of some texts of which a line that matches holds one.
type literal struct {
	text []byte
	fold bool
}

// A Pattern is one of a jail's regular expressions, for people who check it.
type Pattern struct {
	Key      string           // prefregex, failregex or ignoreregex
	Index    int              // of the line under the key, from 0
	Text     string           // as configured
	Linear   bool             // every search takes time linear in its text; else one may be spent (Stats.Spent)
	Required [][]pyre.Literal // a line without one text of each set does not match; there may be none
	Open     bool             // of a failregex: it is tried on every line, for what it needs cannot be searched for
}

// An Error is a mistake in a jail's rules.
type Error struct {
	Key    string // of the option: failregex, datepattern, logencoding...
	Index  int    // of the line under the key, from 0
	Offset int    // byte in the line
	Msg    string // what is wrong and what to write
}

func (e *Error) Error() string {
	place := fmt.Sprintf("%s %d", e.Key, e.Index+1) // people count from 1
	if e.Offset > 0 {
		place += fmt.Sprintf(", byte %d", e.Offset+1)
	}
	return place + ": " + e.Msg
}

// identities are the groups of which a failure needs one.
var identities = []string{"fid", "ip4", "ip6", "dns", "mlfid"}

// Compile makes a Filter of a jail's rules. MaxLines may be 0 for 1, and UseDNS
// empty for Warn. Every mistake is in the error, which joins *Errors.
func Compile(r config.Rules) (*Filter, error) {
	c := compiler{dns: r.UseDNS, f: &Filter{lines: max(r.MaxLines, 1), names: slices.Clone(known)}}
	c.options(r)
	if r.PrefRegex != "" {
		if p, ok := c.rule("prefregex", 0, r.PrefRegex, 0); ok {
			c.f.pref = &p
			c.f.session = p.session(c.f.lines)
		}
	}
	var flags pyre.Flags
	if r.MaxLines > 1 {
		flags = pyre.MultiLine
	}
	for i, text := range r.FailRegex {
		if p, ok := c.rule("failregex", i, text, flags); ok && c.identified(p, r.PrefRegex != "") {
			c.f.fail = append(c.f.fail, p)
		}
	}
	if len(r.FailRegex) == 0 {
		c.wrong(&Error{Key: "failregex", Msg: "there is none, so no line can fail; write at least one"})
	}
	for i, text := range r.IgnoreRegex {
		if p, ok := c.rule("ignoreregex", i, text, 0); ok {
			c.f.ignore = append(c.f.ignore, p)
		}
	}
	c.f.early = len(r.IgnoreRegex) < len(r.FailRegex)-2
	c.datePattern(r.DatePattern)
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	c.f.leading = c.f.dates.Leading()
	needs := c.f.Needs()
	for i := range c.f.fail {
		c.f.all = append(c.f.all, int32(i))
		c.f.fail[i].pattern.Open = needs == nil || needs[i].Open()
		if needs != nil && needs[i].Open() {
			c.f.always = append(c.f.always, int32(i))
		}
	}
	return c.f, nil
}

// A compiler gathers the mistakes.
type compiler struct {
	f    *Filter
	dns  config.UseDNS
	errs []error
}

func (c *compiler) wrong(e *Error) { c.errs = append(c.errs, e) }

// options takes in what is not a pattern.
func (c *compiler) options(r config.Rules) {
	switch r.UseDNS {
	case "":
		c.dns = config.Warn
	case config.Yes, config.Warn, config.No, config.Raw:
	default:
		c.wrong(&Error{Key: "usedns", Msg: fmt.Sprintf("%q is unknown; write yes, warn, no or raw", r.UseDNS)})
	}
	c.f.dns = c.dns
	if r.MaxLines < 0 {
		c.wrong(&Error{Key: "maxlines", Msg: fmt.Sprintf("%d lines cannot be looked at; write 1 or more", r.MaxLines)})
	}
	code, err := charset.Of(r.LogEncoding)
	if err != nil {
		c.wrong(&Error{Key: "logencoding", Msg: err.Error()})
	}
	c.f.code = code
}

func (c *compiler) datePattern(patterns []string) {
	t, err := datepattern.Compile(patterns)
	if c.f.dates = t; err == nil {
		return
	}
	for i, p := range patterns {
		_, err := datepattern.Compile([]string{p})
		if mistake, ok := errors.AsType[*datepattern.Error](err); ok {
			c.wrong(&Error{Key: "datepattern", Index: i, Offset: max(mistake.Byte-1, 0), Msg: mistake.Msg})
		}
	}
}

// rule compiles one pattern.
func (c *compiler) rule(key string, index int, text string, flags pyre.Flags) (r rule, ok bool) {
	wrong := func(offset int, msg string) {
		c.wrong(&Error{Key: key, Index: index, Offset: offset, Msg: msg})
	}
	if strings.TrimSpace(text) == "" {
		wrong(0, "it is empty, and would match every line; leave it out")
		return r, false
	}
	e, err := expand(text, c.dns)
	if err != nil {
		if mistake, ok := errors.AsType[*Error](err); ok {
			wrong(mistake.Offset, mistake.Msg)
		}
		return r, false
	}
	re, err := pyre.Compile(e.String(), flags)
	if err != nil {
		offset, msg := 0, err.Error()
		if p, ok := errors.AsType[*pyre.Error](err); ok {
			offset = e.origin(p.Offset)
		}
		if at, why := e.swallowed(text); why != "" {
			offset, msg = at, why
		}
		wrong(offset, msg)
		return r, false
	}
	r = rule{re: re, pattern: Pattern{Key: key, Index: index, Text: text, Linear: re.Linear(), Required: re.Required()}}
	for _, set := range r.pattern.Required {
		var lits []literal
		for _, l := range set {
			lits = append(lits, literal{[]byte(l.Text), l.Fold})
		}
		r.needs = append(r.needs, lits)
	}
	r.bind(&c.f.names)
	r.end()
	return r, true
}

// identified reports whether the failregex can tell who failed, with the help of
// the prefregex if there is one.
func (c *compiler) identified(r rule, pref bool) bool {
	has := func(re *pyre.Regexp) bool {
		return slices.ContainsFunc(identities, func(g string) bool { return re.Group(g) >= 0 })
	}
	if has(r.re) || pref && (c.f.pref == nil || has(c.f.pref.re)) {
		return true
	}
	msg := "nothing in it tells who failed; write <HOST> where the address stands"
	if r.re.Group("host") >= 0 {
		msg = "(?P<host>...) is no longer understood; write <HOST> in its place"
	} else if at := strings.Index(strings.ToLower(r.pattern.Text), "<host>"); at >= 0 {
		msg = "<host> is no tag, for tags are upper-case; write <HOST>"
	}
	c.wrong(&Error{Key: "failregex", Index: r.pattern.Index, Msg: msg})
	return false
}

// Patterns returns the regular expressions in the order in which they are tried.
func (f *Filter) Patterns() []Pattern {
	var all []Pattern
	if f.pref != nil {
		all = append(all, f.pref.pattern)
	}
	for _, rules := range [][]rule{f.fail, f.ignore} {
		for i := range rules {
			all = append(all, rules[i].pattern)
		}
	}
	return all
}
