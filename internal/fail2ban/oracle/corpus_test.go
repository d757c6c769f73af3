package oracle

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
)

// sampleZone is where the samples were written, and now when they are read.
const sampleZone = "CET-01CEST-02,M3.5.0,M10.5.0"

var (
	now   = time.Date(2005, 8, 14, 10, 0, 0, 0, time.UTC)
	later = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// A sampleSet is a filter with some options.
type sampleSet struct {
	Key, Base, Filter string
	Options           map[string]string
	Rules             jailRead
}

// A sampleLine is one run of one line: what its authors want of it, and what
// fail2ban finds.
type sampleLine struct {
	Set, File string
	Number    int
	Text      string
	Journal   bool
	Want      map[string]any
	Got       []sampleFinding
}

type sampleFinding struct {
	Index int
	ID    *string
	Time  *float64
	Data  map[string]any
}

// A sampleGroup is everything of one filter, in the order of the lines.
type sampleGroup struct {
	Sets  []sampleSet
	Lines []sampleLine
}

func samples(t *testing.T, p *python) []sampleGroup {
	t.Helper()
	var groups []sampleGroup
	p.ask(t, map[string]any{"do": "corpus", "zone": sampleZone, "scratch": t.TempDir()}, &groups)
	if len(groups) == 0 {
		t.Fatal("no samples")
	}
	return groups
}

// open reads the filter of a set by our reader and compiles it.
func (s sampleSet) open() (*compat.Filter, error) {
	rules, err := fail2ban.ReadFilter(s.Base, s.Filter, s.Options)
	if err != nil {
		return nil, err
	}
	return compat.Compile(rules)
}

var laterYear = regexp.MustCompile(`20(0[6-9]|[12][0-9])`)

// read returns when a line is read: now, unless it speaks of a year to come. What
// years fail2ban takes depends on when it was started, ours on when a line is read.
func (l sampleLine) read() time.Time {
	if text, ok := l.Want["time"].(string); ok && text < "2006" {
		return now
	}
	if laterYear.MatchString(l.Text) {
		return later
	}
	return now
}

func (l sampleLine) place() string { return fmt.Sprintf("%s:%d (%s)", l.File, l.Number, l.Set) }

// The rules by which ours differs on purpose.
const (
	notAnAddress  = "what is no address that could be banned does not count"
	notOnCalendar = "a date that no calendar has is no date, and stays in the line"
	dayLost       = "fail2ban loses a day where a stamp has a zone and no year, and is from last year"
)

// A tolerated difference is one on purpose: each rule is one of the reference.
type tolerated map[string]string

// check compares what must be equal and keeps the list of what is not to the
// differences that are there.
func (a tolerated) check(t *testing.T, found map[string]string) {
	t.Helper()
	for _, place := range slices.Sorted(maps.Keys(found)) {
		if a[place] == "" {
			t.Errorf("%s: %s", place, found[place])
		}
	}
	for _, place := range slices.Sorted(maps.Keys(a)) {
		if found[place] == "" {
			t.Errorf("%s: does not differ any more (%s)", place, a[place])
		}
	}
}

func TestEverySampleGetsTheVerdictOfFail2ban(t *testing.T) {
	t.Parallel()
	zone := zurich(t)
	asWanted, asFound := map[string]string{}, map[string]string{}
	runs, sets := 0, 0
	for _, g := range samples(t, oracle(t)) {
		scanners := map[string]*compat.Scanner{}
		for _, s := range g.Sets {
			f, err := s.open()
			if err != nil {
				t.Errorf("%s: %v", s.Key, err)
				continue
			}
			scanners[s.Key] = f.Scanner(filter.Options{Jail: "jail", Zone: zone})
		}
		sets += len(g.Sets)
		for _, l := range g.Lines {
			s := scanners[l.Set]
			if s == nil {
				continue
			}
			runs++
			got := s.Explain([]byte(l.Text), l.read())
			if why := l.wanted(got, zone); why != "" {
				asWanted[l.place()] = why
			}
			if why := l.found(got); why != "" {
				asFound[l.place()] = why
			}
		}
	}
	t.Logf("%d of %d runs of %d filters with options get the verdict that their authors want", runs-len(asWanted), runs, sets)
	t.Logf("%d of %d get everything that fail2ban finds", runs-len(asFound), runs)
	onPurpose := tolerated{
		"zzz-generic-example:35 (zzz-generic-example)": notOnCalendar,
		"zzz-generic-example:47 (zzz-generic-example)": notOnCalendar,
	}
	onPurpose.check(t, asWanted)
	onPurpose.check(t, asFound)
}

// counted returns the findings that are failures.
func counted(all []compat.Finding) []compat.Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f compat.Finding) bool { return silent(f) || f.Pending || f.Ignored })
}

