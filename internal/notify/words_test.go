package notify

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/edgeban/edgeban"
)

var noon = time.Date(2026, 11, 22, 12, 30, 0, 0, time.Local)

func TestWordsOfOneThing(t *testing.T) {
	two := noon.Add(2 * time.Hour)
	for _, test := range []struct {
		what        string
		ns          []edgeban.Notice
		title, body string
		priority    int
	}{
		{
			"a ban",
			[]edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon, Jail: "dovecot", Subject: prefix("203.0.113.9"), Until: two, Failures: 5, Nth: 3, User: "alice@example.com"}},
			"Banned 203.0.113.9 (dovecot)",
			"5 failures, last user alice@example.com, 3rd time, until Nov 22 14:30 (2h)", 0,
		},
		{
			"a ban in two jails",
			[]edgeban.Notice{
				{Kind: edgeban.NoticeBan, Time: noon, Jail: "dovecot", Subject: prefix("2001:db8::/64"), Until: two, Failures: 5, User: "bob"},
				{Kind: edgeban.NoticeBan, Time: noon, Jail: "postfix", Subject: prefix("2001:db8::/64"), Until: two.Add(time.Hour), Failures: 1},
			},
			"Banned 2001:db8::/64 (dovecot, postfix)",
			"6 failures, last user bob, until Nov 22 15:30 (3h)", 0,
		},
		{
			"a ban by hand, for ever",
			[]edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon, Jail: "hand", Subject: prefix("2001:db8::1")}},
			"Banned 2001:db8::1 (hand)", "by hand, until lifted", 0,
		},
		{
			"an unban",
			[]edgeban.Notice{{Kind: edgeban.NoticeUnban, Time: noon, Subject: prefix("203.0.113.9"), Target: "edge"}},
			"203.0.113.9 is free again", "It is not banned any more at edge.", 2,
		},
		{
			"an unban at several doors",
			[]edgeban.Notice{
				{Kind: edgeban.NoticeUnban, Time: noon, Subject: prefix("192.168.1.50"), Target: "proxy"},
				{Kind: edgeban.NoticeUnban, Time: noon, Subject: prefix("192.168.1.50"), Target: "logins"},
				{Kind: edgeban.NoticeUnban, Time: noon, Subject: prefix("192.168.1.50"), Target: "connections"},
			},
			"192.168.1.50 is free again", "It is not banned any more at proxy, logins, connections.", 2,
		},
		{
			"an inside attacker",
			[]edgeban.Notice{{Kind: edgeban.NoticeInside, Time: noon, Jail: "dovecot", Subject: prefix("192.168.1.50"), Failures: 1, User: "bob"}},
			"Inside: 192.168.1.50 (dovecot)",
			"A device in your network, 192.168.1.50, is guessing passwords (dovecot): 1 failure, last user bob. It is not banned: look at the device.", 4,
		},
		{
			"a leak",
			[]edgeban.Notice{{Kind: edgeban.NoticeLeak, Time: noon, Jail: "dovecot", Subject: prefix("203.0.113.9"), Failures: 3, Target: "edge", Text: "No rule blocks what is in alias bans."}},
			"Leak: 203.0.113.9 (dovecot) still gets in",
			"203.0.113.9 (dovecot) is held at edge, and 3 lines came since. No rule blocks what is in alias bans.", 4,
		},
		{
			"two leaks, one of which nothing is said of",
			[]edgeban.Notice{
				{Kind: edgeban.NoticeLeak, Time: noon, Jail: "sshd", Subject: prefix("203.0.113.8"), Target: "edge"},
				{Kind: edgeban.NoticeLeak, Time: noon, Jail: "dovecot", Subject: prefix("2001:db8::/64"), Failures: 2, Target: "edge", Text: "Look at https://evil.example\x1b"},
			},
			"Leak: 2001:db8::/64 (dovecot) still gets in and 1 more",
			"2001:db8::/64 (dovecot) is held at edge, and 2 lines came since. Look at https[:]//evil[.]example\uFFFD\n203.0.113.8 (sshd) is held at edge. See edgeban why 203.0.113.8.", 4,
		},
		{
			"a trouble, often",
			slices.Repeat([]edgeban.Notice{{Kind: edgeban.NoticeTrouble, Time: noon, Target: "edge", Text: "the certificate has changed"}}, 3),
			"Trouble with edge", "the certificate has changed (3 times)", 4,
		},
	} {
		m := compose(test.ns, 0)
		if m.title != test.title || m.body != test.body || m.priority != test.priority {
			t.Errorf("%s:\ngot  %q\n     %q priority %d\nwant %q\n     %q priority %d", test.what, m.title, m.body, m.priority, test.title, test.body, test.priority)
		}
	}
}

