// Package forms tells whether a log is written in a form that filters read.
package forms

import (
	"bytes"
	"regexp"
)

// Forms counts the lines that are written in a form of which fail2ban's filters
// know nothing, among the first of each log.
type Forms struct{ lines, json, syslog int }

// maxForms is how many lines of a log are looked at.
const maxForms = 10_000

var rfc5424 = regexp.MustCompile(`^<\d{1,3}>1 `)

// Look takes in the lines of a text.
func (f *Forms) Look(text []byte) {
	for line := range bytes.Lines(text) {
		if f.lines == maxForms {
			return
		}
		f.lines++
		switch {
		case line[0] == '{':
			f.json++
		case line[0] == '<' && rfc5424.Match(line):
			f.syslog++
		}
	}
}

// Add takes in what was seen in another log.
func (f *Forms) Add(g Forms) {
	*f = Forms{f.lines + g.lines, f.json + g.json, f.syslog + g.syslog}
}

// Say says which form most lines have, or returns "".
func (f *Forms) Say() string {
	switch {
	case 2*f.json > f.lines:
		return "no line matched; these lines are JSON: fail2ban's filters do not read that; the built-in filters do (edgeban filter)"
	case 2*f.syslog > f.lines:
		return "no line matched; these lines are syslog in the form of RFC 5424: fail2ban's filters do not read that; the built-in filters do (edgeban filter)"
	}
	return ""
}
