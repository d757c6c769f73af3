package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/e2e/lab/stage"
	"github.com/edgeban/edgeban/internal/web"
)

// What holds who is inside, as the table names it.
const (
	atTraefik = "Traefik"
	elsewhere = "its other ports"
	atPostfix = "Postfix"
	atDovecot = "Dovecot"
)

// tooLate is how long after the deciding password was sent a door may be open.
const tooLate = 2 * time.Second

// tooSlow is a login that hangs: Dovecot waits for us half a second for each of two
// questions, Postfix 2 s, and both may have to log in at each other.
const tooSlow = 5 * time.Second

// A Siege is an attacker inside, and what is watched of everybody from before the
// first failure to the end.
type Siege struct {
	friend   *Friend
	knockers []*Knocker
	cut      chan time.Time // when the session was ended that the attacker had before
}

// besiege opens a session for the attacker, who has a mailbox, and begins to watch. The
// doors behind Traefik are tried from Traefik's place: whoever is shut out there does
// not reach them.
func (p *Play) besiege(ctx context.Context, d client.Door) (*Siege, error) {
	session, err := p.enter(ctx, imaps)
	if err != nil {
		return nil, err
	}
	s := &Siege{cut: make(chan time.Time, 1), friend: &Friend{
		Client: &client.Client{Net: p.Nets["lan"], From: netip.MustParseAddr(stage.LANPhone), Server: stage.MailHost},
	}}
	go func() { // ends with ctx
		defer session.Close()
		if session.Wait(ctx) == nil {
			s.cut <- time.Now()
		}
	}()
	others := slices.DeleteFunc([]client.Door{smtp, imaps, smtps, submission, https}, func(o client.Door) bool { return o == d })
	s.knockers = []*Knocker{
		{Door: atTraefik, knock: func(ctx context.Context) error { return p.Client.Knock(ctx, d, "") }},
		{Door: elsewhere, knock: func(ctx context.Context) (err error) {
			for _, other := range others { // Postfix may refuse at some before Traefik does at all
				if err = p.Client.Knock(ctx, other, ""); err == nil {
					return nil
				}
			}
			return err
		}},
		{Door: atPostfix, knock: func(ctx context.Context) error {
			c, first, err := p.behind("172.30.0.3")
			if err != nil {
				return err
			}
			return c.Knock(ctx, smtp, first)
		}},
		{Door: atDovecot, knock: func(ctx context.Context) error {
			c, first, err := p.behind("172.30.0.4")
			if err != nil {
				return err
			}
			session, err := c.Open(ctx, imaps, first)
			if err != nil {
				return err
			}
			defer session.Close()
			ok, err := session.Login(stage.User, stage.Password)
			if err == nil && !ok {
				err = errors.New("the right password was refused")
			}
			return err
		}},
	}
	for _, k := range s.knockers {
		go k.run(ctx) // ends with it
	}
	go s.friend.work(ctx) // ends with it
	return s, nil
}

// enter opens a session for the attacker, who has a mailbox.
func (p *Play) enter(ctx context.Context, d client.Door) (session *client.Session, err error) {
	var last error
	err = stage.Within(ctx, 30*time.Second, func() bool { // what was played before may have restarted something
		session, last = p.Client.Open(ctx, d, "")
		return last == nil
	})
	if err != nil {
		return nil, last
	}
	if ok, err := session.Login(stage.User, stage.Password); err != nil || !ok {
		session.Close()
		return nil, fmt.Errorf("the attacker's own login: %t, %w", ok, err)
	}
	return session, nil
}

// mailing takes a step that shuts all doors for the attacker, while he has a session at
// Postfix: that takes no mail any more.
func mailing(s Step) Step {
	return func(ctx context.Context, p *Play) error {
		session, err := p.enter(ctx, smtps)
		if err != nil {
			return err
		}
		defer session.Close()
		if err := errors.Join(s(ctx, p), isShut(ctx, p)); err != nil {
			return err
		}
		if err := session.Send(stage.User, stage.User, "too late"); !client.TurnedAway(err) {
			return fmt.Errorf("a mail in a session of before: %w, want it to be turned away", cmp.Or(err, errors.New("it was taken")))
		}
		return nil
	}
}

