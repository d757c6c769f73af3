package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

type options struct {
	lines   int
	percent float64 // of them fail
	seed    uint64
}

// A line is what a service writes, after the stamp and the host.
type line struct {
	text  string
	fails string // the service that it tells a failed login of, or ""
}

// A kind is some sort of session, and how many of all lines are the lines of it
// that count.
type kind struct {
	session func(*traffic) []line
	share   float64
	lines   int // that count, in a session
}

// kinds is what goes on; where nothing of it is due, mail is delivered. Of ten
// failing lines six are sshd's. Of the others every twelfth is of a login by ssh, of
// which three lines hold words that filters look for, and every twelfth the end of a
// session of Dovecot's, which holds one.
func kinds(fails float64) []kind {
	well := (1 - fails) / 12
	return []kind{
		{(*traffic).guessSSH, 0.6 * fails, 3},
		{(*traffic).guessSMTP, 0.2 * fails, 1},
		{(*traffic).guessIMAP, 0.2 * fails, 1},
		{(*traffic).loginSSH, well, 3},
		{(*traffic).loginIMAP, well, 1},
	}
}

func services() []string { return []string{"sshd", "postfix", "dovecot"} }

// write writes a log, and returns how many lines of each service fail.
func write(w io.Writer, o options) (fails map[string]int, err error) {
	const aSecond = 50 // lines
	t := newTraffic(o.seed)
	all := kinds(o.percent / 100)
	begun := make([]int, len(all)) // lines that count
	var later [256][]line          // by when they are due
	var due []line
	fails = map[string]int{}
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range o.lines {
		now := &later[i%len(later)]
		due, *now = append(due, *now...), nil
		if len(due) == 0 {
			begin := (*traffic).deliver
			for k := range all {
				if float64(begun[k]) < all[k].share*float64(i) {
					begin, begun[k] = all[k].session, begun[k]+all[k].lines
					break
				}
			}
			when := i
			for _, l := range begin(t) {
				later[when%len(later)] = append(later[when%len(later)], l)
				when += 1 + t.rnd.IntN(50)
			}
			due, *now = *now, nil
		}
		l := due[0]
		due = due[1:]
		if l.fails != "" {
			fails[l.fails]++
		}
		stamp := at.Add(time.Duration(i/aSecond) * time.Second).Format(time.Stamp)
		if _, err := fmt.Fprintf(w, "%s mx %s\n", stamp, l.text); err != nil {
			return fails, err
		}
	}
	return fails, nil
}

// traffic is who comes, and what the machine gives them.
type traffic struct {
	rnd       *rand.Rand
	attackers []string
	busy      [20]int // attackers that come again and again
	pid       int
}

const attackers = 5000

func newTraffic(seed uint64) *traffic {
	t := &traffic{rnd: rand.New(rand.NewPCG(seed, 0)), pid: 1000}
	for i := range attackers {
		if i%10 == 0 {
			t.attackers = append(t.attackers, fmt.Sprintf("2001:db8:%x:%x::%x", 0x100+i, t.rnd.IntN(0xffff), 1+t.rnd.IntN(0xffff)))
			continue
		}
		n := 26*i + t.rnd.IntN(26) // in the network that benchmarks have, 198.18.0.0/15
		t.attackers = append(t.attackers, fmt.Sprintf("198.%d.%d.%d", 18+n>>16, n>>8&0xff, n&0xff))
	}
	for i := range t.busy {
		t.busy[i] = t.rnd.IntN(attackers)
	}
	return t
}

// attacker returns an address: every other time one that has come lately.
func (t *traffic) attacker() string {
	if t.rnd.IntN(2) == 0 {
		return t.attackers[t.rnd.IntN(attackers)]
	}
	i := t.rnd.IntN(len(t.busy))
	if t.rnd.IntN(20) == 0 {
		t.busy[i] = t.rnd.IntN(attackers)
	}
	return t.attackers[t.busy[i]]
}

// client returns the address of somebody who may come in.
func (t *traffic) client() string {
	if t.rnd.IntN(8) == 0 {
		return fmt.Sprintf("2001:db8:1::%x", 1+t.rnd.IntN(200))
	}
	return fmt.Sprintf("203.0.113.%d", 1+t.rnd.IntN(250))
}

// process returns a number that no process had lately.
func (t *traffic) process() int {
	if t.pid += 1 + t.rnd.IntN(4); t.pid > 4_000_000 {
		t.pid = 1000
	}
	return t.pid
}

func (t *traffic) port() int { return 32768 + t.rnd.IntN(28000) }

func (t *traffic) word(of ...string) string { return of[t.rnd.IntN(len(of))] }

func (t *traffic) user() string {
	return t.word("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
}

// id is of letters and figures, as sessions and queues have it.
func (t *traffic) id(n int) string {
	const of = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = of[t.rnd.IntN(len(of))]
	}
	return string(b)
}
