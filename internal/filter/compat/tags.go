package compat

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// What stands for the parts of an address. These take more than addresses, as
// fail2ban's do, so that a pattern matches the same lines: what they took is
// read afterwards. Digits are ASCII; the prefix of a mapped IPv4 address may be
// of either case and written out.
const (
	exprIP4    = `(?:(?:::|(?:0{1,4}:){1,4}:|(?:0{1,4}:){5})[fF]{4,6}:)?(?P<ip4>[0-9]{1,3}(?:\.[0-9]{1,3}){3})`
	exprIP6    = `(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::?){1,7}(?:[0-9a-fA-F]{1,4}|:))`
	exprDNS    = `(?P<dns>[\w.^-]*\w)`
	exprCIDR   = `(?P<cidr>[0-9]+)`
	exprAddr   = `\[?(?:` + exprIP4 + `|` + exprIP6 + `)\]?`
	exprHost   = `(?:` + exprAddr + `|` + exprDNS + `)`
	exprSubnet = `\[?(?:` + exprIP4 + `|` + exprIP6 + `)(?:/` + exprCIDR + `)?\]?`
)

// A tag is what stands for itself, unlike <F-NAME>, which needs an end.
type tag struct {
	expr   string
	groups []string
}

var tags = map[string]tag{
	"IP4":       {exprIP4, []string{"ip4"}},
	"F-IP4/":    {exprIP4, []string{"ip4"}},
	"IP6":       {exprIP6, []string{"ip6"}},
	"F-IP6/":    {exprIP6, []string{"ip6"}},
	"ADDR":      {exprAddr, []string{"ip4", "ip6"}},
	"F-ADDR/":   {exprAddr, []string{"ip4", "ip6"}},
	"DNS":       {exprDNS, []string{"dns"}},
	"F-DNS/":    {exprDNS, []string{"dns"}},
	"HOST":      {exprHost, []string{"ip4", "ip6", "dns"}},
	"CIDR":      {exprCIDR, []string{"cidr"}},
	"F-CIDR/":   {exprCIDR, []string{"cidr"}},
	"SUBNET":    {exprSubnet, []string{"ip4", "ip6", "cidr"}},
	"F-SUBNET/": {exprSubnet, []string{"ip4", "ip6", "cidr"}},
	"F-ID/":     {`(?P<fid>\S+)`, []string{"fid"}},
	"F-PORT/":   {`(?P<fport>\w+)`, []string{"fport"}},
}

// groupOf returns the group that the name of an F- tag stands for.
func groupOf(name string) string {
	switch name = strings.ToLower(name); name {
	case "id":
		return "fid"
	case "port":
		return "fport"
	}
	return name
}

// An expansion is a pattern whose tags are replaced.
type expansion struct {
	strings.Builder
	dns    config.UseDNS
	pieces []piece
	opened map[string]bool   // names of F- tags that were opened
	taken  map[string]string // which tag took a group
	skips  int
}

// A piece is where a part of the expansion comes from.
type piece struct {
	at, from int
	tag      bool // all of it comes from the tag at from
}

// expand replaces the tags of a pattern. What is no tag stays as it is. The
// error is an *Error without its key.
func expand(text string, dns config.UseDNS) (*expansion, error) {
	e := &expansion{dns: dns, opened: map[string]bool{}, taken: map[string]string{}}
	for i := 0; i < len(text); {
		expr, size := "", 0
		switch text[i] {
		case '<':
			name, n := tagAt(text[i:])
			var groups []string
			if expr, groups = e.replace(name); expr == "" {
				break
			}
			size = n
			for _, g := range groups {
				if by, ok := e.taken[g]; ok {
					return nil, &Error{Offset: i, Msg: fmt.Sprintf(
						"<%s> takes the group %s, which <%s> has taken; a pattern can have only one of them", name, g, by)}
				}
				e.taken[g] = name
			}
		case '(':
			if i == 0 || text[i-1] != '\\' {
				expr, size = localFlags(text[i:])
			}
		}
		if tag := size > 0; tag || len(e.pieces) == 0 || e.pieces[len(e.pieces)-1].tag {
			e.pieces = append(e.pieces, piece{e.Len(), i, tag})
		}
		if size == 0 {
			expr, size = text[i:i+1], 1
		}
		e.WriteString(expr)
		i += size
	}
	return e, nil
}

