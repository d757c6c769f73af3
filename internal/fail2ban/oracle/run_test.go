package oracle

import (
	"fmt"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/jail"
	"github.com/edgeban/edgeban/internal/never"
)

const posixZone = "CET-1CEST,M3.5.0,M10.5.0/3"

// A banned is a ban of either side, or what makes it longer.
type banned struct {
	Line          int
	Jail, IP      string
	Time, BanTime float64
	Longer        bool
}

func (b banned) String() string {
	what := "banned"
	if b.Longer {
		what = "longer"
	}
	return fmt.Sprintf("%s %s %s up to %.2f (line %d)", b.Jail, what, b.IP, b.end(), b.Line)
}

func (b banned) end() float64 {
	if b.BanTime < 0 {
		return math.Inf(1)
	}
	return b.Time + b.BanTime
}

func zurich(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// The differences on purpose, by seed.
var (
	plainOnPurpose = map[uint64]string{
		177: "a session ends five minutes later by the stamps of its lines, not by when they are read",
	}
	growingOnPurpose = map[uint64]string{
		244: sameSecond,
		399: sameSecond,
	}
)

const sameSecond = "fail2ban forgets one of two bans of an address that begin in the same second, with overalljails"

func TestGeneratedLogsBanAsFail2banDoes(t *testing.T) { playAll(t, false, plainOnPurpose) }

func TestGrowingBansAreThoseOfFail2ban(t *testing.T) { playAll(t, true, growingOnPurpose) }

// playAll plays 50 logs, or as many as EDGEBAN_SCENES says.
func playAll(t *testing.T, increment bool, onPurpose map[uint64]string) {
	t.Parallel()
	p := oracle(t)
	n, equal, lines, bans := setting(t, "EDGEBAN_SCENES", 50), 0, 0, 0
	for seed := range n {
		dir := t.TempDir()
		sc := play(seed, increment, zurich(t))
		sc.write(t, dir)
		got, bantime := sc.ours(t, dir)
		want := sc.theirs(t, p, dir)
		lines, bans = lines+len(sc.lines), bans+len(want)
		switch why := firstDifference(sc, got, want, bantime); {
		case why == "" && onPurpose[seed] != "":
			t.Errorf("seed %d does not differ any more (%s)", seed, onPurpose[seed])
		case why == "":
			equal++
		case onPurpose[seed] == "":
			t.Errorf("seed %d: %s\n%s", seed, why, sc.jailLocal)
		}
	}
	t.Logf("%d of %d logs lead to the same bans: %d lines, %d bans", equal, n, lines, bans)
}

// firstDifference says where two runs part, and what led to it. The same lines
// must ban for the same time. What makes a ban longer is said less often by us: its
// end is that of fail2ban, or up to an eighth of the jail's bantime later.
func firstDifference(sc scene, got, want []banned, bantime map[string]float64) string {
	type key struct{ jail, ip string }
	ours, theirs := map[key]banned{}, map[key]banned{}
	for line := range sc.lines {
		touched := map[key]bool{}
		for ; len(got) > 0 && got[0].Line == line; got = got[1:] {
			k := key{got[0].Jail, got[0].IP}
			ours[k], touched[k] = got[0], true
		}
		for ; len(want) > 0 && want[0].Line == line; want = want[1:] {
			k := key{want[0].Jail, want[0].IP}
			theirs[k], touched[k] = want[0], true
		}
		for k := range touched {
			a, b := ours[k], theirs[k]
			newly := (a.Line == line && !a.Longer) != (b.Line == line && !b.Longer)
			late := a.end() - b.end()
			if !newly && late == 0 || !newly && a.Longer && 0 < late && late <= bantime[k.jail]/8 {
				continue
			}
			return fmt.Sprintf("line %d: got %s, want %s\n%s", line, a, b, sc.led(line, k.ip))
		}
	}
	return ""
}

// led shows the lines up to line that have ip.
func (sc scene) led(line int, ip string) string {
	var led []string
	for n, l := range sc.lines[:line+1] {
		if strings.Contains(l.text, ip) {
			led = append(led, fmt.Sprintf("%d %.2f %s: %s", n, float64(l.at.UnixMilli())/1000, l.file, l.text))
		}
	}
	return strings.Join(led, "\n")
}

// write puts the configuration into dir: the stock files, and the scene's own.
func (sc scene) write(t *testing.T, dir string) {
	t.Helper()
	linkStock(t, dir)
	tr := tree{"jail.local": strings.ReplaceAll(sc.jailLocal, "<dir>", dir)}
	for _, f := range sc.files {
		tr["log/"+f+".log"] = ""
	}
	tr.add(t, dir)
}

// linkStock puts the files that come with fail2ban into dir.
func linkStock(t *testing.T, dir string) {
	t.Helper()
	for _, link := range []string{"filter.d", "action.d", "jail.conf", "paths-debian.conf", "paths-common.conf", "fail2ban.conf"} {
		if err := os.Symlink(filepath.Join(stock, link), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
}

func (sc scene) theirs(t *testing.T, p *python, dir string) []banned {
	t.Helper()
	var lines [][]any
	for _, l := range sc.lines {
		lines = append(lines, []any{float64(l.at.UnixMilli()) / 1000, l.file + ".log", l.text})
	}
	var got struct {
		Error string
		Bans  []banned
	}
	p.ask(t, map[string]any{"do": "simulate", "dir": dir, "zone": posixZone, "lines": lines}, &got)
	if got.Error != "" {
		t.Fatal(got.Error)
	}
	sortBans(got.Bans)
	return got.Bans
}

func sortBans(bans []banned) {
	slices.SortStableFunc(bans, func(a, b banned) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Jail+a.IP, b.Jail+b.IP)
	})
}

// A player is one of our jails that reads one log.
type player struct {
	c      config.Jail
	log    string
	t      testing.TB
	scan   *gated
	ignore *never.List
	fold   *jail.Jail
	base   int64
}

// ours runs the scene through our reader, our patterns and our folds, as the
// daemon does with lines that it reads as they are written.
func (sc scene) ours(t *testing.T, dir string) (bans []banned, bantime map[string]float64) {
	t.Helper()
	r, err := fail2ban.Read(dir, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	var all []*player
	bantime = map[string]float64{}
	for _, res := range r.Resolved() {
		if res.Translation == nil {
			t.Fatalf("jail %s: %s", res.Jail, res.Reason)
		}
		c := *res.Translation
		f, err := compat.Compile(*c.Rules)
		if err != nil {
			t.Fatal(err)
		}
		bantime[c.Name] = c.BanTime.Seconds()
		all = append(all, &player{
			t: t, c: c, log: filepath.Base(c.LogPath[0]), scan: newGated(f, filter.Options{Jail: c.Name, Zone: zurich(t)}),
			ignore: never.NewIgnore(c.IgnoreIP, slog.New(slog.DiscardHandler)).Find(t.Context()), fold: jail.New(c, 24*time.Hour),
		})
	}
	seq := edgeban.Seq(0)
	nth := map[edgeban.Key]int{}
	for n, l := range sc.lines {
		for _, p := range all {
			if p.log != l.file+".log" {
				continue
			}
			for b := range p.line(l, &seq) {
				for _, other := range all { // the ledger tells every jail of it
					other.fold.Warm(edgeban.Event{Seq: seq, Fact: b})
				}
				bans = append(bans, told(n, b, b.Nth == nth[b.Key]))
				nth[b.Key] = b.Nth
			}
		}
	}
	sortBans(bans)
	return bans, bantime
}

// line reads one more line, and yields the bans that it leads to.
func (p *player) line(l logLine, seq *edgeban.Seq) iter.Seq[edgeban.Ban] {
	return func(yield func(edgeban.Ban) bool) {
		c := edgeban.Chunk{Stream: "s", Text: []byte(l.text + "\n"), Base: p.base, Read: l.at, Live: true}
		p.base += int64(len(c.Text))
		for _, m := range p.scan.scan(p.t, c) {
			m.Subject = jail.Subject(p.c, m.Addr, false)
			if why, ok := p.ignore.Contains(m.Addr); ok {
				m.Ignored = why
			}
			*seq++
			b, ok := p.fold.Observe(edgeban.Event{Seq: *seq, Fact: m})
			if !ok || !b.Standing(l.at) {
				continue
			}
			*seq++
			if !yield(b) {
				return
			}
		}
	}
}

func told(line int, b edgeban.Ban, longer bool) banned {
	x := banned{Line: line, Jail: b.Jail, IP: b.Subject.Addr().String(), Time: float64(b.Since.UnixMilli()) / 1000, BanTime: -1, Longer: longer}
	if !b.Until.IsZero() {
		x.BanTime = b.Until.Sub(b.Since).Seconds()
	}
	return x
}