// behind returns Traefik as a client of a server, and what it says first of the
// attacker.
func (p *Play) behind(server string) (*client.Client, string, error) {
	traefik, err := p.Services["traefik"].Network()
	if err != nil {
		return nil, "", err
	}
	c := &client.Client{Net: traefik, From: netip.MustParseAddr("172.30.0.2"), Server: server}
	return c, fmt.Sprintf("PROXY TCP4 %s 172.30.0.2 40000 993\r\n", p.Client.From), nil
}

// A Knocker tries a door again and again.
type Knocker struct {
	Door  string
	knock func(context.Context) error // nil if somebody opened

	mu     sync.Mutex
	shut   time.Time // since when nobody opens; zero while somebody does
	first  time.Time // when it was shut for the first time
	why    error     // how the first knock ended that nobody answered
	again  int       // how often somebody opened after that
	opened struct{ first, last time.Time }
}

// shutFor is how long nobody must have opened for a door to count as shut.
const shutFor = 300 * time.Millisecond

func (k *Knocker) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		err := k.knock(ctx)
		k.mu.Lock()
		switch {
		case err != nil && k.shut.IsZero():
			k.shut, k.why = began, err
		case err != nil && k.first.IsZero() && time.Since(k.shut) >= shutFor:
			k.first = k.shut
		case err == nil:
			k.shut = time.Time{}
			if !k.first.IsZero() {
				if k.again++; k.again == 1 {
					k.opened.first = began
				}
				k.opened.last = began
			}
		}
		k.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

// Forget begins anew: what was shut so far was shut for everybody.
func (k *Knocker) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shut, k.first, k.why, k.again = time.Time{}, time.Time{}, nil, 0
	k.opened.first, k.opened.last = time.Time{}, time.Time{}
}

// Again returns how often the door was opened after it was shut, and from the first to
// the last of these.
func (k *Knocker) Again() (n int, within time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.again, k.opened.last.Sub(k.opened.first)
}

// Shut reports whether the door is shut, and was for long enough.
func (k *Knocker) Shut() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.first.IsZero() && !k.shut.IsZero() && time.Since(k.shut) >= shutFor
}

// A Friend is another client inside, who goes on working.
type Friend struct {
	*client.Client
	resting sync.Mutex // held while nobody can work

	mu     sync.Mutex
	logins map[client.Door]int
	slow   time.Duration // the slowest login
	err    error
}

