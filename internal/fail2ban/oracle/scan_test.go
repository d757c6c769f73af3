package oracle

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
)

// A theirFinding is what a line counts for in operation.
type theirFinding struct {
	Found []struct {
		ID    string
		Time  float64
		Valid bool
	}
	Broken bool // the line makes fail2ban stumble
}

func TestWholeSampleLogsCountAsInOperation(t *testing.T) {
	t.Parallel()
	zone, p := zurich(t), oracle(t)
	differ := map[string]string{}
	logs, lines, failures := 0, 0, 0
	for _, g := range samples(t, p) {
		for _, set := range g.Sets {
			for _, live := range []bool{false, true} {
				logs++
				n, m := scanSet(t, p, set, g.Lines, live, zone, differ)
				lines, failures = lines+n, failures+m
			}
		}
	}
	t.Logf("%d logs, %d lines, %d failures: %d lines count otherwise", logs, lines, failures, len(differ))
	onPurpose := tolerated{
		"monit:3 (monit) live=false": dayLost,
		"monit:5 (monit) live=false": dayLost,
	}
	for n := 26; n <= 44; n += 2 { // 0.0.0.0
		for _, live := range []bool{false, true} {
			onPurpose[fmt.Sprintf("assp:%d (assp) live=%v", n, live)] = notAnAddress
		}
	}
	onPurpose.check(t, differ)
}

// scanSet compares line by line and returns how many lines and failures there were.
func scanSet(t *testing.T, p *python, set sampleSet, all []sampleLine, live bool, zone *time.Location, differ map[string]string) (n, failures int) {
	t.Helper()
	var lines []string
	var places []string
	journal := false
	for _, l := range all {
		if l.Set == set.Key {
			lines, places, journal = append(lines, l.Text), append(places, l.place()), l.Journal
		}
	}
	if len(lines) == 0 {
		return 0, 0
	}
	var want []theirFinding
	p.ask(t, map[string]any{
		"do": "scan", "zone": sampleZone, "base": set.Base, "filter": set.Filter, "options": set.Options,
		"lines": lines, "journal": journal, "live": live, "usedns": "warn", "now": later.Unix(),
	}, &want)
	f, err := set.open()
	if err != nil {
		t.Errorf("%s: %v", set.Key, err)
		return 0, 0
	}
	s := newGated(f, filter.Options{Jail: "jail", Zone: zone})
	base := int64(0)
	for i, line := range lines {
		c := edgeban.Chunk{Stream: "s", Text: []byte(line + "\n"), Base: base, Read: later, Live: live}
		if journal {
			c.Times = []time.Time{later}
		}
		base += int64(len(c.Text))
		var a, b []string
		for _, m := range s.scan(t, c) {
			a = append(a, fmt.Sprintf("%s %.3f", m.Addr, float64(m.Time.UnixMilli())/1000))
		}
		for _, f := range want[i].Found {
			if f.Valid {
				b = append(b, fmt.Sprintf("%s %.3f", f.ID, f.Time))
			}
		}
		failures += len(b)
		if !slices.Equal(a, b) {
			differ[fmt.Sprintf("%s live=%v", places[i], live)] = fmt.Sprintf("%q got %q, want %q (broken %v)", line, a, b, want[i].Broken)
		}
	}
	return len(lines), failures
}
