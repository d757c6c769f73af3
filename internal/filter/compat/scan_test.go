package compat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func compiled(t testing.TB, r config.Rules) *Filter {
	t.Helper()
	f, err := Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func scanner(t testing.TB, r config.Rules) *Scanner {
	t.Helper()
	return compiled(t, r).Scanner(filter.Options{Jail: "j", Zone: time.UTC})
}

// read reads lines as just written.
func read(s *Scanner, lines ...string) []edgeban.Match {
	text := ""
	for _, l := range lines {
		text += l + "\n"
	}
	return slices.Collect(s.Scan(edgeban.Chunk{Stream: "s", Text: []byte(text), Read: now, Live: true}))
}

// addrs are the addresses of the matches, in one word.
func addrs(ms []edgeban.Match) string {
	var all []string
	for _, m := range ms {
		all = append(all, m.Addr.String())
	}
	return strings.Join(all, " ")
}

const stamp = "Nov 22 11:59:50"

func TestWhatPatternsSee(t *testing.T) {
	for _, tt := range []struct{ regex, line, want string }{
		{"^ host x from <HOST>$", stamp + " host x from 192.0.2.1", "192.0.2.1"},
		{"^host x from <HOST>$", stamp + " host x from 192.0.2.1", ""},
		{`^\[\] x <HOST>$`, "[2026-11-22 11:59:50] x 192.0.2.1", "192.0.2.1"},
		{`^x <HOST>$`, "x 192.0.2.1", "192.0.2.1"},
		{`^x <HOST>$`, "x 192.0.2.1\r", "192.0.2.1"},
		{`^x <HOST>\s$`, "x 192.0.2.1", "192.0.2.1"},
		{`^x <HOST>\n$`, "x 192.0.2.1", "192.0.2.1"},
		{`^x <HOST>\Z`, "x 192.0.2.1", ""},
		{`^x <HOST>\n\Z`, "x 192.0.2.1", "192.0.2.1"},
		{`^x 11:59 <HOST>$`, "x 11:59 192.0.2.1", "192.0.2.1"},
		{`from <HOST> x`, "some words from 192.0.2.1 x", "192.0.2.1"},
		{"^x\u00a0<HOST>$", "x\u00a0192.0.2.1", "192.0.2.1"},
		{`^$`, "", ""},
	} {
		r := config.Rules{FailRegex: []string{tt.regex}}
		if !strings.Contains(tt.regex, "<HOST>") {
			r.FailRegex[0] += "|<HOST>never"
		}
		if got := addrs(read(scanner(t, r), tt.line)); got != tt.want {
			t.Errorf("%q on %q: got %q, want %q", tt.regex, tt.line, got, tt.want)
		}
	}
}

func TestFirstFailregexDecides(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{`^a by <HOST>`, `for <HOST>$`, `by <HOST>`}})
	if got := addrs(read(s, "a by 192.0.2.1 for 192.0.2.2", "b by 192.0.2.3 for 192.0.2.4", "c by 192.0.2.5")); got != "192.0.2.1 192.0.2.4 192.0.2.5" {
		t.Errorf("got %s", got)
	}
}

func TestPrefregex(t *testing.T) {
	for _, tt := range []struct{ pref, fail, line, want string }{
		{`^svc: <F-CONTENT>.+</F-CONTENT>$`, `^bad <HOST>$`, "svc: bad 192.0.2.1", "192.0.2.1"},
		{`^svc: <F-CONTENT>.+</F-CONTENT>$`, `^bad <HOST>$`, "bad 192.0.2.1", ""},
		{`^svc: <F-CONTENT>.+</F-CONTENT>$`, `^bad <HOST>\n`, "svc: bad 192.0.2.1", "192.0.2.1"},
		{`^svc:<F-CONTENT>.*</F-CONTENT>`, `^svc:.*by <HOST>$|^svc:<F-USER>$</F-USER>`, "svc:", ""},
		{`^svc: <HOST> <F-CONTENT>.+</F-CONTENT>$`, `^bad`, "svc: 192.0.2.1 bad", "192.0.2.1"},
		{`^svc: <HOST> <F-CONTENT>.+</F-CONTENT>$`, `^bad(?: <ADDR>)?$`, "svc: 192.0.2.1 bad", "192.0.2.1"},
		{`^svc: <HOST> <F-CONTENT>.+</F-CONTENT>$`, `^bad(?: <ADDR>)?$`, "svc: 192.0.2.1 bad 192.0.2.2", "192.0.2.2"},
		{`^svc: `, `^svc: bad <HOST>$`, "svc: bad 192.0.2.1", "192.0.2.1"},
		{`^svc:(?: <F-CONTENT>.*</F-CONTENT>)?$`, `^svc:(?P<ip4>)$|^x <F-ID>y</F-ID>`, "svc: ", ""},
	} {
		s := scanner(t, config.Rules{PrefRegex: tt.pref, FailRegex: []string{tt.fail}})
		if got := addrs(read(s, tt.line)); got != tt.want {
			t.Errorf("%q, %q on %q: got %q, want %q", tt.pref, tt.fail, tt.line, got, tt.want)
		}
	}
}

