package compat

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// A gated scanner is shown a log through a gate, and its twin every line.
type gated struct {
	near, plain *Scanner
	gate        *scan.Gate
	search      scan.Search
}

func newGated(f *Filter, sample []byte) *gated {
	g := &gated{near: f.Scanner(opts), plain: f.Scanner(opts)}
	if needs := f.Needs(); needs != nil {
		g.gate = scan.New([][]scan.Need{needs}, sample)
	}
	return g
}

// read returns what both find in a chunk, and fails where that differs.
func (g *gated) read(t testing.TB, c edgeban.Chunk) []edgeban.Match {
	t.Helper()
	want := slices.Collect(g.plain.Scan(c))
	if g.gate == nil {
		return want
	}
	g.search.Find(g.gate, c.Text)
	got := slices.Collect(g.near.ScanHits(c, g.search.Hits(0)))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("through a gate: %+v\nby every line: %+v\n%q", got, want, c.Text)
	}
	a, b := g.near.Stats(), g.plain.Stats()
	b.Long, b.Spent = a.Long, a.Spent // of lines that are looked at
	if a != b {
		t.Fatalf("through a gate: %+v\nby every line: %+v\n%q", a, b, c.Text)
	}
	return want
}

// chunks reads a text in chunks of some lines.
func (g *gated) chunks(t testing.TB, text []byte, live bool, lines func() int) (all []edgeban.Match) {
	t.Helper()
	c := edgeban.Chunk{Stream: "s", Read: now, Live: live}
	for len(text) > 0 {
		end := 0
		for n := lines(); n > 0 && end < len(text); n-- {
			if k := bytes.IndexByte(text[end:], '\n'); k >= 0 {
				end += k + 1
			} else {
				end = len(text)
			}
		}
		c.Text = text[:end]
		all = append(all, g.read(t, c)...)
		c.Base, text = c.Base+int64(end), text[end:]
	}
	return all
}

// doors are rules of every kind that a gate can meet, and lines that they are about.
var doors = []struct {
	r     config.Rules
	lines []string
}{
	{talk, []string{"s%d hello from %s", "s%d bad u", "s%d wrong u by %s", "s%d gone", "s%d in as u by %s", "s%d bye %s"}},
	{config.Rules{
		PrefRegex:   `^ gate door(?:\[\d+\])?: <F-CONTENT>.+</F-CONTENT>$`,
		FailRegex:   []string{`^(?:refused|Denied) \S+ from <HOST>$`, `^<HOST>: x$`, `^shut to <HOST> (?:twice|again)$`},
		IgnoreRegex: []string{"from 192.0.2.3$"}, DatePattern: []string{"{^LN-BEG}"},
	}, []string{" gate door[%d]: refused x from %s", " gate door[%d]: Denied x from %s", "%[2]s: x", " gate door: %[2]s: x", " gate door: shut to %[2]s again", " gate door: shut to %[2]s twice", "door: refused %d from %s"}},
	{config.Rules{
		FailRegex: []string{`^<HOST> \S+ \[\] "GET /login`, `^<HOST> - \[\] "POST `, `user \S+ unknown, client <HOST>`},
	}, []string{`%[2]s u%[1]d [STAMP] "GET /login`, `%[2]s - [STAMP] "POST x`, `[STAMP] user u%d unknown, client %s`, `user STAMP%d unknown, client %s`, `[us STAMPer u unknown, client %[2]s`}},
	{config.Rules{
		FailRegex: []string{`^\[\] refused <HOST>`, `^-- refused <HOST>`}, DatePattern: []string{"{^LN-BEG}"},
	}, []string{`[STAMP] refused %[2]s`, `- STAMP- refused %[2]s`, "[] refused %[2]s"}},
	{config.Rules{FailRegex: []string{`(?i)^ refused by <HOST>`, `^ \d <HOST>$`, "^ a <HOST>"}}, []string{" REFUSED by %[2]s", " reFused BY %[2]s", " 7 %[2]s", " a %[2]s"}},
	{config.Rules{FailRegex: []string{`^open <HOST><SKIPLINES>shut`}, MaxLines: 3}, []string{"open %[2]s", "shut"}},
	{config.Rules{FailRegex: []string{`^bad <HOST>`}, LogEncoding: "latin1"}, []string{"bad %[2]s"}},
	{config.Rules{FailRegex: []string{`^ ?bad <HOST>`}, DatePattern: []string{"{NONE}"}}, []string{"bad %[2]s"}},
}

// diary makes a log of some lines that matter, with stamps that are mostly alike.
type diary struct {
	*rand.Rand
	lines []string
	odd   int // one line in so many is dated otherwise, or not at all; 0 for none
}

