package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// sshdLog is failures of one address, some seconds after noon each.
func sshdLog(addr string, after ...int) string {
	var b strings.Builder
	for i, s := range after {
		at := time.Date(2026, 11, 22, 12, 0, s, 0, time.UTC)
		fmt.Fprintf(&b, "%s host sshd[%d]: Failed password for root from %s port %d ssh2\n", at.Format("Jan _2 15:04:05"), i+1, addr, 4000+i)
	}
	return b.String()
}

func replayText(t *testing.T, c config.Jail, text string) []Verdict {
	t.Helper()
	c.LogPath, c.LogTimezone = []string{"/log"}, time.UTC
	return verdicts(t, opened(t, c), text)
}

func TestEvidenceOfABanIsWhatLedToIt(t *testing.T) {
	var minutes []int
	for i := range 14 {
		minutes = append(minutes, 60*i)
	}
	for name, after := range map[string][]int{
		"one failure a minute, 14 of them": minutes,
		"six in half a minute":             {16, 21, 26, 31, 36, 41},
		"20 in the second of the fifth":    append([]int{0, 1, 2, 3}, slices.Repeat([]int{4}, 20)...),
	} {
		text := sshdLog("203.0.113.9", after...)
		vs := replayText(t, config.NewJail("sshd"), text)
		if len(vs) != 1 {
			t.Fatalf("%s: %d bans, want 1", name, len(vs))
		}
		if n := vs[0].Ban.Failures; n != 5 {
			t.Errorf("%s: banned for %d failures, want 5", name, n)
		}
		lines := strings.Split(text, "\n")
		for i, line := range vs[0].Lines {
			if line != lines[i] {
				t.Errorf("%s: line %d of the evidence is %q, want %q", name, i+1, line, lines[i])
			}
		}
	}
}

// Whatever falls into a chunk, the bans are those of the lines one by one.
func TestFloodChangesNoVerdict(t *testing.T) {
	for _, count := range []config.Count{config.Window, config.Rate} {
		c := config.NewJail("sshd")
		c.Count, c.MaxRetry, c.FindTime, c.BanTime = count, 3, 20*time.Second, 30*time.Second
		for seed := range 200 {
			var after []int
			at, x := 0, uint32(seed*7919+1)
			for range 60 {
				x = x*1664525 + 1013904223
				at += int(x>>28) * int(x>>24&1)
				after = append(after, at)
			}
			whole := replayText(t, c, sshdLog("203.0.113.9", after...))
			c.LogPath, c.LogTimezone = []string{"/log"}, time.UTC
			r := opened(t, c)
			p := r.pass(Log{}, false)
			for i, line := range strings.SplitAfter(sshdLog("203.0.113.9", after...), "\n") {
				c := edgeban.Chunk{Stream: "s", Text: []byte(line), Base: int64(i * 1000), Read: r.Now}
				for _, m := range p.gates.scan(&p.panel, c, p.never).one() {
					r.observe(r.Trials[0], &m)
				}
			}
			key := func(vs []Verdict) (s []string) {
				for _, v := range vs {
					s = append(s, v.Ban.Since.Format(time.TimeOnly)+v.Ban.Until.Format(time.TimeOnly))
				}
				return s
			}
			if got, want := key(whole), key(r.each); !slices.Equal(got, want) {
				t.Fatalf("%s, seed %d: bans of the chunk %v, of its lines %v", count, seed, got, want)
			}
		}
	}
}