func TestIgnoreregexHasTwoOrders(t *testing.T) {
	const pref = `^svc: <F-CONTENT>.+</F-CONTENT>$`
	few := []string{`bad <HOST>`}
	many := []string{`bad <HOST>`, `b <HOST>`, `c <HOST>`, `d <HOST>`}
	for _, tt := range []struct {
		what   string
		fail   []string
		ignore string
		want   string
	}{
		{"few failregexes, whole line", few, `^svc: bad`, "192.0.2.1"},
		{"few failregexes, content", few, `^bad`, ""},
		{"many failregexes, whole line", many, `^svc: bad`, ""},
		{"many failregexes, content", many, `^bad`, ""},
		{"another line", many, `^good`, "192.0.2.1"},
	} {
		s := scanner(t, config.Rules{PrefRegex: pref, FailRegex: tt.fail, IgnoreRegex: []string{tt.ignore}})
		if got := addrs(read(s, "svc: bad 192.0.2.1")); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
	s := scanner(t, config.Rules{FailRegex: []string{`bad by <HOST>`, `for <HOST>`}, IgnoreRegex: []string{`bad`}})
	if got := addrs(read(s, "bad by 192.0.2.1 for 192.0.2.2")); got != "" {
		t.Errorf("a later failregex was tried after an ignoreregex: got %q, want none", got)
	}
}

func TestWhoIsBanned(t *testing.T) {
	for _, tt := range []struct {
		regex, line, want string
		invalid, names    int64
	}{
		{"x <HOST>", "x ::ffff:192.0.2.1", "192.0.2.1", 0, 0},
		{"x <HOST>$", "x ::ffff:c000:201", "192.0.2.1", 0, 0},
		{"x <HOST>", "x 2001:DB8:0::7", "2001:db8::7", 0, 0},
		{"x <HOST>$", "x 999.1.1.1", "", 1, 0},
		{"x <HOST>$", "x 1:2", "", 1, 0},
		{"x <HOST>$", "x 1.2.3.04", "", 1, 0},
		{"x <HOST>$", "x 0.0.0.0", "", 1, 0},
		{"x <HOST>$", "x host.example", "", 0, 1},
		{"x <DNS>$", "x 192.0.2.1", "192.0.2.1", 0, 0},
		{"x <SUBNET>$", "x 192.0.2.9/24", "192.0.2.9", 0, 0},
		{"x <F-ID>\\S+</F-ID>", "x 192.0.2.1", "192.0.2.1", 0, 0},
		{"x <F-ID/>", "x [2001:db8::7]", "2001:db8::7", 0, 0},
		{"x <F-ID/>", "x session-7", "", 1, 0},
		{"x <F-ID/>", "x 192.0.2.1/24", "192.0.2.1", 0, 0},
		{"x <F-ID/>", "x 192.0.2.1/ssh", "", 1, 0},
		{"x <F-ID>\\w+</F-ID> <ADDR>", "x alice 192.0.2.1", "192.0.2.1", 0, 0},
		{"x <F-ID>\\S+</F-ID> <ADDR>", "x 192.0.2.2 192.0.2.1", "192.0.2.2", 0, 0},
		{"x <F-ID><F-TUPLE_ID>\\S+</F-TUPLE_ID></F-ID> y", "x 192.0.2.2 y", "", 1, 0},
		{"x (?P<ip4>\\S+)", "x 192.0.2.1", "192.0.2.1", 0, 0},
		{"x (?:<ADDR>)?", "x nobody", "", 1, 0},
	} {
		s := scanner(t, config.Rules{FailRegex: []string{tt.regex}})
		got := addrs(read(s, tt.line))
		st := s.Stats()
		if got != tt.want || st.Invalid != tt.invalid || st.Names != tt.names {
			t.Errorf("%q on %q: got %q, %d invalid, %d names, want %q, %d, %d", tt.regex, tt.line, got, st.Invalid, st.Names, tt.want, tt.invalid, tt.names)
		}
	}
}

func TestNamesByUseDNS(t *testing.T) {
	for _, tt := range []struct {
		dns   config.UseDNS
		names int64
		asked string
	}{
		{config.Yes, 0, "bad.example"},
		{config.Warn, 1, ""},
		{config.Raw, 1, ""},
		{config.No, 0, ""},
	} {
		f := compiled(t, config.Rules{FailRegex: []string{"from <HOST>$"}, UseDNS: tt.dns})
		asked := ""
		s := f.Scanner(filter.Options{Jail: "j", Named: func(name string, m edgeban.Match) {
			asked += name
			if m.ID == "" || m.Addr.IsValid() || m.Kind != edgeban.Failure {
				t.Errorf("got %+v, want all but the address", m)
			}
		}})
		if got := read(s, "x from bad.example"); len(got) != 0 || asked != tt.asked || s.Stats().Names != tt.names {
			t.Errorf("%s: got %v, asked for %q, %d names, want none, %q, %d", tt.dns, got, asked, s.Stats().Names, tt.asked, tt.names)
		}
		asked = ""
		for range s.Scan(edgeban.Chunk{Text: []byte("x from bad.example\n"), Read: now, Seen: true}) {
		}
		if asked != "" {
			t.Errorf("%s: a line that was recorded before is asked for again", tt.dns)
		}
	}
}

func TestUserIsTakenFromAlternatives(t *testing.T) {
	const regex = `<HOST>(?: <F-USER>\w*</F-USER>;)?(?: <F-ALT_USER>\w+</F-ALT_USER>,)?(?: <F-ALT_USER_1>\w+</F-ALT_USER_1>\.)?(?: <F-ALT_USER1>\w+</F-ALT_USER1>!)?$`
	for line, want := range map[string]string{
		"192.0.2.1 a;":          "a",
		"192.0.2.1 a; b,":       "a",
		"192.0.2.1 ; b,":        "b",
		"192.0.2.1 b, c.":       "b",
		"192.0.2.1 c.":          "c",
		"192.0.2.1 d!":          "",
		"192.0.2.1 a; b, c. d!": "a",
	} {
		ms := read(scanner(t, config.Rules{FailRegex: []string{regex}}), line)
		if len(ms) != 1 || ms[0].User != want {
			t.Errorf("%q: got %+v, want the user %q", line, ms, want)
		}
	}
}

func TestWhenALineHappened(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, tt := range []struct {
		what  string
		dates []string
		lines string
		live  bool
		times []time.Time
		want  time.Time // zero for no match
	}{
		{"live and near", nil, "Nov 22 11:59:30 x 192.0.2.1", true, nil, at(-30 * time.Second)},
		{"live and late", nil, "Nov 22 10:00:00 x 192.0.2.1", true, nil, now},
		{"live and early", nil, "Nov 22 12:30:00 x 192.0.2.1", true, nil, now},
		{"catching up", nil, "Nov 22 10:00:00 x 192.0.2.1", false, nil, at(-2 * time.Hour)},
		{"catching up with the future", nil, "Nov 22 13:00:00 x 192.0.2.1", false, nil, now},
		{"undated and live", nil, "x 192.0.2.1", true, nil, now},
		{"undated and live after a dated one", nil, "Nov 22 11:59:30 y\nx 192.0.2.1", true, nil, at(-30 * time.Second)},
		{"undated while catching up", nil, "x 192.0.2.1", false, nil, time.Time{}},
		{"the transport knows", nil, "x 192.0.2.1", false, []time.Time{at(-time.Hour)}, at(-time.Hour)},
		{"no dates", []string{"{NONE}"}, "Nov 22 10:00:00 x 192.0.2.1", true, nil, now},
		{"no dates while catching up", []string{"{NONE}"}, "x 192.0.2.1", false, nil, now},
	} {
		s := scanner(t, config.Rules{FailRegex: []string{"x <HOST>$"}, DatePattern: tt.dates})
		c := edgeban.Chunk{Text: []byte(tt.lines + "\n"), Times: tt.times, Read: now, Live: tt.live}
		ms := slices.Collect(s.Scan(c))
		switch {
		case tt.want.IsZero() && (len(ms) != 0 || s.Stats().Undated != 1):
			t.Errorf("%s: got %v and %d undated, want none and 1", tt.what, ms, s.Stats().Undated)
		case !tt.want.IsZero() && (len(ms) != 1 || !ms[0].Time.Equal(tt.want)):
			t.Errorf("%s: got %v, want one at %v", tt.what, ms, tt.want)
		}
	}
}

func TestNothingIsCutWhereTheTransportKnowsTheTime(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{"^Nov 22 11:59:50 x <HOST>$"}})
	c := edgeban.Chunk{Text: []byte(stamp + " x 192.0.2.1\n"), Times: []time.Time{now}, Read: now}
	if got := addrs(slices.Collect(s.Scan(c))); got != "192.0.2.1" {
		t.Errorf("got %q, want a match", got)
	}
}

