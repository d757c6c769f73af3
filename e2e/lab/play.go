package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/e2e/lab/stage"
	"github.com/edgeban/edgeban/internal/web"
)

// A Scenario is an attack, or what looks like one, and what must come of it.
type Scenario struct {
	Name  string
	From  Place
	Door  client.Door // where an attacker inside is watched
	Steps []Step
	Want  Verdict
	May   []string // what may open again for a moment, for one who is shut out
	Alone bool     // it disturbs others
}

// A Place is where a client is.
type Place int

// The places of clients.
const (
	IPv4 Place = iota
	IPv6
	LAN       // a client inside that connects to the mail host itself
	Reflected // one that connects to the public address, and looks like the edge
)

// A Verdict is what becomes of an address.
type Verdict string

// The verdicts.
const (
	Banned Verdict = "banned" // its packets are dropped, and a phone was told
	Spared Verdict = "spared" // not banned, nor anybody else
	Freed  Verdict = "freed"  // banned, and let in again
	Shut   Verdict = "shut"   // it is inside: the doors are shut for it, the edge is not; a phone was told
)

// A Step is what happens next.
type Step func(context.Context, *Play) error

// A Lab plays scenarios on a stage.
type Lab struct{ *stage.Stage }

// A Play is a scenario under way.
type Play struct {
	*Lab
	Client *client.Client
	Probe  *client.Probe // of attackers in the internet
	Siege  *Siege        // of those inside

	guessed time.Time // when the last wrong password was sent
	notes   []string
}

// A Result is how a scenario went.
type Result struct {
	Scenario
	Addr     netip.Addr
	Subject  netip.Prefix // what was banned
	Failures int
	Latency  time.Duration // from the deciding line to the first packet that was dropped
	Took     time.Duration
	Notes    []string
	Err      error
}

// note adds to what the table says.
func (p *Play) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// together is how many scenarios are played at a time.
const together = 3

// playAll plays the scenarios whose name matches, first those that disturb nobody.
func (l *Lab) playAll(ctx context.Context, only *regexp.Regexp) []Result {
	all := slices.DeleteFunc(scenarios(), func(s Scenario) bool { return !only.MatchString(s.Name) })
	results := make([]Result, len(all))
	var group errgroup.Group
	group.SetLimit(together)
	for i, s := range all {
		if !s.Alone {
			group.Go(func() error {
				results[i] = l.play(ctx, s)
				return nil
			})
		}
	}
	_ = group.Wait() // errors are in the results
	for i, s := range all {
		if s.Alone {
			results[i] = l.play(ctx, s)
		}
	}
	results = append(results, l.nobodyElse(ctx, results), l.allTold(ctx, results))
	if l.Engine != nil {
		results = append(results, Result{Scenario: Scenario{Name: "edgeban has no privilege", Want: Spared}, Err: l.Engine.Unprivileged("edgeban")})
	}
	return results
}

