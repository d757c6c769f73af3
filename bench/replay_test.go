package bench_test

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
)

// folder is where Debian's package has fail2ban's filters.
const folder = "/etc/fail2ban"

// BenchmarkReplay runs a log through fail2ban's filters on one core, as edgeban replay
// does. Each op is 200,000 lines.
func BenchmarkReplay(b *testing.B) {
	three := []string{"sshd", "postfix[mode=auth]", "dovecot"}
	var all []string
	paths, err := filepath.Glob(folder + "/filter.d/*.conf")
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range paths {
		all = append(all, strings.TrimSuffix(filepath.Base(p), ".conf"))
	}
	for _, c := range []struct {
		name    string
		filters []string
		percent int
	}{{"three/10%", three, 10}, {"three/1%", three, 1}, {"all/10%", all, 10}, {"all/1%", all, 1}} {
		b.Run(c.name, func(b *testing.B) { replay(b, c.filters, c.percent) })
	}
}

func replay(b *testing.B, filters []string, percent int) {
	const lines = 200_000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	log, err := exec.Command("go", "run", "./genlog", "-lines", strconv.Itoa(lines), "-percent", strconv.Itoa(percent)).Output()
	if err != nil {
		b.Fatal(err)
	}
	r := &intake.Replay{Forget: 24 * time.Hour, Now: time.Now(), Never: (&never.Finder{}).Find(b.Context())}
	for _, f := range filters {
		rules, err := fail2ban.NamedFilter(folder, f)
		if err != nil || len(rules.FailRegex) == 0 || rules.MaxLines > 1 {
			continue // it needs a parameter, is a part of others, or looks at several lines
		}
		j := config.NewJail(f)
		j.LogPath = []string{config.Stdin}
		j.Rules, j.Count, j.IPv6Prefix, j.Increment.Enabled = &rules, config.Rate, 128, false
		r.Trials = append(r.Trials, &intake.Trial{Jail: j})
	}
	if len(r.Trials) == 0 {
		b.Skipf("%s has no filters: install fail2ban", folder)
	}
	if err := r.Open(); err != nil {
		b.Fatal(err)
	}
	logs := []intake.Log{{Name: "log", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil }}}
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	bans := 0
	for b.Loop() {
		for vs, err := range r.Files(b.Context(), logs) {
			if err != nil {
				b.Fatal(err)
			}
			bans += len(vs)
		}
	}
	if bans == 0 {
		b.Fatal("nobody is banned: nothing was measured")
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