// work logs in through every door, with the right password, until ctx is done. The page
// is asked for less often: ntfy counts.
func (f *Friend) work(ctx context.Context) {
	f.logins = map[client.Door]int{}
	for n := 0; ctx.Err() == nil; n++ {
		for _, d := range append(client.Mail(), https) {
			if d == https && n%5 != 0 {
				continue
			}
			f.resting.Lock()
			began := time.Now()
			err := f.login(ctx, d)
			took := time.Since(began)
			f.resting.Unlock()
			if ctx.Err() != nil {
				return
			}
			f.mu.Lock()
			f.logins[d]++
			f.slow = max(f.slow, took)
			if err != nil && f.err == nil {
				f.err = fmt.Errorf("the login of another client at port %d, after %v: %w", d, took.Round(time.Millisecond), err)
			}
			f.mu.Unlock()
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (f *Friend) login(ctx context.Context, d client.Door) error {
	if d == https {
		return f.Right(ctx, d, stage.Phone, stage.Password)
	}
	return f.Right(ctx, d, stage.User, stage.Password)
}

// worked returns how often it has logged in through the door that it used least, how
// long the slowest took, and what went wrong first.
func (f *Friend) worked() (least int, slow time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	least = f.logins[https]
	for _, d := range client.Mail() {
		least = min(least, f.logins[d])
	}
	return least, f.slow, f.err
}

// shutOut waits until all doors are shut for the attacker, and holds edgeban to what it
// promises of who is inside.
func (p *Play) shutOut(ctx context.Context, r *Result) error {
	s := p.Siege
	var bans []web.Ban
	if err := stage.Within(ctx, 15*time.Second, func() bool { bans = p.bans(ctx); return len(bans) > 0 }); err != nil {
		return errors.New("edgeban has no ban")
	}
	if err := p.allShut(ctx); err != nil {
		return err
	}
	r.Subject, r.Failures = bans[0].Subject, bans[0].Failures
	var err error
	for _, k := range s.knockers {
		after := max(0, k.first.Sub(p.guessed)) // a knock of before may be answered after it
		if k.Door == atTraefik {
			r.Latency = after
		}
		if after > tooLate {
			err = errors.Join(err, fmt.Errorf("%s was open for %v after the deciding password was sent", k.Door, after))
		}
		p.note("%s %s", k.Door, millis(after))
	}
	select {
	case at := <-s.cut:
		after := at.Sub(p.guessed)
		if after > 0 { // not by a restart of before
			p.note("session cut %s", millis(after))
		}
		if after > tooLate {
			err = errors.Join(err, fmt.Errorf("its session was ended only %v after the deciding password was sent", after))
		}
	case <-time.After(tooLate):
		err = errors.Join(err, errors.New("the session that it had goes on"))
	}
	_ = stage.Within(ctx, 3*time.Second, func() bool { return false }) // does it stay so?
	return errors.Join(err, p.stayedShut(r), p.told(ctx), p.othersWorked())
}

// allShut waits until every door is shut for the attacker.
func (p *Play) allShut(ctx context.Context) error {
	var open []string
	err := stage.Within(ctx, 15*time.Second, func() bool {
		open = nil
		for _, k := range p.Siege.knockers {
			if !k.Shut() {
				open = append(open, k.Door)
			}
		}
		return open == nil
	})
	if err != nil {
		return fmt.Errorf("still open for it: %s", strings.Join(open, ", "))
	}
	return nil
}

// stayedShut looks whether a door was opened once more.
func (p *Play) stayedShut(r *Result) (err error) {
	for _, k := range p.Siege.knockers {
		n, within := k.Again()
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%s opened again %d times within %s", k.Door, n, millis(within))
		if slices.Contains(r.May, k.Door) {
			p.note("%s", text)
		} else {
			err = errors.Join(err, fmt.Errorf("%s; at first it was shut with: %w", text, k.why))
		}
	}
	if p.Edge.Ever(p.Client.From) {
		err = errors.Join(err, errors.New("the firewall's table has held it"))
	}
	return err
}

// told wants one message, of high priority.
func (p *Play) told(ctx context.Context) error {
	name := p.Client.From.String()
	if err := stage.Within(ctx, 20*time.Second, func() bool { return p.messages(name) > 0 }); err != nil {
		return fmt.Errorf("no message about %s", name)
	}
	const high = 4
	for _, m := range p.Ntfy.Messages(stage.Topic) {
		if strings.Contains(m.Message, name) && (m.Priority < high || !strings.Contains(m.Message, "A device in your network lan, "+name)) {
			return fmt.Errorf("told with priority %d, want %d at least and that it is a device inside: %s", m.Priority, high, m.Message)
		}
	}
	return nil
}

// othersWorked holds the doors to what others meet.
func (p *Play) othersWorked() error {
	least, slow, err := p.Siege.friend.worked()
	p.note("another client's slowest login %s", millis(slow))
	if err == nil && slow > tooSlow {
		err = fmt.Errorf("a login of the other client took %s", millis(slow))
	}
	if err == nil && least == 0 {
		err = errors.New("the other client never came to log in through every door")
	}
	return err
}

func millis(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/1e6) }