func TestZoneOfStampsWithoutOne(t *testing.T) {
	f := compiled(t, config.Rules{FailRegex: []string{"x <HOST>$"}})
	s := f.Scanner(filter.Options{Zone: time.FixedZone("", 7200)})
	for m := range s.Scan(edgeban.Chunk{Text: []byte("Nov 22 11:00:00 x 192.0.2.1\n"), Read: now}) {
		if want := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC); !m.Time.Equal(want) {
			t.Errorf("got %v, want %v", m.Time, want)
		}
	}
}

func TestWrongZoneIsNoticed(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{"x <HOST>$"}})
	for range 3 {
		read(s, "Nov 22 10:00:00 y")
	}
	if got := s.Stats().Skew; !got.Zone || got.Offset != -2*time.Hour {
		t.Errorf("got %+v, want a zone of two hours", got)
	}
}

func TestSameIDAsTheOtherScanner(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{"x <HOST>$"}})
	c := edgeban.Chunk{Stream: "log", Base: 100, Text: []byte("y\nx 192.0.2.1\n"), Read: now, Live: true}
	ms := slices.Collect(s.Scan(c))
	want := edgeban.Match{Jail: "j"}
	new(filter.Evidence).Write(&want, "log", 102, nil, nil)
	if len(ms) != 1 || ms[0].ID != want.ID {
		t.Errorf("got %+v, want one with the ID %s", ms, want.ID)
	}
	if ms[0].Jail != "j" || ms[0].Kind != edgeban.Failure || ms[0].Count != 1 || ms[0].Text != "x 192.0.2.1" {
		t.Errorf("got %+v", ms[0])
	}
}

