package filter

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	edgeban "github.com/edgeban/edgeban"
)

// A sample is what a line of the filter's file must give.
type sample struct {
	at    int // line of the file
	text  string
	kind  edgeban.Kind // 0 for nothing
	addr  netip.Addr
	user  *string
	count int       // 0 for 1 of a failure
	time  time.Time // zero for any
	now   time.Time
	zone  *time.Location
	told  bool // what it gives is written
}

// A SampleResult says whether a sample of a filter's file gives what is written
// there.
type SampleResult struct {
	Where string // file:line
	Line  string
	Err   error // nil if it does
}

// Test runs the samples that are in the filter's file, each on its own.
func (f *Filter) Test() []SampleResult {
	var all []SampleResult
	for _, s := range f.samples {
		where := f.file + ":" + strconv.Itoa(s.at)
		all = append(all, SampleResult{where, s.text, s.run(f)})
	}
	return all
}

// run scans the lines of the sample as if they were written before now.
func (s sample) run(f *Filter) error {
	var got []edgeban.Match
	text := strings.TrimRight(s.text, "\n") + "\n"
	chunk := edgeban.Chunk{Stream: "sample", Text: []byte(text), Read: s.now}
	if f.undated {
		chunk.Live = true
	}
	for m := range f.Scanner(Options{Jail: "sample", Zone: s.zone}).Scan(chunk) {
		got = append(got, m)
	}
	if len(got) == 0 {
		if s.kind == 0 {
			return nil
		}
		return fmt.Errorf("got nothing, want %v %v", s.kind, s.addr)
	}
	if s.kind == 0 {
		return fmt.Errorf("got %v %v, want nothing", got[0].Kind, got[0].Addr)
	}
	return s.compare(got)
}

func (s sample) compare(got []edgeban.Match) error {
	count := 0
	for _, m := range got {
		if m.Kind != s.kind || m.Addr != s.addr {
			return fmt.Errorf("got %v %v, want %v %v", m.Kind, m.Addr, s.kind, s.addr)
		}
		count += m.Count
	}
	last := got[len(got)-1]
	switch {
	case count != cmp.Or(s.count, 1):
		return fmt.Errorf("got count %d, want %d", count, cmp.Or(s.count, 1))
	case s.user != nil && last.User != *s.user:
		return fmt.Errorf("got user %q, want %q", last.User, *s.user)
	case !s.time.IsZero() && !last.Time.Equal(s.time):
		return fmt.Errorf("got time %v, want %v", last.Time, s.time)
	}
	return nil
}

// fill takes what the sample leaves open from the file's head.
func (s *sample) fill(d sample) {
	if s.now.IsZero() {
		s.now = d.now
	}
	if s.now.IsZero() {
		s.now = time.Date(2026, time.December, 31, 23, 0, 0, 0, time.UTC)
	}
	s.zone = cmp.Or(s.zone, d.zone, time.UTC)
}

var sampleKeys = []string{"line", "failure", "success", "nothing", "user", "count", "time", "now", "zone"}

func (r *reader) samples(n *yaml.Node) []sample {
	var all []sample
	for _, v := range r.list(n) {
		s := sample{at: v.Line}
		r.fields(v, "a sample", sampleKeys, func(key string, v *yaml.Node) { r.sample(&s, key, v) })
		if s.text == "" || !s.told {
			r.errorf(v, 0, "a sample needs line, and one of failure, success or nothing: true")
		}
		all = append(all, s)
	}
	return all
}

func (r *reader) sample(s *sample, key string, v *yaml.Node) {
	switch key {
	case "line":
		s.text = r.text(v)
	case "failure", "success":
		s.told, s.kind = true, edgeban.Failure
		if key == "success" {
			s.kind = edgeban.Success
		}
		addr, err := netip.ParseAddr(r.text(v))
		if err != nil {
			r.errorf(v, 0, "%q is not an address; write one such as 203.0.113.9", v.Value)
		}
		s.addr = addr
	case "nothing":
		if s.told = r.boolean(v); !s.told {
			r.errorf(v, 0, "nothing: false says nothing; write failure: or success: and the address")
		}
	case "user":
		user := r.text(v)
		s.user = &user
	case "count":
		n, err := strconv.Atoi(r.text(v))
		if err != nil || n < 1 {
			r.errorf(v, 0, "%q is not a count; write a number from 1 on", v.Value)
		}
		s.count = n
	case "time":
		s.time = r.moment(v)
	case "now", "zone":
		r.context(s, key, v)
	}
}

// context reads when and where a sample's log is read.
func (r *reader) context(s *sample, key string, v *yaml.Node) {
	if key == "now" {
		s.now = r.moment(v)
		return
	}
	zone, err := time.LoadLocation(r.text(v))
	if err != nil {
		r.errorf(v, 0, "%q is not a zone; write one such as UTC or Europe/Berlin", v.Value)
	}
	s.zone = zone
}

func (r *reader) moment(v *yaml.Node) time.Time {
	t, err := time.Parse(time.RFC3339, r.text(v))
	if err != nil {
		r.errorf(v, 0, "%q is not a time; write one such as 2026-11-22T11:29:49Z", v.Value)
	}
	return t
}
