package oracle

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// A treeRead is what fail2ban makes of a folder.
type treeRead struct {
	Error   string
	Endless bool // it would not end
	Jails   map[string]jailRead
}

// A jailRead is what it makes of one jail that is enabled.
type jailRead struct {
	Aside                  bool // the error is of what nothing uses here
	Error                  string
	Backend                string
	FailRegex, IgnoreRegex []string
	JournalMatch           [][]string
	IgnoreIP               []string
	LogPath                *string
	Set                    map[string]any
	Seconds                map[string]int64
	Actions                []actionRead
}

type actionRead struct {
	Name   string
	Params map[string]any
}

// setting returns a number from the environment, or what is usual.
func setting(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// EDGEBAN_TREES says how many trees are read, EDGEBAN_SEED from which on.
func TestRandomTreesAreReadAsByFail2ban(t *testing.T) {
	t.Parallel()
	n, from := setting(t, "EDGEBAN_TREES", 2500), setting(t, "EDGEBAN_SEED", 0)
	c := &comparison{p: oracle(t), dir: filepath.Join(t.TempDir(), "f"), purposes: map[string]int{}}
	bad := 0
	for seed := from; seed < from+n && bad < 6; seed++ {
		tr := grow(seed)
		c.trees++
		why := c.tree(t, tr)
		if why == "" {
			continue
		}
		bad++
		small := shrink(t, tr, c, class(why))
		t.Errorf("seed %d: %s\nthe smallest tree with such a difference: %s\n%s", seed, why, c.quiet(t, small), small)
	}
	t.Logf("%d trees: %d as a whole wrong for both, %d without end; %d jails equal, %d wrong for both", c.trees, c.whole, c.endless, c.equal, c.wrong)
	for _, p := range sorted(c.purposes) {
		t.Logf("%d jails differ on purpose: %s", c.purposes[p], p)
	}
}

func TestEveryStockJailIsReadAsByFail2ban(t *testing.T) {
	t.Parallel()
	p := oracle(t)
	for _, own := range []string{
		"backend = auto\n",
		"backend = systemd\n",
		"backend = polling\nmode = aggressive\naction = %(action_mwl)s\nusedns = no\nbantime.increment = true\n",
		"action = iptables-multiport[name=x, port=\"1,2\"]\n         sendmail-whois[sender=a, actname='b c']\n",
	} {
		c := &comparison{p: p, dir: t.TempDir(), purposes: map[string]int{}}
		linkStock(t, c.dir)
		tree{"jail.local": "[DEFAULT]\nenabled = true\n" + own}.add(t, c.dir)
		if why := c.folder(t); why != "" {
			t.Errorf("%s: %s", own, why)
		}
		t.Logf("%q: %d jails equal, %d wrong for both, on purpose %v", own, c.equal, c.wrong, c.purposes)
	}
}

// A comparison reads trees by both readers, and counts.
type comparison struct {
	p                                   *python
	dir                                 string
	trees, whole, endless, equal, wrong int
	purposes                            map[string]int
}

// quiet compares without counting.
func (c *comparison) quiet(t *testing.T, tr tree) string {
	aside := comparison{p: c.p, dir: c.dir, purposes: map[string]int{}}
	return aside.tree(t, tr)
}

// class is the kind of a difference, which stays when the tree is shrunk.
func class(why string) string {
	_, what, _ := strings.Cut(why, ": ")
	what, _, _ = strings.Cut(what, "\n")
	what, _, _ = strings.Cut(what, " ")
	return what
}

// shrink takes lines and files away while the difference stays, and patience lasts.
func shrink(t *testing.T, tr tree, c *comparison, kind string) tree {
	tries := 1500
	differs := func(tr tree) bool {
		tries--
		why := c.quiet(t, tr)
		return why != "" && class(why) == kind
	}
	for smaller := true; smaller; {
		smaller = false
		for _, name := range sorted(tr) {
			lines := strings.SplitAfter(tr[name], "\n")
			for size := len(lines); size > 0; size /= 2 {
				for i := 0; i+size <= len(lines) && tries > 0; {
					less := slices.Concat(lines[:i], lines[i+size:])
					try := maps.Clone(tr)
					if try[name] = strings.Join(less, ""); len(less) == 0 || try[name] == "" {
						delete(try, name)
					}
					if tr[name] != "" && differs(try) {
						tr, lines, smaller = try, less, true
						continue
					}
					i += size
				}
			}
		}
	}
	return tr
}

// tree compares what both make of a tree, and says where they differ.
func (c *comparison) tree(t *testing.T, tr tree) string {
	t.Helper()
	tr.write(t, c.dir)
	return c.folder(t)
}

// folder compares what both make of the folder.
func (c *comparison) folder(t *testing.T) string {
	t.Helper()
	var want treeRead
	c.p.ask(t, map[string]any{"do": "read", "dir": c.dir}, &want)
	if want.Endless {
		c.endless++
		c.p = oracle(t) // the other one may be out of memory
		return ""
	}
	got, err := fail2ban.Read(c.dir, os.Getuid())
	if (err != nil) != (want.Error != "") {
		return fmt.Sprintf("folder: whole: got %v, want %q", err, want.Error)
	}
	if err != nil {
		c.whole++
		return ""
	}
	have := map[string]fail2ban.Resolved{}
	for _, r := range got.Resolved() {
		have[r.Jail] = r
	}
	if a, b := sorted(have), sorted(want.Jails); !slices.Equal(a, b) {
		return fmt.Sprintf("folder: enabled jails: got %q, want %q", a, b)
	}
	for _, name := range sorted(have) {
		if why := c.jail(have[name], want.Jails[name]); why != "" {
			return name + ": " + why
		}
	}
	return ""
}

// A purpose is a difference that is one on purpose: what our reader or fail2ban
// says tells it.
type purpose struct {
	rule         string
	ours, theirs string // what the reason holds
}

var purposes = []purpose{
	{"no other journal is read than the system's", "no other journal", ""},
	{"what is not read of the journal may be wrong", "", "No closing quotation"},
	{"what is not read of the journal may be wrong", "", "No escaped character"},
	{"quotes in what is read of the journal are not understood", "journalmatch: ", ""},
	{"who is to be let in is not banned instead", "opens the firewall", ""},
	{"no command says whom to spare", "ignorecommand: edgeban runs no command", ""},
	{"a jail without a logpath cannot be watched", "has no logpath", ""},
	{"a jail without a failregex bans nobody", "has no failregex", ""},
	{"a section that cannot be a jail's name", "rename the section", ""},
	{"a findtime of no time at all", "findtime: is no time", ""},
	{"an empty logencoding is the usual one", "", "LookupError('unknown encoding: ')"},
	{"how many lines are kept of a failure does not matter", "", "maxmatches:"},
	{"a missing action is no reason to ban nobody", "", "Unable to read action"},
	{"an action that cannot be understood is no reason to ban nobody", "", "Error in action definition"},
}

// jail compares one jail.
func (c *comparison) jail(got fail2ban.Resolved, want jailRead) string {
	if (got.Reason != "") != (want.Error != "") {
		if want.Aside {
			c.purposes["what nothing uses, or [Init] says, may be wrong at first"]++
			return ""
		}
		if growing.MatchString(want.Error) && got.Options["bantime.increment"] != "true" {
			c.purposes["the growth of a bantime that does not grow may be wrong"]++
			return ""
		}
		if conditional.MatchString(want.Error) {
			c.purposes["a parameter may have a condition, as in later releases"]++
			return ""
		}
		if capitals.MatchString(want.Error) {
			c.purposes["a section with capitals can be named"]++
			return ""
		}
		if spaced.MatchString(want.Error) {
			c.purposes["a space before the [ of parameters does not belong to the name"]++
			return ""
		}
		for _, p := range purposes {
			if p.ours != "" && strings.Contains(got.Reason, p.ours) || p.theirs != "" && strings.Contains(want.Error, p.theirs) {
				c.purposes[p.rule]++
				if want.Error != "" || !strings.Contains(got.Reason, "journal") {
					return ""
				}
				return c.values(got, want)
			}
		}
		return fmt.Sprintf("reason: got %q, want %q", got.Reason, want.Error)
	}
	if want.Error != "" {
		c.wrong++
		return ""
	}
	if why := c.values(got, want); why != "" {
		return why
	}
	c.equal++
	return ""
}

// growing finds an error of what makes a bantime grow.
var growing = regexp.MustCompile(`^ValueError\(["']bantime\.`)

// conditional finds an error of parameters with a condition.
var conditional = regexp.MustCompile(`(?s)(syntax.*\?family=|\?family=.*syntax|'[^']*,': unexpected option syntax)`)

// capitals finds an error of a reference to a section whose name has capitals.
var capitals = regexp.MustCompile(`interpolation key '(three|definition|init)/`)

// spaced finds an error of a filter whose name ends in a space.
var spaced = regexp.MustCompile(`Unable to read the filter '[^']* '`)

// own are the options that are compared in another way.
var own = []string{"usedns", "prefregex", "maxlines", "datepattern", "backend", "filter", "logpath", "enabled", "ignoreip", "action", "journalmatch", "failregex", "ignoreregex"}

func (c *comparison) values(got fail2ban.Resolved, want jailRead) string {
	if why := differ(got.Rules, want); why != "" {
		return why
	}
	a, b := maps.Clone(got.Options), map[string]string{}
	for k, v := range want.Set {
		if v != nil {
			b[k] = strings.ToLower(fmt.Sprint(v))
			if _, isTruth := v.(bool); !isTruth {
				b[k] = fmt.Sprint(v)
			}
		}
	}
	for _, k := range own {
		delete(a, k)
		delete(b, k)
	}
	if !maps.Equal(a, b) {
		return fmt.Sprintf("options\n got  %q\n want %q", a, b)
	}
	if got.Backend != want.Backend {
		return fmt.Sprintf("backend: got %q, want %q", got.Backend, want.Backend)
	}
	if !slices.Equal(got.IgnoreIP, want.IgnoreIP) {
		return fmt.Sprintf("ignoreip: got %q, want %q", got.IgnoreIP, want.IgnoreIP)
	}
	if a, b := got.LogPath, logPaths(want.LogPath); !slices.Equal(a, b) {
		return fmt.Sprintf("logpath: got %q, want %q", a, b)
	}
	if j := got.Translation; j != nil {
		if why := paces(*j, want.Seconds); why != "" {
			return why
		}
	}
	return actionsDiffer(got.Actions, want.Actions)
}

func logPaths(text *string) []fail2ban.LogPath {
	var all []fail2ban.LogPath
	if text == nil {
		return nil
	}
	for line := range strings.SplitSeq(*text, "\n") {
		glob, from := line, "head"
		if i := strings.LastIndexByte(line, ' '); i >= 0 {
			glob, from = line[:i], line[i+1:]
		}
		if glob != "" {
			all = append(all, fail2ban.LogPath{Glob: glob, From: from})
		}
	}
	return all
}

func paces(j config.Jail, want map[string]int64) string {
	got := map[string]time.Duration{"findtime": j.FindTime, "bantime": j.BanTime}
	for _, k := range sorted(got) {
		w, ok := want[k]
		if !ok {
			continue
		}
		d := time.Duration(w) * time.Second
		if w < 0 {
			d = config.Forever
		}
		if got[k] != d {
			return fmt.Sprintf("%s: got %v, want %v", k, got[k], d)
		}
	}
	return ""
}

func actionsDiffer(got []fail2ban.Action, want []actionRead) string {
	if len(got) != len(want) {
		return fmt.Sprintf("actions: got %d, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		a, b := map[string]string{}, map[string]string{}
		for k, v := range g.Params {
			if k != "actname" || !strings.HasSuffix(g.Name, ".py") {
				a[k] = v.Reveal()
			}
		}
		for k, v := range w.Params {
			b[k] = fmt.Sprint(v)
		}
		if g.Name != w.Name || !maps.Equal(a, b) {
			return fmt.Sprintf("actions\n got  %s %q\n want %s %q", g.Name, a, w.Name, b)
		}
	}
	return ""
}
