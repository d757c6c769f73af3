package datepattern

import "strings"

// A form is a usual way to write a stamp.
type form struct {
	name    string // an example, except for epochs
	pattern string
	part    string // what stands for it inside another pattern, if not pattern
	bare    bool   // only its place in the line tells it from another number
}

// inner returns the form as a part of another pattern.
func (f form) inner() string {
	if f.part != "" {
		return f.part
	}
	return strings.TrimPrefix(f.pattern, lineStart)
}

// The words that stand for more than a pattern.
const (
	lineStart = "{^LN-BEG}" // at the start of the line, after two characters that are no letters or digits at most
	unbound   = "{UNB}"     // anywhere, also within words
)

// What the forms are made of.
const (
	weekday = `(?:%a )?`
	clock   = `%k:%M:%S(?:\.%f)?`
	syslog  = weekday + `%b %d ` + clock + `(?: %ExY)?`

	epoch     = `(?P<_epoch>[0-9]{10,11}\b(?:\.[0-9]{3,6})?)`
	longEpoch = `(?P<_lepoch>[0-9]{10,11}(?:[0-9]{3}(?:\.[0-9]{1,6}|[0-9]{3})?)?)`
	tai64n    = `(?P<_tai>@[0-9a-f]{24})`

	// An epoch without a pattern of its own is one at the start of the line, or
	// after a bracket there, or in an audit record.
	anyEpoch     = epochPlace + `(` + epoch + `)`
	anyLongEpoch = epochPlace + `(` + longEpoch + `)`
	epochPlace   = `**(?:\baudit\(|^\[?)`

	// What fail2ban has in the place of an epoch inside another pattern finds
	// none, as any long number would pass for one; but it counts as a template
	// where the choice asks for the next one, or the last.
	nowhere = `\Zx`
)

// forms are the usual ways to write a stamp, in the order of their choice. The
// lookaheads hold the separators of a date to be the same: the second is named
// by the first, which a search without back-references cannot say otherwise.
var forms = [...]form{
	{name: "2026-11-22T11:29:49.123+01:00", pattern: `%ExY(?=-[0-9]{1,2}-|/[0-9]{1,2}/|\.[0-9]{1,2}\.)[-/.]%m[-/.]%d(?:T| {1,2})%H:%M:%S(?:[.,]%f)?(?:\s*%z)?`},
	{name: "Sun Nov 22 11:29:49.123 2026", pattern: syslog},
	{name: "Sun Nov 22 2026 11:29:49.123", pattern: weekday + `%b %d %ExY ` + clock},
	{name: "22/11/2026 11:29:49", pattern: `%d(?=-[0-9]{1,2}-|/[0-9]{1,2}/)[-/]%m[-/](?:%ExY|%Exy) %k:%M:%S`},
	{name: "22/Nov/2026:11:29:49.123 +0100", pattern: `%d(?=-[a-z]{3}-|/[a-z]{3}/)[-/]%b[-/]%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?`},
	{name: "11/22/2026:11:29:49", pattern: `%m/%d/%ExY:%H:%M:%S`},
	{name: "11-22-2026 11:29:49.123", pattern: `%m-%d-%ExY ` + clock},
	{name: "EPOCH", pattern: anyEpoch, part: epoch, bare: true},
	{name: "11:29:49", pattern: lineStart + `%H:%M:%S`},
	{name: "<11/22/26@11:29:49>", pattern: `^<%m/%d/%Exy@%H:%M:%S>`},
	{name: "261122 11:29:49", pattern: `%Exy%Exm%Exd {1,2}%H:%M:%S`},
	{name: "Nov 22, 2026 11:29:49 AM", pattern: `%b %d, %ExY %I:%M:%S %p`},
	{name: "Nov-22-26 11:29:49", pattern: `^%b-%d-%Exy %k:%M:%S`},
	{name: "20261122T112949.123+0100", pattern: `%ExY%Exm%Exd(?:[-T]| {1,2})%ExH:?%ExM:?%ExS(?:[.,]%f)?(?:\s*%z)?`},
	{name: "CET Sun Nov 22 11:29:49.123 2026", pattern: `(?:%Z )?` + syslog},
	{name: "+01:00 Sun Nov 22 11:29:49.123 2026", pattern: `(?:%z )?` + syslog},
	{name: "TAI64N", pattern: `**` + tai64n, part: tai64n, bare: true},
}

// wholeWord returns the pattern of a word that is one by itself.
func wholeWord(key string) (string, bool) {
	switch key {
	case "EPOCH":
		return anyEpoch, true
	case "LEPOCH":
		return anyLongEpoch, true
	case "TAI64N":
		return `**` + tai64n, true
	}
	word, ok := strings.CutPrefix(key, lineStart)
	if !ok {
		word, ok = strings.CutPrefix(key, "^")
	}
	switch {
	case !ok:
		return "", false
	case word == "EPOCH":
		return lineStart + epoch, true
	case word == "LEPOCH":
		return lineStart + longEpoch, true
	case word == "TAI64N":
		return lineStart + tai64n, true
	}
	return "", false
}
