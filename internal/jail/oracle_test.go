package jail

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// upstream drives fail2ban's own classes; what its threads do happens at once. It
// prints each new or longer ban as [jail, failure, end], in seconds.
const upstream = `
import sys, json, logging
sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)
from fail2ban.server.jail import Jail
from fail2ban.server.database import Fail2BanDb
from fail2ban.server.ticket import FailTicket
from fail2ban.server.mytime import MyTime
from fail2ban.server import observer

class Now(observer.ObserverThread):
    def __init__(self): self.later = []
    def add(self, what, *args): self.later.append((what, args))
    def add_timer(self, *args): pass
    def settle(self):
        while self.later:
            what, args = self.later.pop(0)
            getattr(self, what)(*args)

def play(case, db, name):
    jails = {}
    for n in ('a', 'b'):
        j = jails[n] = Jail(n + name, backend='polling', db=db)
        db.addJail(j)
        j.isAlive = lambda: True
        j.filter.performSvc = lambda *_: None
        j.filter.setMaxRetry(case['maxretry'])
        j.filter.setFindTime(case['findtime'])
        j.actions.setBanTime(case['bantime'])
        for k, v in case['extra'].items():
            j.setBanTimeExtra(k, v)
    ip, ends, out = '192.0.2.1', {}, []
    main = observer.Observers.Main = Now()
    for n, t, read in case['failures']:
        MyTime.setTime(read + 0.5)
        db.purge()
        for j in jails.values():
            j.actions._Actions__checkUnBan(1000)
        j = jails[n]
        j.filter.failManager.cleanup(t + 0.5) # what performSvc does every few seconds
        tick = FailTicket(ip, t, data={})
        if j.filter.failManager.addFailure(tick) >= case['maxretry']:
            j.filter.performBan(tick.getID())
        main.add('failureFound', j, tick)
        main.settle()
        tick.setBanCount(0, always=True) # else it would outlive the purge of what it stands for
        j.actions._Actions__checkBan()
        main.settle()
        for ticket in j.actions.banManager:
            end = ticket.getEndOfBanTime(case['bantime'])
            key = (n, ticket.getTime())
            if ends.get(key) != end:
                ends[key] = end
                out.append([n, t, end])
    return out

db = Fail2BanDb(':memory:')
for i, line in enumerate(sys.stdin):
    case = json.loads(line)
    db._purgeAge = case['purgeage']
    db._db.execute('delete from bips')
    print(json.dumps(play(case, db, str(i))), flush=True)
`

// A trial is the settings of two jails and the failures of one address in them.
type trial struct {
	MaxRetry int               `json:"maxretry"`
	FindTime int               `json:"findtime"`
	BanTime  int               `json:"bantime"`
	PurgeAge int               `json:"purgeage"`
	Extra    map[string]string `json:"extra"`
	Failures [][3]any          `json:"failures"` // jail, stamp, when it was read

	rules config.Jail
}

func randomTrial(r *rand.Rand) trial {
	c := config.NewJail("a")
	c.LogPath, c.Count = []string{"/log"}, config.Rate
	tr := trial{MaxRetry: 1 + r.IntN(6), FindTime: 10 + r.IntN(600), BanTime: 40 + r.IntN(900), PurgeAge: 86400, Extra: map[string]string{}}
	if r.IntN(3) == 0 {
		tr.PurgeAge = 1 + r.IntN(4000)
	}
	c.MaxRetry, c.FindTime = tr.MaxRetry, time.Duration(tr.FindTime)*time.Second
	late := r.IntN(4) == 0 // some lines come out of order; the bans are long then, as the fold knows no time but the lines'
	if late {
		tr.BanTime *= 100
	}
	c.BanTime = time.Duration(tr.BanTime) * time.Second
	if r.IntN(4) > 0 {
		c.Increment = tr.increment(r, !late)
	} else {
		c.Increment = config.Increment{}
	}
	at, step := 1_700_000_000, []int{2, 60, 300, 2000}[r.IntN(4)]
	name := "a"
	for range 120 {
		at += r.IntN(step)
		if r.IntN(20) == 0 {
			at += r.IntN(20_000)
		}
		if r.IntN(3) == 0 {
			name = map[string]string{"a": "b", "b": "a"}[name]
			at++
		}
		when := at
		if late && r.IntN(5) == 0 {
			when -= r.IntN(30)
		}
		tr.Failures = append(tr.Failures, [3]any{name, when, at})
	}
	tr.rules = c
	return tr
}