func TestDigestNamesTheWorst(t *testing.T) {
	var ns []edgeban.Notice
	for i := range 37 {
		n := edgeban.Notice{
			Kind: edgeban.NoticeBan, Time: noon, Jail: "dovecot", Subject: prefix(fmt.Sprintf("203.0.113.%d", i)),
			Until: noon.Add(2 * time.Hour), Failures: 5, Nth: 1,
		}
		if i%4 == 0 {
			n.Jail = "postfix"
		}
		if i == 9 {
			n.Failures, n.Nth = 48, 2
		}
		ns = append(ns, n)
	}
	ns = append(ns, edgeban.Notice{Kind: edgeban.NoticeBan, Time: noon, Jail: "postfix", Subject: prefix("203.0.113.9"), Until: noon.Add(2 * time.Hour)})
	m := compose(ns, 0)
	head, rest, _ := strings.Cut(m.body, "\n")
	if want := "37 addresses banned in dovecot (27) and postfix (11); worst: 203.0.113.9, 48 failures, 2nd time, until Nov 22 14:30 (2h)"; head != want {
		t.Errorf("got  %q\nwant %q", head, want)
	}
	if named := strings.Count(rest, "(2h)"); named+1 != 21 || !strings.HasSuffix(rest, "\n… and 16 more") {
		t.Errorf("20 more named and 16 counted wanted, got %d:\n%s", named, rest)
	}
	if m.title != "37 addresses banned" || m.priority != 0 || m.about != netip.MustParseAddr("203.0.113.9") {
		t.Errorf("got %q, priority %d, about %v", m.title, m.priority, m.about)
	}
}

func TestDigestOfALongTimeSaysSinceWhen(t *testing.T) {
	for gap, want := range map[time.Duration]string{
		time.Minute: "2 addresses banned; worst:",
		time.Hour:   "2 addresses banned since Nov 22 12:30; worst:",
	} {
		m := compose([]edgeban.Notice{
			{Kind: edgeban.NoticeBan, Time: noon.Add(gap), Subject: prefix("203.0.113.1")},
			{Kind: edgeban.NoticeBan, Time: noon, Subject: prefix("203.0.113.2")},
		}, 0)
		if !strings.HasPrefix(m.body, want) {
			t.Errorf("%v apart: got %q, want %q", gap, m.body, want)
		}
	}
}

// TestNothingUrgentIsBuried: an attacker from inside must not drown in a flood
// from outside.
func TestNothingUrgentIsBuried(t *testing.T) {
	var ns []edgeban.Notice
	for i := range 999 {
		ns = append(ns, edgeban.Notice{Kind: edgeban.NoticeBan, Time: noon, Jail: "dovecot", Subject: prefix(fmt.Sprintf("198.51.%d.%d", i/256, i%256)), Failures: 900})
	}
	ns = append(ns,
		edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: noon, Target: "edge", Text: "the firewall does not answer"},
		edgeban.Notice{Kind: edgeban.NoticeInside, Time: noon, Jail: "sshd", Subject: prefix("192.168.1.50"), Failures: 5})
	m := compose(ns, 1)
	if want := "Inside: 192.168.1.50 (sshd); Trouble with edge; 999 addresses banned"; m.title != want || m.priority != 4 {
		t.Errorf("got %q, priority %d, want %q, 4", m.title, m.priority, want)
	}
	lines := strings.Split(m.body, "\n")
	if !strings.Contains(lines[0], "192.168.1.50") || lines[1] != "the firewall does not answer" || !strings.HasPrefix(lines[2], "999 addresses") {
		t.Errorf("got %q", lines[:3])
	}
	if want := []string{"rotating_light", "warning", "no_entry"}; !slices.Equal(m.tags, want) {
		t.Errorf("tags %q, want %q", m.tags, want)
	}
}

