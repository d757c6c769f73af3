package datepattern

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	fail2ban = "/usr/lib/python3/dist-packages/fail2ban"
	filters  = "/etc/fail2ban/filter.d"
)

// A question is what the oracle is asked: the lines of one log.
type question struct {
	Patterns []string `json:"datepattern"`
	Zone     string   `json:"zone"`
	TZ       string   `json:"tz"`
	Now      int64    `json:"now"`
	Lines    []string `json:"lines"`
}

// ask returns for each question the answers: nil, the name of an exception, or a
// time (nil for none) and where the text is.
func ask(t *testing.T, questions []question) [][]any {
	t.Helper()
	if _, err := os.Stat(fail2ban); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") == "1" {
			t.Fatal(err)
		}
		t.Skip("fail2ban is not installed")
	}
	var in bytes.Buffer
	for _, q := range questions {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(b, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/oracle.py")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]any
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var a []any
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

// noZone is shown where the oracle took a word for a zone that it does not know.
const noZone = "a word that is no zone"

// show is one answer, ours or the oracle's.
func show(line string, a any) string {
	v, ok := a.([]any)
	switch {
	case a == nil:
		return "no date"
	case !ok && (strings.HasPrefix(fmt.Sprint(a), "KeyError") || strings.Contains(fmt.Sprint(a), "time zone")):
		return noZone
	case !ok && strings.HasPrefix(fmt.Sprint(a), "ValueError"):
		return "no date" // of this calendar
	case !ok:
		return fmt.Sprint(a)
	case v[0] == nil:
		return "no text"
	}
	sec := v[0].(float64)
	return fmt.Sprintf("%s %q at %d", time.UnixMicro(int64(sec*1e6+0.5)).UTC().Format("2006-01-02 15:04:05.999"), line[int(v[1].(float64)):int(v[2].(float64))], int(v[1].(float64)))
}

func ours(d *Detector, line string, ref time.Time) any {
	s, ok := value(d.Find([]byte(line), ref))
	switch {
	case !ok:
		return nil
	case s.Time.IsZero():
		return []any{nil, 0.0, 0.0}
	}
	return []any{float64(s.Time.UnixMicro()) / 1e6, float64(s.Start), float64(s.End)}
}

// compare asks both about every line, and returns how many answers there were
// and how many differed for a reason that excuse names.
func compare(t *testing.T, questions []question, excuse func(q question, upto int, got, want string) string) {
	t.Helper()
	answers := ask(t, questions)
	same, excused, left, bad := 0, map[string]int{}, 0, 0
	for i, q := range questions {
		zone, err := time.LoadLocation(q.TZ)
		if err != nil {
			t.Fatal(err)
		}
		if q.Zone != "" {
			east, ok := offset([]byte(q.Zone))
			if !ok {
				t.Fatalf("%s: no zone", q.Zone)
			}
			zone = time.FixedZone("", int(east/time.Second))
		}
		ts, err := Compile(q.Patterns)
		if err != nil {
			t.Errorf("%q: %v", q.Patterns, err)
			continue
		}
		d, ref := ts.Detector(zone), time.Unix(q.Now, 0)
		for j, line := range q.Lines {
			got, want := show(line, ours(d, line, ref)), show(line, answers[i][j])
			if got == want {
				same++
				continue
			}
			if why := excuse(q, j, got, want); why != "" {
				excused[why]++
				left += len(q.Lines) - j - 1
				break // what each remembers of this log is another thing now
			}
			if bad++; bad <= 30 {
				t.Errorf("%q: %q\n got %s\nwant %s", q.Patterns, line, got, want)
			}
		}
	}
	t.Logf("%d of %d answers are the same; differences on purpose: %v; %d lines after those", same, same+bad, excused, left)
}

// installed returns every datepattern of the filters that are installed.
func installed(t *testing.T) map[string][]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filters, "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	option := regexp.MustCompile(`(?m)^datepattern\s*=[ \t]*(.*(?:\n[ \t]+\S.*)*)`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range option.FindAllSubmatch(text, -1) {
			var lines []string
			for line := range strings.SplitSeq(string(m[1]), "\n") {
				if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "%(") && !strings.Contains(line, "<lt_") && !strings.Contains(line, "<L_") {
					lines = append(lines, strings.ReplaceAll(line, "%%", "%"))
				}
			}
			if lines != nil {
				found[fmt.Sprintf("%s#%d", filepath.Base(name), i)] = lines
			}
		}
	}
	return found
}