func (d *diary) text(n int) []byte {
	var b bytes.Buffer
	at := now.Add(-time.Duration(n) * time.Second)
	for i := range n {
		form := "Jan _2 15:04:05"
		odd := d.odd > 0 && d.IntN(d.odd) == 0
		if odd && d.IntN(2) == 0 {
			form = "2006-01-02T15:04:05.000000-07:00"
		}
		stamp := at.Add(time.Duration(i/7) * time.Second).Format(form)
		if odd && form[0] == 'J' {
			stamp = ""
		}
		line := " some host is idle, and tells so at length"
		if d.IntN(4) == 0 {
			line = fmt.Sprintf(d.lines[d.IntN(len(d.lines))], d.IntN(9), fmt.Sprintf("192.0.2.%d", d.IntN(9)))
			line, _, _ = strings.Cut(line, "%!(")
		}
		if inner := strings.Replace(line, "STAMP", stamp, 1); inner != line {
			line = inner
		} else {
			line = stamp + line
		}
		fmt.Fprintf(&b, "%s%s\n", line, []string{"", "", "", "\r"}[d.IntN(4)])
	}
	return b.Bytes()
}

func TestAGateHidesNothing(t *testing.T) {
	for i, door := range doors {
		f, found := compiled(t, door.r), 0
		for seed := range uint64(60) {
			d := diary{rand.New(rand.NewPCG(seed, 5)), door.lines, []int{0, 3, 40}[seed%3]}
			text := d.text(300)
			g := newGated(f, text[:min(len(text), int(seed)*100)])
			few := seed%2 == 0
			found += len(g.chunks(t, text, seed%4 > 1, func() int {
				if few {
					return 1 + d.IntN(5)
				}
				return 40 + d.IntN(200)
			}))
		}
		if found < 100 && f.Needs() != nil {
			t.Errorf("rules %d: %d matches, which proves little", i, found)
		}
	}
}

// The fear: a line gets the time of another where the transport tells those, or the
// last time is lost for a line that has none.
func TestAGateKeepsTheTimesOfTheTransport(t *testing.T) {
	for i, door := range doors {
		f, found := compiled(t, door.r), 0
		for seed := range uint64(20) {
			d := diary{rand.New(rand.NewPCG(seed, 9)), door.lines, 3}
			g := newGated(f, nil)
			at := now.Add(-time.Hour)
			for range 40 {
				c := edgeban.Chunk{Stream: "s", Read: now, Live: seed%2 == 0, Text: d.text(1 + d.IntN(6))}
				if seed%5 == 0 {
					c.Text = append(c.Text, strings.Repeat("z", filter.MaxLine+1)+"\n"...)
				}
				known := d.IntN(3) > 0
				for range bytes.Count(c.Text, newline) {
					at = at.Add(time.Second)
					c.Times = append(c.Times, at)
					if !known && d.IntN(4) == 0 {
						c.Times[len(c.Times)-1] = time.Time{}
					}
				}
				if d.IntN(3) == 0 {
					c.Times = nil
				}
				found += len(g.read(t, c))
			}
		}
		if found < 20 && f.Needs() != nil {
			t.Errorf("rules %d: %d matches, which proves little", i, found)
		}
	}
}

// Nothing but what a line holds may let it through, or keep it back.
func FuzzGate(f *testing.F) {
	f.Add("^ gate door: refused <HOST>", `(?i)failed|deni(?:ed|al) .* <HOST>$`, "^ gate <F-CONTENT>.+</F-CONTENT>$", " gate door: refused 192.0.2.1\n gate x\n", 0)
	f.Add(`^\[\] x{3} <HOST>`, `^a(?!b)b<HOST>`, "", "[STAMP] xxx 192.0.2.1\nab192.0.2.1\n", 1)
	f.Add(`<HOST> \[\] "(?:GET|POST) /`, `ab STAMP cd <HOST>`, "", "192.0.2.1 [STAMP] \"GET /\nabSTAMPcd 192.0.2.1", 2)
	f.Add(`^abcdefg <HOST>`, `^a-bcdefg <HOST>`, "", "aSTAMPbcdefg 192.0.2.1\na[STAMP]-bcdefg 192.0.2.1\nax<STAMP>bcdefg 192.0.2.1\n", 3)
	f.Add(`^abcdefg <HOST>`, `^a-bcdefg <HOST>`, "", "abSTAMPcdefg 192.0.2.1\na-STAMPbcdefg 192.0.2.1\na<STAMP>-bcdefg 192.0.2.1\n", 5)
	f.Add(`ab \S+ cd <HOST>`, `abc\S+bcd <HOST>`, "ef(?P<content>.+)", "efaSTAMPb x cd 192.0.2.1\nefab x cSTAMPd 192.0.2.1\nefabSTAMPcxbcd 192.0.2.1\nefabcbSTAMPcd 192.0.2.1", 2)
	f.Fuzz(func(t *testing.T, one, two, pref, text string, dates int) {
		r := config.Rules{FailRegex: []string{one, two}, PrefRegex: pref}
		if kinds := []string{"", "{^LN-BEG}", `%b %d %H:%M:%S`, `\[{DATE}\]`, `^[^\[]*\[({DATE})`, `**%b %d %H:%M:%S**`, `<(%b %d) %H:%M:%S>`, `x{DATE}`}; dates&7 > 0 {
			r.DatePattern = []string{kinds[dates&7]}
		}
		flt, err := Compile(r)
		if err != nil {
			return
		}
		text = strings.ReplaceAll(text, "STAMP", stamp)
		for _, sample := range []string{"", text} {
			g := newGated(flt, []byte(sample))
			g.chunks(t, []byte(text), dates&8 != 0, func() int { return 1 + dates>>4&3 })
		}
	})
}

