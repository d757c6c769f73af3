package filter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
)

// The captured logs end at 12:12; the year is in none of them.
var captured = time.Date(2026, time.November, 22, 13, 0, 0, 0, time.UTC)

// A tally counts failures, or successes, by address.
type tally map[netip.Addr]int

// logsOf says which filter reads which logs of a variant.
func logsOf(variant string) map[string][]string {
	if variant == "syslog" {
		all := []string{
			"syslog-iso.syslog.log", "syslog-trad.syslog.log",
			"rsyslog-fwd-udp-5424.syslog.log", "rsyslog-fwd-tcp-octet.syslog.log",
		}
		return map[string][]string{"dovecot": all, "postfix": all, "probe": all}
	}
	postfix := []string{"postfix." + variant + ".log"}
	return map[string][]string{
		"dovecot": {"dovecot." + variant + ".log"}, "postfix": postfix, "probe": postfix,
		"traefik": {"traefik-access." + variant + ".log"},
	}
}

func filterOf(t testing.TB, log string) *Filter {
	name := log
	if log == "probe" {
		name = "postfix-probe"
	}
	f, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readCaptured returns a captured log, ended by a newline; nil if there is none.
func readCaptured(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", "captured", name))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	return data
}

// scanAll scans text as one chunk that was written before it was read.
func scanAll(f *Filter, text []byte) []edgeban.Match {
	c := edgeban.Chunk{Stream: "test", Text: text, Read: captured}
	return slices.Collect(f.Scanner(Options{Jail: "test", Zone: time.UTC}).Scan(c))
}

func count(ms []edgeban.Match, kind edgeban.Kind) tally {
	n := tally{}
	for _, m := range ms {
		if m.Kind == kind {
			n[m.Addr] += m.Count
		}
	}
	return n
}

// TestEveryScenarioCountsAsItHappened holds the filters to what was done on the
// wire in the lab, scenario by scenario.
func TestEveryScenarioCountsAsItHappened(t *testing.T) {
	want := wantedScenarios(t)
	for variant, logs := range want {
		for filter, names := range logsOf(variant) {
			for _, name := range names {
				text := readCaptured(t, name)
				if text == nil {
					if len(logs[filter]) > 0 {
						t.Errorf("%s is not there", name)
					}
					continue
				}
				ms := scanAll(filterOf(t, filter), text)
				if got, want := count(ms, edgeban.Failure), logs[filter]; !maps.Equal(got, want) {
					t.Errorf("%s, filter %s: failures\n%s", name, filter, diff(got, want))
				}
				if got, want := count(ms, edgeban.Success), logs[filter+"+"]; !maps.Equal(got, want) {
					t.Errorf("%s, filter %s: successes\n%s", name, filter, diff(got, want))
				}
			}
		}
	}
}

func diff(got, want tally) string {
	var b strings.Builder
	for a := range want {
		got[a] += 0
	}
	for _, a := range slices.SortedFunc(maps.Keys(got), netip.Addr.Compare) {
		if got[a] != want[a] {
			fmt.Fprintf(&b, "\t%v: got %d, want %d\n", a, got[a], want[a])
		}
	}
	return b.String()
}

// wantedScenarios reads scenarios.want: by variant and log. It must name the
// scenarios that were run, one by one.
func wantedScenarios(t *testing.T) map[string]map[string]tally {
	data, err := os.ReadFile("testdata/scenarios.want")
	if err != nil {
		t.Fatal(err)
	}
	run := json.NewDecoder(bytes.NewReader(readCaptured(t, "scenarios.jsonl")))
	want := map[string]map[string]tally{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if line[0] == '#' {
			continue
		}
		var s struct{ Variant, Scenario string }
		if err := run.Decode(&s); err != nil || s.Variant != f[0] || s.Scenario != f[1] {
			t.Fatalf("scenarios.want has %s %s, the lab ran %s %s (%v)", f[0], f[1], s.Variant, s.Scenario, err)
		}
		if want[s.Variant] == nil {
			want[s.Variant] = map[string]tally{}
		}
		for _, w := range f[3:] {
			log, number, _ := strings.Cut(w, "=")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			if want[s.Variant][log] == nil {
				want[s.Variant][log] = tally{}
			}
			want[s.Variant][log][netip.MustParseAddr(f[2])] += n
		}
	}
	if run.More() {
		t.Fatal("scenarios.want ends before the lab's list does")
	}
	return want
}

// A deed is a match without what depends on the transport.
func deeds(ms []edgeban.Match) []string {
	var all []string
	for _, m := range ms {
		all = append(all, fmt.Sprintf("%v %v %d %q", m.Kind, m.Addr, m.Count, m.User))
	}
	return all
}

// TestTransportsTellTheSame compares the logs that Docker's drivers made with
// the lines that went in.
func TestTransportsTellTheSame(t *testing.T) {
	plain := slices.Concat(readCaptured(t, "dovecot.pp.log"), readCaptured(t, "postfix.pp.log"))
	for _, name := range []string{
		"docker-json.dovecot.pp.log", "docker-json.postfix.pp.log",
		"docker-syslog.default.log", "docker-syslog.rfc3164.log", "docker-syslog.rfc5424.log",
		"docker-syslog.rfc5424micro-tls-octet.log",
	} {
		wire := readCaptured(t, name)
		inner := sent(t, wire, plain)
		for _, filter := range []string{"dovecot", "postfix", "probe"} {
			f := filterOf(t, filter)
			got, want := deeds(scanAll(f, wire)), deeds(scanAll(f, inner))
			if !slices.Equal(got, want) {
				t.Errorf("%s, filter %s: got %d matches\n%s\nwant %d\n%s", name, filter,
					len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
			}
		}
	}
}

// sent returns the lines of plain that the lines of wire carry.
func sent(t *testing.T, wire, plain []byte) []byte {
	var out []byte
	lines := slices.Collect(bytes.Lines(plain))
	s := bufio.NewScanner(bytes.NewReader(wire))
	for s.Scan() {
		text := s.Bytes()
		if bytes.HasPrefix(text, []byte("{")) {
			var r struct{ Log string }
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.TrimSuffix(r.Log, "\n"))
		}
		i := slices.IndexFunc(lines, func(l []byte) bool { return bytes.HasSuffix(text, bytes.TrimSuffix(l, newline)) })
		if i < 0 {
			t.Fatalf("no line of the log is in %q", text)
		}
		out = append(out, lines[i]...)
		lines = slices.Delete(lines, i, i+1)
	}
	return out
}

func TestForgedAddressesNeverAppear(t *testing.T) {
	files, err := filepath.Glob("testdata/captured/*.log")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d captured logs, %v", len(files), err)
	}
	forged := netip.MustParsePrefix("198.51.100.0/24")
	for _, file := range files {
		for _, name := range Builtin() {
			f, err := Load(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range scanAll(f, readCaptured(t, filepath.Base(file))) {
				if forged.Contains(m.Addr) {
					t.Errorf("%s, filter %s: %v from %s", file, name, m.Addr, m.Text)
				}
			}
		}
	}
}

func TestRefusalsOfAPolicyServerFeedNoBan(t *testing.T) {
	got := count(scanAll(filterOf(t, "dovecot"), readCaptured(t, "dovecot.authpolicy.log")), edgeban.Failure)
	want := tally{
		netip.MustParseAddr("203.0.113.190"): 1,
		netip.MustParseAddr("203.0.113.191"): 1,
		netip.MustParseAddr("203.0.113.195"): 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("failures\n%s", diff(got, want))
	}
}

func TestCommonLogFormatIsNotBelieved(t *testing.T) {
	if got := scanAll(filterOf(t, "traefik"), readCaptured(t, "traefik-access.clf.log")); len(got) != 0 {
		t.Errorf("got %d matches, want none: X-Forwarded-For can be forged there", len(got))
	}
}