// logs returns the lines of the sample logs that are installed.
func logs(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(filepath.Join(fail2ban, "tests/files/logs"), func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			if line := strings.ToValidUTF8(s.Text(), "\uFFFD"); line != "" && !strings.HasPrefix(line, "# failJSON") && !strings.HasPrefix(line, "# filterOptions") {
				found[filepath.Base(name)] = append(found[filepath.Base(name)], line)
			}
		}
		return nil
	})
	if err != nil {
		t.Skip(err)
	}
	return found
}

const oracleNow = 1795348800 // 2026-11-22 12:00:00 UTC

func TestInstalledPatternsFindWhatFail2banFinds(t *testing.T) {
	samples := logs(t)
	patterns := installed(t)
	patterns["the usual"] = nil
	var questions []question
	for _, p := range patterns {
		for _, lines := range samples {
			questions = append(questions, question{p, "", "UTC", oracleNow, lines})
		}
	}
	t.Logf("%d datepatterns, %d logs", len(patterns), len(samples))
	compare(t, questions, deliberate)
}

// layouts are ways to write a time, in Go's notation, beyond what any template
// takes.
var layouts = []string{
	"Jan _2 15:04:05", "Jan 2 15:04:05", "Jan 02 3:04:05", "Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05.000000 2006", "Jan _2 2006 15:04:05", "Mon Jan 02 2006 15:04:05.000",
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04:05,000", "2006/01/02 15:04:05", "2006.01.02  15:04:05", "2006-01/02 15:04:05", "2006-1-2 15:04:05", "2006-01-02T15:04:05.000000-0700", "2006-01-02 15:04:05 MST",
	"02/01/2006 15:04:05", "02/01/06 15:04:05", "02-01-2006 15:04:05", "02-01/2006 15:04:05", "02/Jan/2006:15:04:05 -0700", "02-Jan-2006 15:04:05.000", "02-Jan-2006 15:04:05 -0700", "02/Jan-2006:15:04:05", "2/jan/2006:15:04:05 utc",
	"01/02/2006:15:04:05", "01-02-2006 15:04:05.000", "15:04:05", "<01/02/06@15:04:05>", "060102 15:04:05", "060102  3:04:05", "Jan 2, 2006 3:04:05 PM", "JAN 2, 2006 12:04:05 am", "Jan-02-06 15:04:05",
	"20060102T150405", "20060102 150405", "20060102-150405", "20060102150405.000-07", "20060102  150405Z", "CEST Jan _2 15:04:05", "PDT Mon Jan _2 15:04:05 2006", "-07:00 Jan _2 15:04:05", "Z Jan _2 15:04:05",
	"Monday, January _2 2006 15:04:05", "2006-01-02", "15:04", "Jan 31 24:00:00", "Feb 30 15:04:05", "2006-02-31 15:04:05", "2006-13-01 15:04:05", "2006-01-02 15:04:60", "2006-01-02 15:60:00", "Jan _2 25:04:05", "Feb 29 15:04:05", "02 Jan 06 15:04:05", "02 January 2006 03:04:05 PM",
	"EPOCH", "EPOCH.000", "EPOCH000", "EPOCH000000", "[EPOCH.123456]", "audit(EPOCH.123:45)", "audit(EPOCH.123 ", "EPOCH9", "EPOCH.1", "TAI", "1EPOCH",
}