func TestWhatIsAskedOfALineWithItsDate(t *testing.T) {
	for _, tt := range []struct {
		text string
		c    cutter
		want string
	}{
		{"[] refused", cutter{leading: true}, " refused"},
		{"[]: refused", cutter{leading: true}, ": refused"},
		{"refused by", cutter{leading: true}, "refused by"},
		{"«» x", cutter{leading: true}, " x"},
		{"éa", cutter{leading: true}, "a"},
		{"abcdefg", cutter{before: true, after: true}, "a|abcd,defg"},
		{"abab", cutter{before: true, after: true}, "a|ab"},
		{"abcdefg", cutter{}, "abcdefg|abcd,defg"},
		{`] "GET /`, cutter{}, `"GET |] "G,ET /`},
		{"ab [] c", cutter{}, "ab |ab [,[] c"},
		{"ab cd", cutter{before: true}, " cd|ab , cd"},
		{"ab cde", cutter{after: true}, "ab |ab ,cde"},
		{"é cd", cutter{}, " cd|é , cd"},
	} {
		var got []string
		for _, set := range tt.c.raw([]literal{{[]byte(tt.text), false}}) {
			var texts []string
			for _, l := range set {
				texts = append(texts, l.Text)
			}
			got = append(got, strings.Join(texts, ","))
		}
		if got := strings.Join(got, "|"); got != tt.want {
			t.Errorf("%q, %+v: got %q, want %q", tt.text, tt.c, got, tt.want)
		}
	}
}

// The fear: a date parts both literals of a pair.
func TestPairsAreNeverPartedBoth(t *testing.T) {
	set := func(texts ...string) (s []literal) {
		for _, text := range texts {
			s = append(s, literal{text: []byte(text)})
		}
		return s
	}
	for _, tt := range []struct {
		sets [][]literal
		want int
	}{
		{[][]literal{set("query"), set("denied")}, 1},
		{[][]literal{set(` [] "`), set(`" 401`)}, 1}, // they may share a byte, and no date stands in one
		{[][]literal{set("abc"), set("bcd")}, 0},
		{[][]literal{set("bcd"), set("abc")}, 0},
		{[][]literal{set("abcd"), set("bc")}, 0},
		{[][]literal{set("abc"), set("abc")}, 0},
		{[][]literal{set("ABC"), {{[]byte("abc"), true}}}, 0},
		{[][]literal{set("abc", "xyz"), set("denied", "yzz")}, 0},
		{[][]literal{set("query"), set("denied"), set("client")}, 3},
	} {
		if got := pairs(tt.sets); len(got) != tt.want {
			t.Errorf("%v: got %v, want %d pairs", tt.sets, got, tt.want)
		}
	}
}

// Most lines of a log fail nothing: memory for each of them would be most of the cost.
func TestLinesThatFailNothingCostNoMemory(t *testing.T) {
	f := compiled(t, doors[1].r)
	g := newGated(f, nil)
	costs := func(lines int) float64 {
		text := []byte(strings.Repeat(stamp+" gate door[7]: refused nobody from !\n"+stamp+" gate is idle\n", lines/2))
		c := edgeban.Chunk{Stream: "s", Text: text, Read: now}
		return testing.AllocsPerRun(20, func() {
			g.search.Find(g.gate, text)
			if n := len(g.search.Hits(0).List); n < lines/2 {
				t.Fatalf("%d of %d lines passed, want half at least", n, lines)
			}
			for m := range g.near.ScanHits(c, g.search.Hits(0)) {
				t.Fatalf("got %+v", m)
			}
		})
	}
	costs(2000) // buffers grow once
	if few, many := costs(2), costs(2000); many > few {
		t.Errorf("2000 lines cost %v allocations, 2 lines %v", many, few)
	}
}