// origin returns which byte of the pattern a byte of the expansion comes from.
func (e *expansion) origin(offset int) int {
	i := sort.Search(len(e.pieces), func(i int) bool { return e.pieces[i].at > offset }) - 1
	switch {
	case i < 0:
		return 0
	case e.pieces[i].tag:
		return e.pieces[i].from
	}
	return e.pieces[i].from + offset - e.pieces[i].at
}

// swallowed returns where a set of characters begins in the pattern that takes in a
// tag, or never ends, and what to write; "" for none. Python would find fault with
// what stands for the tag, which nobody has written.
func (e *expansion) swallowed(text string) (at int, msg string) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			end := setEnd(text, i)
			if end < 0 {
				return i, "this [ has no ] after it; write \\[ for the character"
			}
			for _, p := range e.pieces {
				if p.tag && i < p.from && p.from < end {
					return i, "the tag behind this [ is taken for single characters; write \\[ for the character"
				}
			}
			i = end
		}
	}
	return 0, ""
}

// setEnd returns where the set ends that begins at i, -1 if it does not.
func setEnd(text string, i int) int {
	if i++; i < len(text) && text[i] == '^' {
		i++
	}
	for first := i; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == ']' && i > first:
			return i
		}
	}
	return -1
}

// tagAt returns what stands between the < that the text begins with and its >,
// and how long it all is; 0 if it is no tag.
func tagAt(text string) (name string, size int) {
	i := 1
	if strings.HasPrefix(text[i:], "/") {
		i++
	}
	from := i
	for i < len(text) && (isAlnum(text[i]) || text[i] == '_' || text[i] == '-') {
		i++
	}
	if i == from {
		return "", 0
	}
	if strings.HasPrefix(text[i:], "/") {
		i++
	}
	if !strings.HasPrefix(text[i:], ">") {
		return "", 0
	}
	return text[1:i], i + 1
}

func isAlnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// replace returns what a tag stands for and the groups that it takes, "" if it
// is none.
func (e *expansion) replace(name string) (expr string, groups []string) {
	switch t, ok := tags[name]; {
	case name == "HOST" && e.dns == config.No:
		return tags["ADDR"].expr, tags["ADDR"].groups
	case ok:
		return t.expr, t.groups
	case name == "SKIPLINES":
		group := "skiplines" + strconv.Itoa(e.skips)
		e.skips++
		return `\n(?P<` + group + `>(?:.*\n)*?)`, []string{group}
	}
	custom, ending := strings.CutPrefix(name, "/")
	custom, ok := strings.CutPrefix(custom, "F-")
	if !ok || custom == "" || strings.ContainsFunc(custom, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) {
		return "", nil
	}
	if ending {
		if e.opened[custom] {
			return ")", nil
		}
		return "", nil
	}
	e.opened[custom] = true
	group := groupOf(custom)
	return "(?P<" + group + ">", []string{group}
}

// localFlags makes (?i: of ((?i) and of (?:(?i), which Python no longer takes.
func localFlags(text string) (expr string, size int) {
	rest := strings.TrimPrefix(text[1:], "?:")
	flags, ok := strings.CutPrefix(rest, "(?")
	if !ok {
		return "", 0
	}
	n := 0
	for n < len(flags) && flags[n] >= 'a' && flags[n] <= 'z' {
		n++
	}
	if n == 0 || !strings.HasPrefix(flags[n:], ")") {
		return "", 0
	}
	return "(?" + flags[:n] + ":", len(text) - len(flags) + n + 1
}