// own are datepatterns that use everything.
var own = [][]string{
	nil,
	{"{DEFAULT}"},
	{"{^LN-BEG}"},
	{"{DATE}"},
	{"^{DATE}"},
	{"{^LN-BEG}{DATE}"},
	{"{NONE}"},
	{"EPOCH"},
	{"LEPOCH"},
	{"{^LN-BEG}LEPOCH"},
	{"^epoch"},
	{"TAI64N"},
	{"{^LN-BEG}TAI64N"},
	{"^TAI64N"},
	{"{none}", "x"},
	{`^\S+ {DATE}`},
	{`^\S+ ({DATE})`},
	{`\[{DATE}\]`},
	{`({DATE})\s`},
	{`- {DATE}**`},
	{`**{DATE}`},
	{`[(]{DATE}`},
	{`^[^\[]*\[({DATE})`, "{^LN-BEG}"},
	{`{EPOCH}`},
	{`^\[{LEPOCH}\]`},
	{`audit\({EPOCH}:`},
	{`\s{LEPOCH}`, "{^LN-BEG}"},
	{`**{EPOCH}**`},
	{`%Y-%m-%d %H:%M:%S`},
	{`%Y-%m-%d[T ]%H:%M:%S(?:[.,]%f)?\s?(?:%z)?`},
	{`%y%m%d %H:%M:%S`},
	{`**%y%m%d %H:%M:%S**`},
	{`{UNB}%H:%M:%S`},
	{`%H:%M:%S$`},
	{`^%H:%M`},
	{`%H:%M\b`, `%b %d`},
	{`%d %b %y %k:%M:%S`},
	{`%A, %B %d %Y %H:%M:%S`},
	{`%a %b %d`},
	{`%c`},
	{`%x %X`},
	{`%x`},
	{`%X`},
	{`%b %d, %Y %I:%M:%S %p`},
	{`%b %d, %ExY %l:%M:%S %p`},
	{`%b %d, %ExY %Exl:%ExM:%ExS`},
	{`%ExY-%Exm-%Exd %ExH:%ExM`},
	{`%Exy%Exm%Exd %Exk:%M`},
	{`%j`},
	{`%Y-%j %H:%M`},
	{`%Y-W%W-%w`},
	{`%Y-W%U-%w`},
	{`%Y-W%W-%a`},
	{`%w %H:%M:%S`},
	{`%Y %U %A`},
	{`%G-%V-%u %H:%M:%S`},
	{`%m%d %H:%M:%S`},
	{`%H%M%S`},
	{`%Z %b %d %H:%M:%S`},
	{`%ExZ %b %d %H:%M:%S`},
	{`%H:%M:%S %Exz`},
	{`%b %d %H:%M:%S(?: %ExZ)?`},
	{`%H:%M:%S ?%z`},
	{`%Y-%m-%d %H:%M:%S %Z`},
	{`%H:%M:%S%z`, `{^LN-BEG}`},
	{`()`},
	{`^()`},
	{`(?:^|x)%H:%M:%S`},
	{`(^)%H:%M:%S`},
	{`^(%H:%M:%S)?`},
	{`^(?:%H:%M:%S)?`},
	{`(%b %d )%H:%M:%S`},
	{`(?:%b %d )(%H:%M:%S)`},
	{`%b (%d) %H:%M:%S`},
	{`100%% %H:%M:%S`},
	{`(?i)%Y-%m-%dt%H:%M:%S`},
	{`{^LN-BEG}%b %d %H:%M:%S`, `{^LN-BEG}%b %d %Y`, `%Y`},
	{`\d+:%M:%S`, `{^LN-BEG}`},
	{`(?P<H>\d+)h(?P<M>\d\d)`},
	{`{^LN-BEG}%ExY(?P<_sep>[-/.])%m(?P=_sep)%d %H:%M:%S`},
	{`^\w+ %H:%M:%S`, `%H:%M:%S`},
	{`%Y:%m:%d`, `%m/%d/%Y`, `%H:%M:%S`, `%b %d`},
	{`%b %d %H:%M:%S (?=\d{4})`},
	{`(?<=x )%H:%M:%S`},
	{`%H:%M:%S(?!\.)`},
	{`\[%H:%M:%S\]`},
	{`^<\d+>%b %d %H:%M:%S`},
	{`ISO8601`, `{^LN-BEG}`},
}