// A program may say a lot before it begins to date its lines.
func TestDatesThatBeginLateAreFound(t *testing.T) {
	f := compiled(t, config.Rules{FailRegex: []string{`^\s+refused <HOST>$`}})
	g := newGated(f, nil)
	once := func() int { return 50 }
	g.chunks(t, []byte(strings.Repeat("a long banner without any date\n", 500)), false, once)
	head := stamp + " a request\n"
	if got := g.chunks(t, []byte(strings.Repeat(head, 60)+strings.Repeat(head+"  refused 192.0.2.1\n", 60)), false, once); len(got) != 60 {
		t.Errorf("%d of 60 lines count, whose dates are before them", len(got))
	}
}

// What a client can write before and behind a date decides nothing.
func TestDatesThroughAGateAreThoseOfEveryLine(t *testing.T) {
	at := func(ago time.Duration) string { return now.Add(-ago).Format("02/Jan/2006:15:04:05 -0700") }
	access := func(ip string, ago time.Duration, user, what string) string {
		return ip + " - " + user + " [" + at(ago) + "] \"" + what + "\n"
	}
	long := strings.Repeat("u", 70)
	// The date in what the client asks for stands where that of the hit before does.
	before := len("192.0.2.77 - "+long+" [") - len("192.0.2.7 - - ["+at(0)+`] "POST /xmlrpc.php[`)
	second := "POST /xmlrpc.php" + strings.Repeat("a", before) + "[" + at(50*time.Minute) + "]"
	idle := stamp + " idle\n"
	syslog := func(ago time.Duration) string { return now.Add(-ago).Format(time.Stamp) }
	for name, tt := range map[string]struct {
		r      config.Rules
		chunks []string
		live   bool
	}{
		"a second date at the place of the last hit's": {config.Rules{FailRegex: []string{`^<HOST> - \S+ .*"POST /xmlrpc.php`}, DatePattern: []string{`%d/%b/%Y:%H:%M:%S %z`}}, []string{
			strings.Repeat(access("192.0.2.1", time.Hour, "-", "GET /"), 300) + access("192.0.2.77", 30*time.Minute, long, "POST /xmlrpc.php") +
				access("192.0.2.9", 29*time.Minute, "-", "GET /") + access("192.0.2.7", 29*time.Minute, "-", second),
		}, false},
		"a year out of reach": {config.Rules{FailRegex: []string{`^at 2999 <HOST>`}, DatePattern: []string{`%b %d %H:%M:%S(?:%ExY)?`}}, []string{
			"at Nov 22 11:00:002999 192.0.2.1\n",
		}, false},
		"a date that ends where a search does": {config.Rules{
			FailRegex:   []string{`y abcdefgh <HOST>`},
			DatePattern: []string{"%Y-%m-%d %H:%M:%S", "%b %d %H:%M:%S", "%d/%b/%Y:%H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y%m%d"},
		}, []string{strings.Repeat("x", 4096-len("y ")-len(stamp)) + "y " + stamp + "abcdefgh 192.0.2.1\n"}, false},
		"a last line that is too long": {config.Rules{FailRegex: []string{`^refused <HOST>`}}, []string{
			strings.Repeat(syslog(time.Hour)+" idle\n", 150), syslog(10*time.Minute) + " idle\n" + strings.Repeat("z", 70_000) + "\n", "refused 192.0.2.1\n",
		}, false},
		"a long trace": {config.Rules{FailRegex: []string{`^\s+refused <HOST>`}, DatePattern: []string{"{^LN-BEG}"}}, []string{
			strings.Repeat(syslog(time.Hour)+" idle\n", 1000), strings.Repeat("  at some place\n", 120) + "  refused 192.0.2.1\n",
			strings.Repeat(syslog(10*time.Minute)+" idle\n", 100) + "  refused 192.0.2.1\n" + syslog(9*time.Minute) + " idle\n",
		}, false},
		"lines free of dates": {config.Rules{FailRegex: []string{`^refused <HOST>`}, DatePattern: []string{`%b %d %H:%M:%S`, `{NONE}`}}, []string{
			strings.Repeat(idle, 150), syslog(5*time.Second) + " idle\nrefused 192.0.2.1\n",
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, n := newGated(compiled(t, tt.r), nil), 0
			for _, text := range tt.chunks {
				n += len(g.read(t, edgeban.Chunk{Stream: "s", Text: []byte(text), Read: now, Live: tt.live}))
			}
			if n == 0 {
				t.Error("nothing matches, which proves nothing")
			}
		})
	}
}