func TestLongLinesAreLeftOut(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{"x <HOST>$"}})
	long := strings.Repeat("y", filter.MaxLine)
	if got := addrs(read(s, long+" x 192.0.2.1", "x 192.0.2.2")); got != "192.0.2.2" || s.Stats().Long != 1 {
		t.Errorf("got %q and %d long lines, want the short one and 1", got, s.Stats().Long)
	}
	if st := s.Stats(); st.Lines != 2 || st.Failures != 1 {
		t.Errorf("got %+v, want 2 lines and 1 failure", st)
	}
}

func TestHostileLineIsGivenUp(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{`^(x+)(x+)(x+)\1\2\3y <HOST>`}})
	if got := addrs(read(s, strings.Repeat("x", 5000)+"zy 192.0.2.1", "xxxxxxy 192.0.2.2")); got != "192.0.2.2" || s.Stats().Spent != 1 {
		t.Errorf("got %q and %d searches given up, want the second line and 1", got, s.Stats().Spent)
	}
}

func TestLineWithoutItsLiteralsIsNotSearched(t *testing.T) {
	sets := func(texts ...string) (all [][]literal) {
		for _, text := range texts {
			all = append(all, []literal{{text: []byte("never")}, {text: []byte(text), fold: text == "bad"}})
		}
		return all
	}
	for _, tt := range []struct {
		needs [][]literal
		want  string
	}{
		{sets("x 192"), "192.0.2.1"},
		{sets("bad"), "192.0.2.1"},
		{sets("bad", "x 192"), "192.0.2.1"},
		{sets("x 193"), ""},
		{sets("bad", "BAD"), ""},
	} {
		f := compiled(t, config.Rules{FailRegex: []string{"x <HOST>"}})
		f.fail[0].needs = tt.needs
		s := f.Scanner(filter.Options{})
		if got := addrs(read(s, "never mind that a line before had them: bad", stamp+" Bad x 192.0.2.1")); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.needs, got, tt.want)
		}
	}
}

func TestDullLinesCostNoMemory(t *testing.T) {
	var m pyre.Matcher
	re, err := pyre.Compile("a", 0)
	if err != nil || testing.AllocsPerRun(10, func() { m.Search(re, newline) }) > 0 {
		t.Skipf("the matcher allocates (%v)", err)
	}
	for name, r := range map[string]config.Rules{
		"one line":    sshd,
		"three lines": {FailRegex: []string{"^a<SKIPLINES>.*<HOST> z$"}, MaxLines: 3},
		"another encoding": {
			FailRegex: []string{"failed for <HOST>"}, LogEncoding: "latin-1",
		},
	} {
		s := scanner(t, r)
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "Nov 22 11:59:%02d host cron[%d]: (root) CMD (do things)\n", i%60, i)
		}
		c := edgeban.Chunk{Text: []byte(b.String()), Read: now, Live: true}
		read := func() {
			for range s.Scan(c) {
				t.Error("a match, want none")
			}
		}
		read()
		if got := testing.AllocsPerRun(10, read); got > 5 {
			t.Errorf("%s: %v allocations for 200 lines, want none a line", name, got)
		}
	}
}