// silent reports whether the harness of the samples passes a finding by. In
// operation a line without a session counts even so.
func silent(f compat.Finding) bool { return f.NoFail || f.Groups["nofail"] != "" }

// wanted compares with what the authors of the sample want.
func (l sampleLine) wanted(all []compat.Finding, zone *time.Location) string {
	got := counted(all)
	if match, _ := l.Want["match"].(bool); !match {
		if len(got) > 0 {
			return fmt.Sprintf("matches %s, wants no match", got[0].ID)
		}
		return ""
	}
	if len(got) != 1 {
		return fmt.Sprintf("%d failures, want 1", len(got))
	}
	f := got[0]
	for k, v := range l.Want {
		var have any
		switch k {
		case "match", "desc", "constraint", "time":
			continue
		case "host":
			have = f.ID
		case "attempts":
			have, v = float64(f.Lines), v.(float64)
		case "users":
			if a, b := slices.Sorted(slices.Values(f.Users)), stringsOf(v); !slices.Equal(a, b) {
				return fmt.Sprintf("users %q, want %q", a, b)
			}
			continue
		default:
			if text, ok := f.Groups[k]; ok {
				have = text
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(v) {
			return fmt.Sprintf("%s %v, want %v", k, have, v)
		}
	}
	if text, ok := l.Want["time"].(string); ok && !l.Journal {
		want, err := time.ParseInLocation("2006-1-2T15:04:05", text, zone)
		if err != nil {
			return err.Error()
		}
		if f.Time.IsZero() {
			return "" // of a line before it, which a later test compares
		}
		if !f.Time.Truncate(time.Millisecond).Equal(want.Truncate(time.Millisecond)) {
			return fmt.Sprintf("time %v, want %v", f.Time.In(zone), want)
		}
	}
	return ""
}

func stringsOf(v any) []string {
	var all []string
	for _, x := range v.([]any) {
		all = append(all, fmt.Sprint(x))
	}
	slices.Sort(all)
	return all
}

// found compares with what fail2ban finds, field by field.
func (l sampleLine) found(all []compat.Finding) string {
	all = slices.DeleteFunc(slices.Clone(all), func(f compat.Finding) bool { return f.Ignored })
	var got, want []string
	undated := l.Journal || len(all) > 0 && all[0].Time.IsZero()
	for _, f := range all {
		got = append(got, tell(f, undated))
	}
	for _, f := range l.Got {
		want = append(want, f.tell(undated))
	}
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("%q\n got  %s\n want %s", l.Text, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
}

// tell writes a finding down.
func tell(f compat.Finding, undated bool) string {
	id := f.ID
	if f.Addr.IsValid() {
		id = f.Addr.String()
	}
	if silent(f) || f.Pending {
		id = "-"
	}
	stamp := float64(f.Time.UnixMilli()) / 1000
	if undated {
		stamp = 0
	}
	fields := map[string]string{}
	for k, v := range f.Groups {
		if !aside[k] && v != "" {
			fields[k] = v
		}
	}
	users := slices.Sorted(slices.Values(f.Users))
	lines := f.Lines
	if id == "-" {
		lines = 0
	}
	return fmt.Sprintf("%d %s %.3f nofail=%v %v users=%q lines=%d", f.Index, id, stamp, silent(f), fields, users, lines)
}

// aside are fields that say nothing of who failed.
var aside = map[string]bool{"mlfid": true, "mlfforget": true, "mlfgained": true, "nofail": true, "content": true, "mlfpending": true, "ip": true}

func (f sampleFinding) tell(undated bool) string {
	id, nofail := "-", false
	if v := f.Data["nofail"]; v != nil && v != "" {
		nofail = true
	} else if f.ID != nil {
		id = *f.ID
		if a, err := netip.ParseAddr(id); err == nil {
			id = a.Unmap().String()
		}
	}
	stamp := 0.0
	if f.Time != nil && !undated {
		stamp = *f.Time
	}
	fields := map[string]string{}
	for k, v := range f.Data {
		if text, ok := v.(string); ok && !aside[k] && text != "" {
			fields[k] = text
		}
	}
	var users []string
	if v := f.Data["users"]; v != nil {
		users = stringsOf(v)
	}
	lines := 0
	if m, ok := f.Data["matches"].([]any); ok && id != "-" {
		lines = len(m)
	}
	return fmt.Sprintf("%d %s %.3f nofail=%v %v users=%q lines=%d", f.Index, id, stamp, nofail, fields, users, lines)
}
