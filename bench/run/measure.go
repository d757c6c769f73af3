package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A measurement is commands that go over the same lines; their times are summed, or they
// run at once and the longest counts.
type measurement struct {
	what     string
	percent  int // of the lines fail
	lines    int
	cores    int // for Go; 0 where it is no matter
	commands [][]string
	atOnce   bool
	slow     bool           // it has one turn in a round; see turns
	stdin    string         // a file; empty for none
	clock    *regexp.Regexp // finds the time in what is printed; nil for that from start to end

	took []time.Duration
	peak int64 // KiB
}

// The clocks of those who read fail2ban's filters: to start Python and to read a
// folder does not count.
var (
	theirClock = regexp.MustCompile(`\[processed in ([\d.]+) sec\]`)
	ourClock   = regexp.MustCompile(`(?m)^all .* in ([\d.mµs]+), \d+ lines/s$`)
)

func (b *bench) measurements() (all []*measurement) {
	for _, p := range percents() {
		all = append(all, b.replays(p)...)
		long, short := b.log(p, b.lines), b.log(p, b.few)
		var regexes [][]string
		for _, f := range filters() {
			regexes = append(regexes, []string{"fail2ban-regex", "-c", b.folder, short, f})
		}
		all = append(all,
			&measurement{what: "fail2ban-regex, three filters, summed", percent: p, lines: b.few, commands: regexes, clock: theirClock, slow: true},
			&measurement{what: "sshguard's parser, its own grammar", percent: p, lines: b.few, commands: [][]string{{b.parser}}, stdin: short},
			&measurement{what: "ripgrep -c -F, the literals of the three", percent: p, lines: b.lines, commands: [][]string{{"rg", "-j1", "-c", "-F", "-f", b.literals, long}}},
		)
	}
	return all
}

// What edgeban does.
const (
	alone  = "three filters"
	shared = "three filters, on two cores"
	inTwo  = "three filters, two files of half the lines, on two cores"
	inOne  = "three filters, two files of half the lines, on one core"
	apart  = "three filters, two processes at once, half the lines each"
	twice  = "three filters, two whole files, on two cores"
	onOne  = "three filters, two whole files, on one core"
)

// replays are those of edgeban; what others are compared with is the first.
func (b *bench) replays(percent int) []*measurement {
	long, half1, half2 := b.log(percent, b.lines), b.half(percent, 1), b.half(percent, 2)
	replay := func(what string, cores int, args ...string) *measurement {
		args = append([]string{b.edgeban, "replay", "--fail2ban"}, args...)
		return &measurement{what: "edgeban, " + what, percent: percent, lines: b.lines, cores: cores, commands: [][]string{args}, clock: ourClock}
	}
	each := replay(apart, 1, b.folder, jails(), half1)
	each.commands, each.atOnce = append(each.commands, replay("", 1, b.folder, jails(), half2).commands...), true
	two, one := replay(twice, 2, b.folder, jails(), long, b.second(percent)), replay(onOne, 1, b.folder, jails(), long, b.second(percent))
	two.lines, one.lines = 2*b.lines, 2*b.lines
	return []*measurement{
		replay(alone, 1, b.folder, jails(), long),
		replay(shared, 2, b.folder, jails(), long),
		replay(inTwo, 2, b.folder, jails(), half1, half2),
		replay(inOne, 1, b.folder, jails(), half1, half2),
		each,
		two,
		one,
		replay("all stock filters on one file", 1, b.all, "--all", long),
	}
}

// turns is how many a measurement has in a round. What takes a tenth of a second differs
// by a fifth from one to the next where others use the machine, too.
const turns = 8

// measure runs all of them in turn, round after round, so that a busy minute of
// the machine is nobody's alone. A turn that does not count warms the caches.
func (b *bench) measure(ctx context.Context, all []*measurement) error {
	for round := range b.rounds + 1 {
		say("round %d of %d", round, b.rounds)
		for turn := range turns {
			for _, m := range all {
				if turn > 0 && (m.slow || round == 0) {
					continue
				}
				took, err := b.once(ctx, m)
				if err != nil {
					return err
				}
				if round > 0 {
					m.took = append(m.took, took)
				}
			}
		}
	}
	return nil
}

func (b *bench) once(ctx context.Context, m *measurement) (total time.Duration, err error) {
	n := len(m.commands)
	took, peaks, errs := make([]time.Duration, n), make([]int64, n), make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { took[i], peaks[i], errs[i] = b.time(ctx, m, i) })
		if !m.atOnce {
			running.Wait()
		}
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("%s: %w", m.what, err)
	}
	m.peak = max(m.peak, slices.Max(peaks))
	if m.atOnce {
		return slices.Max(took), nil
	}
	for _, t := range took {
		total += t
	}
	return total, nil
}

// time runs one of the commands. It returns how long it took, and the most memory that it
// had, in KiB.
func (b *bench) time(ctx context.Context, m *measurement, nth int) (took time.Duration, peak int64, err error) {
	args := m.commands[nth]
	out, err := os.Create(filepath.Join(b.dir, fmt.Sprint("out", nth))) // no pipe: nobody has to read meanwhile
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Env = out, os.Environ()
	if m.cores > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(m.cores))
	}
	if m.stdin != "" {
		in, err := os.Open(m.stdin)
		if err != nil {
			return 0, 0, err
		}
		defer in.Close()
		cmd.Stdin = in
	}
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%q: %w", args, err)
	}
	took = time.Since(began)
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = int64(use.Maxrss) //nolint:unconvert // it is an int32 on smaller machines
	}
	if m.clock != nil {
		var text string
		if text, err = tail(out); err == nil {
			took, err = said(m.clock, text)
		}
	}
	return took, peak, err
}

// tail returns the end of a file. Were all read, this program would grow, and its children
// begin with as much as it has.
func tail(f *os.File) (string, error) {
	const most = 16 << 10
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-most)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	return string(text), err
}

// said returns the time that a clock finds in what was printed.
func said(clock *regexp.Regexp, text string) (time.Duration, error) {
	s := clock.FindStringSubmatch(text)
	if s == nil {
		return 0, fmt.Errorf("nothing matches %s", clock)
	}
	if !strings.HasSuffix(s[1], "s") {
		s[1] += "s"
	}
	return time.ParseDuration(s[1])
}

// median of the times of a measurement.
func (m *measurement) median() time.Duration { return median(m.took) }

func median[E cmp.Ordered](all []E) E {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// against returns how many times as fast m is as another that has as many turns: the
// median of those of each turn, in which the machine was the same to both.
func (m *measurement) against(o *measurement) float64 {
	var all []float64
	for i := range m.took {
		all = append(all, o.took[i].Seconds()/m.took[i].Seconds())
	}
	return median(all)
}

// rate is lines a second.
func (m *measurement) rate(d time.Duration) float64 { return float64(m.lines) / d.Seconds() }