// writer makes lines that are hard to read.
type writer struct{ *rand.Rand }

func pick[T any](w writer, of []T) T { return of[w.IntN(len(of))] }

func (w writer) stamp(layout string) string {
	at := time.Unix(oracleNow, 0).Add(time.Duration(w.IntN(400*86400)-380*86400) * time.Second)
	if w.IntN(3) == 0 {
		at = time.Unix(oracleNow+w.Int64N(200000)-100000, w.Int64N(1e9))
	}
	if w.IntN(20) == 0 {
		at = at.AddDate(pick(w, []int{1, 2, 3, 4, 5, 10, -20, -30, -100, 70}), 0, 0)
	}
	at = at.In(pick(w, []*time.Location{time.UTC, time.FixedZone("CEST", 7200), time.FixedZone("EST", -18000)}))
	s := strings.ReplaceAll(layout, "EPOCH", strconv.FormatInt(at.Unix(), 10))
	if s == "TAI" {
		return fmt.Sprintf("@4%015x%08x", at.Unix(), w.Uint32())
	}
	if s != layout {
		return s
	}
	s = at.Format(layout)
	switch w.IntN(20) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return s
}

// log returns lines that were written by one program, more or less.
func (w writer) log(n int) []string {
	heads := []string{"", "", "", "", "[", "<", "(", "[[", "x ", "host ", "1.2.3.4 - - [", "- ", "\u00e9 ", "\u00e9", "w", " ", "  ", "   ", "<13>", "time=", "7", "7 ", "error: ", "a \"b\" c [", "nov "}
	tails := []string{"", "", " ", "] ", ": ", " h sshd[1]: ", "> ", "x", "\u00e9", " 2026 ", ".5 ", " Z ", " +0100 ", " UTC ", ", ", "-", "7", " 7 ", ") "}
	head, layout, tail := pick(w, heads), pick(w, layouts), pick(w, tails)
	var lines []string
	for range n {
		h, l, t := head, layout, tail
		if w.IntN(6) == 0 {
			h = pick(w, heads)
		}
		if w.IntN(6) == 0 {
			l = pick(w, layouts)
		}
		if w.IntN(6) == 0 {
			t = pick(w, tails)
		}
		line := h + w.stamp(l) + t
		if w.IntN(2) == 0 {
			line += pick(w, heads) + w.stamp(pick(w, layouts)) + pick(w, tails)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestGeneratedLinesAreReadAsFail2banReadsThem(t *testing.T) {
	w := writer{rand.New(rand.NewPCG(22, 11))}
	var questions []question
	for _, p := range own {
		for range 25 {
			questions = append(questions, question{p, pick(w, []string{"", "", "UTC+0200", "EST", "-0330"}), pick(w, []string{"UTC", "UTC", "Europe/Berlin"}), oracleNow, w.log(20)})
		}
	}
	compare(t, questions, deliberate)
}

// What deliberate knows differences by.
var (
	dashed  = regexp.MustCompile(`"20\d{6}-\d|20\d{6}[-T ]{1,2}\d\d:`)
	farYear = regexp.MustCompile(`20[3-9]\d|2[1-9]\d\d`)
	answer  = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(.*)$`)
)

// deliberate names the rule by which an answer differs, "" if it must not.
func deliberate(q question, upto int, got, want string) string {
	g, w := answer.FindStringSubmatch(got), answer.FindStringSubmatch(want)
	switch {
	case want == noZone:
		return "a word that is no zone is left alone"
	case dashed.MatchString(got):
		return "compact stamps may have a dash and colons, as for fail2ban 1.1"
	case farYear.MatchString(q.Lines[upto]):
		return "a year out of reach hides the stamps after it"
	case g != nil && w != nil && g[2] == w[2] && g[1][10:] == w[1][10:]:
		return "today and the last year are those of the stamp's zone"
	case slices.ContainsFunc(q.Lines[:upto+1], func(l string) bool { return len(l) != utf8.RuneCountInString(l) }):
		return "places in a line are counted in bytes, not letters"
	}
	return ""
}
