package certs

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Want is a certificate that is asked for.
type Want struct {
	Name     string // of the folder that it is written to
	Resolver string // empty for any
	Domain   string // a name, a wildcard such as *.example.org, or an address
}

func (w Want) String() string {
	if w.Resolver == "" {
		return w.Domain
	}
	return w.Resolver + "/" + w.Domain
}

// ParseWant reads [NAME=][RESOLVER/]DOMAIN. The name is the domain where none is
// given, with _ for the star of a wildcard.
func ParseWant(s string) (Want, error) {
	var w Want
	name, rest, named := strings.Cut(s, "=")
	if !named {
		rest = s
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		if w.Resolver, rest = rest[:i], rest[i+1:]; w.Resolver == "" {
			return Want{}, fmt.Errorf("%q has no resolver before its /; write le/mail.example.org, or mail.example.org for any", s)
		}
	}
	w.Domain = strings.ToLower(strings.TrimSuffix(rest, "."))
	w.Name = nameOf(w.Domain)
	if !domainRule.MatchString(w.Domain) {
		return Want{}, fmt.Errorf("%q is not a domain; write mail.example.org, *.example.org, or NAME=RESOLVER/DOMAIN", rest)
	}
	if named {
		w.Name = name
	}
	if !nameRule.MatchString(w.Name) {
		return Want{}, fmt.Errorf("%q cannot be the name of a folder here; write letters, digits, dots and dashes, and a letter or a digit first", w.Name)
	}
	return w, nil
}

var (
	nameRule   = regexp.MustCompile(`^\w[\w.:-]{0,199}$`)
	domainRule = regexp.MustCompile(`^(\*\.)?[\w-]+([.:]+[\w-]+)*$|^::[\w:.]*$`)
)

func nameOf(domain string) string { return strings.Replace(domain, "*", "_", 1) }

// all returns a want for each main domain that has a certificate which has not
// expired: Traefik keeps those of domains that it has forgotten.
func all(entries []entry, now time.Time) []Want {
	var wants []Want
	for _, e := range entries {
		w, err := ParseWant(e.main)
		if err != nil {
			w = Want{Domain: e.main} // it is told what is wrong with it
		}
		if slices.Contains(wants, w) {
			continue
		}
		if _, _, err := choose(entries, w, now); errors.Is(err, errExpired) {
			continue
		}
		wants = append(wants, w)
	}
	slices.SortFunc(wants, func(a, b Want) int { return cmp.Compare(a.Name, b.Name) })
	return wants
}

// choose returns the best certificate for a want, and its resolver: the one whose
// main domain it is before one of many names and a wildcard, then the one that is
// valid longest. One that cannot be used is passed over while there is another.
func choose(entries []entry, w Want, now time.Time) (string, pair, error) {
	if !nameRule.MatchString(w.Name) {
		return "", pair{}, fmt.Errorf("%q cannot be the name of a folder", w.Domain)
	}
	type candidate struct {
		resolver string
		rank     int
		pair     pair
	}
	var usable []candidate
	var errs []error
	for _, e := range entries {
		rank := rankOf(e, w)
		if rank == 0 {
			continue
		}
		p, err := verify(e, w.Domain, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("of resolver %q: %w", e.resolver, err))
			continue
		}
		usable = append(usable, candidate{e.resolver, rank, p})
	}
	if len(usable) > 0 {
		best := slices.MaxFunc(usable, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), a.pair.leaf.NotAfter.Compare(b.pair.leaf.NotAfter),
				a.pair.leaf.NotBefore.Compare(b.pair.leaf.NotBefore), cmp.Compare(a.resolver, b.resolver))
		})
		return best.resolver, best.pair, nil
	}
	if len(errs) == 0 {
		return "", pair{}, fmt.Errorf("acme.json has none; %s", offer(entries))
	}
	return "", pair{}, errors.Join(errs...)
}

// rankOf returns how well a certificate fits by its names; 0 for not at all.
func rankOf(e entry, w Want) int {
	_, parent, _ := strings.Cut(w.Domain, ".")
	names := append([]string{e.main}, e.sans...)
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	switch {
	case w.Resolver != "" && w.Resolver != e.resolver:
		return 0
	case strings.EqualFold(e.main, w.Domain):
		return 3
	case has(w.Domain):
		return 2
	case parent != "" && has("*."+parent):
		return 1
	}
	return 0
}

// offer says what there is.
func offer(entries []entry) string {
	var have []string
	for _, e := range entries {
		for _, n := range append([]string{e.main}, e.sans...) {
			have = append(have, e.resolver+"/"+n)
		}
	}
	slices.Sort(have)
	have = slices.Compact(have)
	if len(have) == 0 {
		return "it holds no certificate yet"
	}
	const most = 10
	more := ""
	if len(have) > most {
		more = fmt.Sprintf(" and %d more", len(have)-most)
		have = have[:most]
	}
	return "it has " + strings.Join(have, ", ") + more + "; Traefik gets one for each router with a Host rule and a certResolver"
}
