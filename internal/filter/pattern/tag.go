package pattern

import "strings"

// A Tag is what a part of a match says.
type Tag uint8

// The tags. Their names in a pattern are those of fail2ban where it has them.
const (
	Host    Tag = iota // <HOST>, <ADDR>, <IP4>, <IP6>: who
	User               // <F-USER>: the name that the client gave
	Count              // <F-COUNT>: how many failures the line stands for
	Session            // <F-SESSION>: what the lines of one connection have in common
	Age                // <F-AGE>: how many seconds the session has lasted
	By                 // <F-BY>: who says so, where several speak of one attempt
	tags
)

// Groups are the parts of a match, by tag; nil for what took no part. They lie
// in the line that was matched.
type Groups [tags][]byte

const (
	ip4 = `\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b`
	ip6 = `(?:\b[0-9A-Fa-f]{1,4}|:):[0-9A-Fa-f:.]*[0-9A-Fa-f:]`
)

// A spelling is one way that a tag is written between < and >.
type spelling struct {
	name  string
	tag   Tag
	alone string // what it stands for without an end tag; empty where it needs one
	v4    bool
	v6    bool
}

var spellings = []spelling{
	{name: "HOST", tag: Host, v4: true, v6: true},
	{name: "ADDR", tag: Host, v4: true, v6: true},
	{name: "IP4", tag: Host, v4: true},
	{name: "IP6", tag: Host, v6: true},
	{name: "F-USER", tag: User, alone: `\S+`},
	{name: "F-COUNT", tag: Count, alone: `[0-9]+`},
	{name: "F-SESSION", tag: Session, alone: `\S+`},
	{name: "F-AGE", tag: Age, alone: `[0-9]+`},
	{name: "F-BY", tag: By, alone: `\S+`},
}

// lookup finds the spelling of name.
func lookup(name string) (spelling, bool) {
	for _, s := range spellings {
		if s.name == name {
			return s, true
		}
	}
	return spelling{}, false
}

// address returns the regular expression of an address tag whose group is
// called group. Brackets may stand around the address.
func (s spelling) address(group string) string {
	var forms []string
	if s.v6 {
		forms = append(forms, ip6)
	}
	if s.v4 {
		forms = append(forms, ip4)
	}
	return `\[?(?P<` + group + `>` + strings.Join(forms, "|") + `)\]?`
}

// names lists the tags for an error.
func names() string {
	var all []string
	for _, s := range spellings {
		if s.alone == "" {
			all = append(all, "<"+s.name+">")
			continue
		}
		all = append(all, "<"+s.name+">...</"+s.name+">")
	}
	return strings.Join(all, ", ")
}