// increment draws how the bantime grows, and says it in fail2ban's words too.
// All jails count where no line is late: of two bans at a time, or out of order,
// fail2ban forgets one.
func (tr *trial) increment(r *rand.Rand, overall bool) config.Increment {
	in := config.Increment{Enabled: true, Factor: 1}
	tr.Extra["increment"] = "true"
	switch r.IntN(5) {
	case 0:
		in.Factor = 1.5
		tr.Extra["factor"] = "1.5"
	case 1:
		in.Multipliers = []int{1, 2, 3, 10}
		tr.Extra["multipliers"] = "1 2 3 10"
	case 2:
		in.Formula = "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)"
		tr.Extra["formula"] = in.Formula
	}
	if r.IntN(2) == 0 {
		most := tr.BanTime * (1 + r.IntN(20))
		in.MaxTime = time.Duration(most) * time.Second
		tr.Extra["maxtime"] = fmt.Sprint(most)
	}
	if overall && in.Formula == "" && r.IntN(3) == 0 { // whose Count would soon be too large
		in.OverallJails = true
		tr.Extra["overalljails"] = "true"
	}
	return in
}

// bans plays the trial as a ledger would, in which each ban follows its cause.
func (tr trial) bans() (out [][3]any) {
	folds := map[string]*Jail{}
	for _, name := range []string{"a", "b"} {
		c := tr.rules
		c.Name = name
		folds[name] = New(c, time.Duration(tr.PurgeAge)*time.Second)
	}
	seq := edgeban.Seq(0)
	for _, f := range tr.Failures {
		m := failing("192.0.2.1", 0)
		m.Jail, m.Time = f[0].(string), time.Unix(int64(f[1].(int)), 0)
		seq++
		j, end := folds[m.Jail], int64(0)
		if r := j.record(m.Jail, keyOf(m.Subject)); r != nil {
			end = r.until
		}
		if b, ok := j.Observe(edgeban.Event{Seq: seq, Fact: m}); ok {
			seq++
			for _, j := range folds {
				j.Observe(edgeban.Event{Seq: seq, Fact: b})
			}
		}
		if r := j.record(m.Jail, keyOf(m.Subject)); r != nil && r.until != end {
			out = append(out, [3]any{m.Jail, float64(m.Time.Unix()), float64(r.until) / 1e9})
		}
	}
	return out
}

// TestRateBansWhenFail2banDoes holds the fold to fail2ban itself, where that is
// installed.
func TestRateBansWhenFail2banDoes(t *testing.T) {
	const home = "/usr/lib/python3/dist-packages"
	if _, err := os.Stat(home + "/fail2ban"); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(4, 2))
	var trials []trial
	var in strings.Builder
	for range 150 {
		tr := randomTrial(r)
		trials = append(trials, tr)
		if err := json.NewEncoder(&in).Encode(tr); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", upstream, home)
	cmd.Stdin, cmd.Stderr = strings.NewReader(in.String()), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	if len(lines) != len(trials) {
		t.Fatalf("fail2ban answered %d of %d trials", len(lines), len(trials))
	}
	total := 0
	for i, tr := range trials {
		var want [][3]any
		if err := json.Unmarshal([]byte(lines[i]), &want); err != nil {
			t.Fatal(err)
		}
		total += len(want)
		if got := tr.bans(); spell(got) != spell(want) {
			t.Errorf("trial %d, %+v:\ngot  %s\nwant %s", i, tr, spell(got), spell(want))
			break
		}
	}
	if total < 1000 {
		t.Errorf("%d bans in all trials, want enough to compare", total)
	}
}

func spell(bans [][3]any) string {
	var s strings.Builder
	for _, b := range bans {
		from := b[1].(float64)
		fmt.Fprintf(&s, "%v %.0f for %.2f\n", b[0], from, min(b[2].(float64)-from, 99*365*86400)) // we end after a century
	}
	return s.String()
}