// TestWorstIsFoundAmongOtherThings: notices of other kinds in between must not
// change the order of the bans, nor that of the troubles.
func TestWorstIsFoundAmongOtherThings(t *testing.T) {
	var ns []edgeban.Notice
	for i := range 60 {
		n := edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: noon, Text: fmt.Sprint("trouble ", i)}
		if i%3 == 1 {
			n = edgeban.Notice{Kind: edgeban.NoticeBan, Time: noon, Subject: prefix(fmt.Sprintf("203.0.113.%d", i)), Failures: (i * 31) % 60}
		}
		ns = append(ns, n)
	}
	stories := gather(ns)
	bans, troubles := only(stories, edgeban.NoticeBan), only(stories, edgeban.NoticeTrouble)
	if !slices.IsSortedFunc(bans, func(a, b *story) int { return b.failures - a.failures }) || len(bans) != 20 {
		t.Errorf("%d bans, not worst first", len(bans))
	}
	for i, s := range troubles {
		if want := fmt.Sprint("trouble ", i/2*3+i%2*2); s.text != want {
			t.Errorf("trouble %d: got %q, want %q", i, s.text, want)
		}
	}
}

func TestHostileUserNames(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"alice@example.com", "alice@example.com"},
		{"jürgen", "jürgen"},
		{"a\r\nX-Priority: 5", "“a X-Priority: 5”"},
		{"a\x00\x1b[31mb", "“a��[31mb”"},
		{"\u202egro.elpmaxe", "“�gro[.]elpmaxe”"},
		{"zero\u200bwidth\ufeff", "“zero�width�”"},
		{"tag\U000e0041", "“tag�”"},
		{"\xff\xfeabc", "“��abc”"},
		{"http://evil.example/x", "“http[:]//evil[.]example/x”"},
		{"WWW.EVIL.EXAMPLE", "“WWW[.]EVIL[.]EXAMPLE”"},
		{"evil.example", "“evil[.]example”"},
		{"[unban](https://evil.example)", "“[unban] (https[:]//evil[.]example)”"},
		{"evil.example/x@y", "“evil[.]example/x@y”"},
		{"bob, 99th time, until lifted", "“bob, 99th time, until lifted”"},
		{"x” fine “y", "“x' fine 'y”"},
		{"  \t ", ""},
		{strings.Repeat("ü", 64), strings.Repeat("ü", 64)},
		{strings.Repeat("ü", 65), "“" + strings.Repeat("ü", 61) + "…”"},
	} {
		if got := user(test.in); got != test.want {
			t.Errorf("user %q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestSentencesKeepTheirSense(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"/logs/dovecot.log shows 172.18.0.2; see edgeban.yaml:12", "/logs/dovecot.log shows 172.18.0.2; see edgeban.yaml:12"},
		{"https://192.168.1.1: pin changed", "https[:]//192[.]168[.]1[.]1: pin changed"},
		{"user=<http://evil.example>\nnext", "user=<http[:]//evil[.]example> next"},
	} {
		if got := sentence(test.in, maxText); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestSpansAndOrdinals(t *testing.T) {
	for d, want := range map[time.Duration]string{
		45 * time.Second: "45s", time.Minute: "1m", 90 * time.Minute: "1h30m", 24 * time.Hour: "1d", 7 * 24 * time.Hour: "1w",
		60 * time.Hour: "2d12h", 8 * 24 * time.Hour: "1w1d", 24*time.Hour + time.Minute: "1d", math.MaxInt64: "15250w1d",
	} {
		if got := span(d); got != want {
			t.Errorf("span of %v: got %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 111: "111th", 102: "102nd"} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal of %d: got %q, want %q", n, got, want)
		}
	}
}

// hostileNotices returns bans with names as long as they can get.
func hostileNotices(n int) []edgeban.Notice {
	wide := strings.Repeat("😀", 500)
	var ns []edgeban.Notice
	for i := range n {
		ns = append(ns, edgeban.Notice{
			Kind: edgeban.NoticeBan, Time: noon.Add(time.Duration(i) * time.Minute), Jail: fmt.Sprint(i%7, wide),
			Subject: prefix(fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:%x:ffff", i)),
			Until:   noon.Add(time.Hour), Failures: math.MaxInt, Nth: math.MaxInt, User: wide, Text: wide,
		})
	}
	return ns
}

func TestMessagesFitAndCountTrulyAtEverySize(t *testing.T) {
	longest := 0
	for _, n := range []int{1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 21, 22, 100, 1000, 10_000} {
		shifts := 12 // of the border by a byte each
		if n > 100 {
			shifts = 1
		}
		for shift := range shifts {
			ns := hostileNotices(n)
			for i := range ns {
				ns[i].User = strings.Repeat("x", shift) + "é"
			}
			m := compose(ns, 0)
			longest = max(longest, len(m.body))
			if len(m.body) > maxBody || !utf8.ValidString(m.body) {
				t.Fatalf("%d bans: %d bytes, want at most %d of UTF-8", n, len(m.body), maxBody)
			}
			if n == 1 {
				continue
			}
			if total := bansTold(t, m.body); total != n {
				t.Errorf("%d bans: the message accounts for %d:\n%s", n, total, m.body)
			}
		}
	}
	if longest < maxBody-100 {
		t.Errorf("the longest message had %d bytes: the border was not reached", longest)
	}
}

// TestTheWidestOfAllKindsFits: what is set aside for each section must leave room
// for the others, even if every name is as wide as it may be.
func TestTheWidestOfAllKindsFits(t *testing.T) {
	kinds := []edgeban.NoticeKind{edgeban.NoticeInside, edgeban.NoticeTrouble, edgeban.NoticeBan, edgeban.NoticeUnban}
	widest := 0
	for _, n := range []int{4, 8, 80, 400} {
		ns := hostileNotices(n)
		for i := range ns {
			ns[i].Kind = kinds[i%4]
			ns[i].Target = ns[i].Text
			ns[i].Zone, ns[i].Host, ns[i].Look, ns[i].Doors = ns[i].Text, ns[i].Text, ns[i].Text, ns[i].Text
			ns[i].Text = fmt.Sprint(i) + ns[i].Text
		}
		for i := range ns { // each subject in each of 7 jails
			again := ns[i]
			for j := range 7 {
				again.Jail = fmt.Sprint(j) + again.User
				ns = append(ns, again)
			}
		}
		m := compose(ns, 0)
		if len(m.body) > maxBody {
			t.Errorf("%d notices: %d bytes, want at most %d", len(ns), len(m.body), maxBody)
		}
		widest = max(widest, len(m.body))
		if n > 4 {
			continue
		}
		for _, want := range []string{"A device in your network", "1😀", "2001:db8:ffff:ffff:ffff:ffff:2:ffff", "is free again"} {
			if !strings.Contains(m.body, want) {
				t.Errorf("%q is missing:\n%s", want, m.body)
			}
		}
	}
	if widest < maxBody-200 {
		t.Errorf("the widest has %d bytes: this test does not reach the border", widest)
	}
}

// bansTold adds up what a digest of bans names and counts.
func bansTold(t *testing.T, body string) int {
	t.Helper()
	lines := strings.Split(body, "\n")
	total := 0
	for _, line := range lines {
		more := 0
		if n, _ := fmt.Sscanf(line, "… and %d more", &more); n == 1 {
			total += more
		} else {
			total++ // the head names the worst
		}
	}
	head := 0
	if n, _ := fmt.Sscanf(lines[0], "%d addresses banned", &head); n != 1 || head != total {
		t.Errorf("the head says %d, the lines %d", head, total)
	}
	return total
}

// TestBorderToTheByte: what just fits is not cut, and with a byte less it is,
// however many sections there are.
func TestBorderToTheByte(t *testing.T) {
	items := []string{"first", "sécond", "third"}
	plain := section{items: items}
	headed := section{head: "héad", items: items}
	for name, sections := range map[string][]section{
		"one": {plain}, "one with a head": {headed}, "two": {plain, plain}, "two with heads": {headed, headed}, "four": {plain, headed, plain, headed},
	} {
		var lines []string
		aside := 0 // for the counts that are not needed if all fits
		for _, s := range sections {
			if s.head != "" {
				lines = append(lines, s.head)
			}
			lines = append(lines, items...)
			aside += len(leftOut(3)) + 1
		}
		whole := strings.Join(lines, "\n")
		if got := layout(sections, len(whole)+aside); got != whole {
			t.Errorf("%s: got %q, want all of %q", name, got, whole)
		}
		if got := layout(sections, len(whole)+aside-1); !strings.HasSuffix(got, "sécond\n… and 1 more") || strings.Count(got, "more") != 1 {
			t.Errorf("%s, a byte less: got %q, want the last counted", name, got)
		}
		// Long lists are cut in every section, and must never be longer than they may.
		for limit := 200; limit < 400; limit++ {
			long := slices.Clone(sections)
			for i := range long {
				long[i].items = slices.Repeat([]string{"x"}, 99)
				long[i].items[0] = strings.Repeat("y", limit%7)
			}
			if got := layout(long, limit); len(got) > limit {
				t.Errorf("%s: %d bytes, want at most %d", name, len(got), limit)
			}
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("ban", "dovecot", "alice@example.com", "a line", "opnsense", 5, 3, int64(7200), uint16(3))
	f.Add("trouble", "", "", "http://evil.example \u202e\x00", "edge", 0, 0, int64(0), uint16(1))
	f.Add("inside", "sshd", "\xff\xfe", "", "", -1, -1, int64(-5), uint16(400))
	f.Add("", "j\n", strings.Repeat("😀", 99), strings.Repeat("\u0301", 5000), "\\\"", math.MaxInt, math.MinInt, int64(math.MaxInt64), uint16(65535))
	kinds := []edgeban.NoticeKind{edgeban.NoticeBan, edgeban.NoticeUnban, edgeban.NoticeInside, edgeban.NoticeTrouble}
	f.Fuzz(func(t *testing.T, kind, jail, name, text, target string, failures, nth int, seconds int64, many uint16) {
		var ns []edgeban.Notice
		for i := range int(many)%1100 + 1 {
			n := edgeban.Notice{
				Kind: edgeban.NoticeKind(kind), Time: noon, Jail: jail, User: name, Text: text, Target: target,
				Failures: failures, Nth: nth, Until: noon.Add(time.Duration(seconds)),
			}
			if i > 0 {
				n.Kind = kinds[i%4]
				n.Jail += fmt.Sprint(i % 9)
				n.Text += fmt.Sprint(i % 5)
				n.Subject = prefix(fmt.Sprintf("2001:db8:%x::%x", i, i*7))
			}
			ns = append(ns, n)
		}
		ntfy := NewNtfy(ntfyConfig(), nil)
		m := compose(ns, failures%6)
		body := ntfy.encode(m)
		if len(body) >= 32<<10 || !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%d bytes of JSON, valid %v, UTF-8 %v", len(body), json.Valid(body), utf8.Valid(body))
		}
		if m.body == "" || len(m.body) > maxBody || !utf8.ValidString(m.body) {
			t.Fatalf("a message of %d bytes", len(m.body))
		}
		if m.title == "" || utf8.RuneCountInString(m.title) > maxTitle {
			t.Fatalf("title %q", m.title)
		}
		for _, r := range m.title + strings.ReplaceAll(m.body, "\n", "") {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("the message holds %U", r)
			}
		}
		if strings.Contains(m.body, "://") || strings.Contains(m.body, "](") {
			t.Fatalf("the message holds a link: %q", m.body)
		}
	})
}
