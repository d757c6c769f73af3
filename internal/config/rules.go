package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config/node"
)

// MaxLines is the most lines that a match may span.
const MaxLines = 1000

// NewRules returns rules of which nothing is said.
func NewRules() *Rules { return &Rules{MaxLines: 1, UseDNS: Warn, LogEncoding: "auto"} }

// rules is the settings of a jail that stand in place of its filter.
func rules(r *Rules) []node.Field {
	return []node.Field{
		node.Key("prefregex", node.Into(&r.PrefRegex, single)),
		node.Key("failregex", node.Each(&r.FailRegex, node.Value.Lines, node.Value.Line)),
		node.Key("ignoreregex", node.Each(&r.IgnoreRegex, node.Value.Lines, node.Value.Line)),
		node.Key("datepattern", node.Each(&r.DatePattern, node.Value.Lines, node.Value.Line)),
		node.Key("maxlines", node.Into(&r.MaxLines, node.Whole(1, MaxLines))),
		node.Key("usedns", node.Into(&r.UseDNS, node.As(DNSMode))),
		node.Key("logencoding", node.Into(&r.LogEncoding, node.As(LogEncoding))),
		node.Key("journalmatch", node.Each(&r.JournalMatch, node.Value.Lines, node.Value.Line)),
	}
}

// single reads one regular expression, on the only line that is not blank.
func single(v node.Value) (string, bool) {
	if lines := v.Lines(); len(lines) == 1 {
		return lines[0].Line()
	}
	v.Wrong("is not one regular expression; write one, in one line")
	return "", false
}

// settleRules gives j the rules that v holds in place of a filter, or says what
// does not go together.
func settleRules(v node.Value, j *Jail, r *Rules) {
	fail, has := v.Get("failregex")
	if !has {
		for _, f := range rules(r) {
			if stray, ok := v.Get(f.Name()); ok {
				stray.Wrong("is of no use without failregex:; a built-in filter and a filter file have their own")
			}
		}
		return
	}
	if f, both := v.Get("filter"); both {
		f.Wrong("failregex: is here as well; keep one")
	}
	if len(fail.Lines()) == 0 && !fail.IsMapping() {
		fail.Wrong("is empty; write a regular expression in each line, or take the key out")
	}
	j.Filter, j.Rules = "", r
}

// DNSMode reads what is done with names, in fail2ban's words.
func DNSMode(s string) (UseDNS, error) {
	known := []UseDNS{Yes, Warn, No, Raw}
	mode := UseDNS(strings.ToLower(s))
	switch mode {
	case "true", "on":
		mode = Yes
	case "false", "off":
		mode = No
	}
	if !slices.Contains(known, mode) {
		return "", fmt.Errorf("%s is not known; %s", node.Quote(s), node.Meant(s, []string{"yes", "warn", "no", "raw"}))
	}
	return mode, nil
}

var encoding = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}$`)

// LogEncoding reads the name of a character set. Whether there is one of that
// name whoever decodes it knows.
func LogEncoding(s string) (string, error) {
	switch {
	case strings.EqualFold(s, "auto"):
		return "auto", nil
	case !encoding.MatchString(s):
		return "", fmt.Errorf("%s is not the name of an encoding; write auto, or one such as utf-8 or iso-8859-1", node.Quote(s))
	}
	return s, nil
}