// client returns one at a place. Each in the internet has an address of its own.
func (l *Lab) client(p Place) *client.Client {
	switch p {
	case LAN:
		return &client.Client{Net: l.Nets["lan"], From: netip.AddrFrom4([4]byte{192, 168, 77, byte(l.NextInside())}), Server: stage.MailHost}
	case Reflected:
		return &client.Client{Net: l.Nets["lan"], From: netip.MustParseAddr(stage.LANPhone), Server: stage.EdgeWAN}
	}
	n := l.NextAttacker()
	if p == IPv6 {
		return &client.Client{Net: l.Nets["inet"], From: netip.MustParseAddr(fmt.Sprintf("2001:db8:113:%x::a", n)), Server: stage.MailIPv6}
	}
	return &client.Client{Net: l.Nets["inet"], From: netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", n)), Server: stage.EdgeWAN}
}

func (l *Lab) play(ctx context.Context, s Scenario) Result {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	p := &Play{Lab: l, Client: l.client(s.From)}
	r := Result{Scenario: s, Addr: p.Client.From}
	switch s.Want {
	case Banned:
		p.Probe, r.Err = client.NewProbe(ctx, p.Client, l.Sink)
	case Shut:
		p.Siege, r.Err = p.besiege(ctx, s.Door)
	}
	for _, step := range s.Steps {
		if r.Err == nil {
			r.Err = step(ctx, p)
		}
	}
	if r.Err == nil {
		r.Err = p.judge(ctx, &r)
	}
	r.Took, r.Notes = time.Since(began), p.notes
	fmt.Printf("%6.1f s  %-50s %s\n", r.Took.Seconds(), s.Name, verdict(r))
	return r
}

func (p *Play) judge(ctx context.Context, r *Result) error {
	switch r.Want {
	case Banned:
		return p.banned(ctx, r)
	case Shut:
		return p.shutOut(ctx, r)
	}
	return p.admitted(ctx, r)
}

// banned waits for the ban, for its packets to be dropped, and proves that no new
// connection gets through.
func (p *Play) banned(ctx context.Context, r *Result) error {
	var bans []web.Ban
	if err := stage.Within(ctx, 15*time.Second, func() bool { bans = p.bans(ctx); return len(bans) > 0 }); err != nil {
		return errors.New("edgeban has no ban")
	}
	var dropped time.Time
	var lost error
	if err := stage.Within(ctx, 70*time.Second, func() bool { dropped, lost = p.Probe.Dropped(); return !dropped.IsZero() }); err != nil {
		return errors.Join(errors.New("its packets are not dropped"), lost)
	}
	if conn, err := p.Client.Dial(ctx, imaps); err == nil {
		return errors.Join(errors.New("a new connection gets through"), conn.Close())
	}
	line, ban, err := p.deciding(bans)
	if err != nil {
		return err
	}
	r.Subject, r.Failures = ban.Subject, ban.Failures
	r.Latency = dropped.Sub(line.At)
	return nil
}

// bans returns what contains the client.
func (p *Play) bans(ctx context.Context) []web.Ban {
	bans, _ := p.API.Bans(ctx) // whoever waits for one asks again
	return slices.DeleteFunc(bans, func(b web.Ban) bool { return !b.Subject.Contains(p.Client.From) || b.Subject.Bits() == 0 })
}

// deciding returns the line that made the first of some bans due, and that ban. Both
// jails count the logins of client.SMTP, Postfix 2 s later.
func (p *Play) deciding(bans []web.Ban) (first stage.Line, of web.Ban, err error) {
	for _, b := range bans {
		lines := p.failures(b.Jail)
		if b.Failures < 1 || len(lines) < b.Failures {
			return first, of, fmt.Errorf("jail %s counts %d failures, its log has %d", b.Jail, b.Failures, len(lines))
		}
		if line := lines[b.Failures-1]; first.At.IsZero() || line.At.Before(first.At) {
			first, of = line, b
		}
	}
	return first, of, nil
}

// failures returns the lines of failed logins of the client in the log of a jail.
func (p *Play) failures(jail string) []stage.Line {
	is := regexp.MustCompile(`auth: Info: [\w-]+\(.*,` + regexp.QuoteMeta(p.Client.From.String()) + `[,)]`)
	switch jail {
	case "traefik":
		is = regexp.MustCompile(`"ClientAddr":"` + regexp.QuoteMeta(p.Client.From.String()) + `:.*"DownstreamStatus":401,`)
	case "postfix":
		addr := `\[` + regexp.QuoteMeta(p.Client.From.String()) + `\]: `
		is = regexp.MustCompile(addr + `SASL \w+ authentication failed`)
	}
	return p.Logs.Of(jail+".log", is.MatchString)
}

// admitted looks whether the client can connect and nobody bans it.
func (p *Play) admitted(ctx context.Context, r *Result) error {
	if bans := p.bans(ctx); len(bans) > 0 {
		return fmt.Errorf("banned by %s: %s", bans[0].Jail, bans[0].Reason)
	}
	if p.Edge.Holds(p.Client.From) {
		return errors.New("the firewall holds it")
	}
	r.Failures = len(p.failures("dovecot"))
	s, err := p.Client.Open(ctx, imaps, "")
	if err != nil {
		return fmt.Errorf("it cannot connect any more: %w", err)
	}
	s.Close()
	return nil
}

// messages returns how many a phone got that name an address.
func (l *Lab) messages(what string) int {
	n := 0
	for _, m := range l.Ntfy.Messages(stage.Topic) {
		if strings.Contains(m.Title+"\n"+m.Message, what) {
			n++
		}
	}
	return n
}

// nobodyElse holds all bans to those that were wanted: nobody was framed, and no
// proxy, bridge or router was banned.
func (l *Lab) nobodyElse(ctx context.Context, results []Result) Result {
	r := Result{Scenario: Scenario{Name: "nobody else was ever banned", Want: Spared}}
	wanted := func(a netip.Addr, but ...Verdict) bool {
		return slices.ContainsFunc(results, func(r Result) bool { return r.Want != Spared && r.Addr == a && !slices.Contains(but, r.Want) })
	}
	for _, req := range l.Edge.API.Requests() {
		if !strings.Contains(req.Path, "alias_util/add") {
			continue
		}
		for _, text := range addresses.FindAllString(req.Body, -1) {
			p, err := netip.ParsePrefix(text)
			if a, single := netip.ParseAddr(text); single == nil {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if canary.Contains(p.Addr()) {
				continue
			}
			if err == nil && !slices.ContainsFunc(results, func(r Result) bool { return wanted(r.Addr, Shut) && p.Contains(r.Addr) }) {
				r.Err = errors.Join(r.Err, fmt.Errorf("%s was sent to the firewall", p))
			}
		}
	}
	bans, err := l.API.Bans(ctx)
	r.Err = errors.Join(r.Err, err)
	for _, b := range bans {
		if !slices.ContainsFunc(results, func(r Result) bool { return wanted(r.Addr) && b.Subject.Contains(r.Addr) }) {
			r.Err = errors.Join(r.Err, fmt.Errorf("%s is banned by %s", b.Subject, b.Jail))
		}
	}
	return r
}

// canary is the network of documentation in which the doctor tries the firewall.
var canary = netip.MustParsePrefix("192.0.2.0/24")

var addresses = regexp.MustCompile(`[0-9a-f]*[.:][0-9a-f.:]+(?:/\d+)?`)

// allTold waits until a phone was told of every ban.
func (l *Lab) allTold(ctx context.Context, results []Result) Result {
	r := Result{Scenario: Scenario{Name: "ntfy received a notice of each ban", Want: Banned}}
	for _, b := range results {
		if !b.Subject.IsValid() || b.Err != nil {
			continue
		}
		name := strings.TrimSuffix(b.Subject.String(), "/32")
		if err := stage.Within(ctx, time.Minute, func() bool { return l.messages(name) > 0 }); err != nil {
			r.Err = errors.Join(r.Err, fmt.Errorf("no message about %s", name))
		}
		if n := l.messages(name); b.Want == Shut && n > 1 {
			r.Err = errors.Join(r.Err, fmt.Errorf("%d messages about %s, want one", n, name))
		}
		r.Failures++
	}
	for _, odd := range l.Ntfy.Odd() {
		r.Err = errors.Join(r.Err, errors.New(odd))
	}
	return r
}
