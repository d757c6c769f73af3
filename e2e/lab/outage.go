package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // to damage edgeban's ledger

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/e2e/lab/netns"
	"github.com/edgeban/edgeban/e2e/lab/stage"
)

// isShut waits until every door is shut for the attacker.
func isShut(ctx context.Context, p *Play) error { return p.allShut(ctx) }

// resting takes a step in which nobody can work, and waits until the friend can again.
func resting(s Step) Step {
	return func(ctx context.Context, p *Play) error {
		f := p.Siege.friend
		f.resting.Lock()
		defer f.resting.Unlock()
		return errors.Join(s(ctx, p), works(ctx, p))
	}
}

// works waits until the friend can log in through every door.
func works(ctx context.Context, p *Play) error {
	for _, d := range append(client.Mail(), https) {
		var last error
		if stage.Within(ctx, 30*time.Second, func() bool { last = p.Siege.friend.login(ctx, d); return last == nil }) != nil {
			return fmt.Errorf("nobody can log in at port %d any more: %w", d, last)
		}
	}
	return nil
}

// afresh forgets what the doors did so far.
func afresh(_ context.Context, p *Play) error {
	for _, k := range p.Siege.knockers {
		k.Forget()
	}
	return nil
}

// openings says how often each door has opened again so far.
func openings(after string) Step {
	return func(_ context.Context, p *Play) error {
		for _, k := range p.Siege.knockers {
			if n, within := k.Again(); n > 0 {
				p.note("%s %s opened %d times within %s", after, k.Door, n, millis(within))
			}
		}
		return nil
	}
}

// hung takes a step while a service is there and does nothing.
func hung(name string, s Step) Step {
	return func(ctx context.Context, p *Play) error {
		c := p.Services[name]
		if err := c.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return errors.Join(s(ctx, p), c.Signal(syscall.SIGCONT))
	}
}

// gone takes a step while nothing at all answers at edgeban's address, not even that
// nobody listens. Of a container of Docker's that is stopped there is no more to take
// away.
func gone(s Step) Step {
	return func(ctx context.Context, p *Play) error {
		if p.Engine != nil {
			return stopped("edgeban", s)(ctx, p)
		}
		cable := func(state string) error { return p.Nets["host"].IP("link set edgeban " + state) }
		if err := cable("down"); err != nil {
			return err
		}
		return errors.Join(s(ctx, p), cable("up"))
	}
}

// garbage is what answers in edgeban's place, one after the other.
var garbage = []string{
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"status\":\"maybe\"}",
	"HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	"action=\x00\xff\n\n",
	"perhaps\n\n",
	strings.Repeat("action=", 100_000),
	"", // and nothing more
}

// garbled takes a step while something else listens in edgeban's place.
func garbled(s Step) Step {
	return stopped("edgeban", func(ctx context.Context, p *Play) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		at := p.Nets["edgeban"]
		if p.Engine != nil { // its namespace has ended with it
			at = p.Nets["host"]
			if err := p.lendAddress(at); err != nil {
				return err
			}
		}
		for _, port := range []string{"9092", "9093"} {
			var ln net.Listener
			err := at.Do(func() (err error) {
				ln, err = new(net.ListenConfig).Listen(ctx, "tcp", "172.30.2.5:"+port)
				return err
			})
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { ln.Close() })
			go babble(ctx, ln) // ends with ctx
		}
		err := s(ctx, p)
		if p.Engine != nil {
			err = errors.Join(err, p.takeAddress(at))
		}
		return err
	})
}

// babble answers each connection with some garbage. Those that get nothing more are
// held until ctx is done.
func babble(ctx context.Context, ln net.Listener) {
	for n := 0; ; n++ {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 4096)
			if _, err := c.Read(b); err != nil {
				return
			}
			text := garbage[n%len(garbage)]
			if _, err := io.WriteString(c, text); err == nil && text == "" {
				<-ctx.Done()
			}
		}()
	}
}

const lent = "172.30.2.5/32"

// lendAddress gives edgeban's address to the host, at the bridge of the network.
func (p *Play) lendAddress(host *netns.Net) error {
	return host.Do(func() error {
		return netns.Command("sh", "-c", `ip addr add `+lent+` dev "$(ip -o addr show to 172.30.2.1 | cut -d' ' -f2)"`)
	})
}

func (p *Play) takeAddress(host *netns.Net) error {
	return host.Do(func() error {
		return netns.Command("sh", "-c", `ip addr del `+lent+` dev "$(ip -o addr show to 172.30.2.1 | cut -d' ' -f2)"`)
	})
}

// outage is how long edgeban is away at least: Dovecot, if it were refused connections,
// would let nobody in any more after a quarter of a minute.
const outage = 30 * time.Second

// delivers sends mail in every way, and reads it: from a stranger in the internet, and
// from the other client inside.
func delivers(ctx context.Context, p *Play) error {
	began := time.Now()
	n := byte(p.NextAttacker())
	stranger := &client.Client{Net: p.Nets["inet"], From: netip.AddrFrom4([4]byte{203, 0, 113, n}), Server: stage.EdgeWAN}
	friend := p.Siege.friend.Client
	sent := 0
	for round := 0; round < len(garbage) || time.Since(began) < outage; round++ {
		var subjects []string
		for _, d := range []client.Door{smtp, smtps, submission} {
			c, from := friend, stage.User
			if d == smtp {
				c, from = stranger, "bob@example.net"
			}
			subject := fmt.Sprintf("mail-%d-%d-%d", n, round, d)
			if err := send(ctx, c, d, from, subject); err != nil {
				return fmt.Errorf("sending at port %d: %w", d, err)
			}
			subjects, sent = append(subjects, subject), sent+1
		}
		if err := arrive(ctx, friend, subjects); err != nil {
			return err
		}
	}
	p.note("%d mails sent and read in %s", sent, millis(time.Since(began)))
	return nil
}

func send(ctx context.Context, c *client.Client, d client.Door, from, subject string) error {
	s, err := c.Open(ctx, d, "")
	if err != nil {
		return err
	}
	defer s.Close()
	if d != smtp {
		if ok, err := s.Login(stage.User, stage.Password); err != nil || !ok {
			return fmt.Errorf("login: %t, %w", ok, err)
		}
	}
	return s.Send(from, stage.User, subject)
}

// arrive waits until mails can be read.
func arrive(ctx context.Context, c *client.Client, subjects []string) error {
	for _, subject := range subjects {
		var last error
		err := stage.Within(ctx, 20*time.Second, func() bool {
			var s *client.Session
			if s, last = c.Open(ctx, imaps, ""); last != nil {
				return false
			}
			defer s.Close()
			var has bool
			if has, last = s.Login(stage.User, stage.Password); last == nil && has {
				has, last = s.Has(subject)
			}
			return has && last == nil
		})
		if err != nil {
			return fmt.Errorf("%s does not arrive: %w", subject, last)
		}
	}
	return nil
}

// injected stops edgeban, adds to its ledger bans whose subjects no target can take, and
// starts it again.
func injected(subjects ...string) Step {
	return stopped("edgeban", func(ctx context.Context, p *Play) error {
		db, err := sql.Open("sqlite", filepath.Join(p.State, "ledger.db"))
		if err != nil {
			return err
		}
		for _, subject := range subjects {
			_, err2 := db.ExecContext(ctx, `insert into ban (seq, jail, subject, since, until, failures, nth, cause, node, reason, addr)
				select (select max(seq) from ban) + 1000, jail, ?, since, until, failures, nth, cause, node, reason, addr from ban order by seq desc limit 1`, []byte(subject))
			err = errors.Join(err, err2)
		}
		return errors.Join(err, db.Close())
	})
}

// adopt says that the ledger has been looked after: until then nothing is removed from
// any target.
func adopt(_ context.Context, p *Play) error {
	_, err := p.Services["edgeban"].Exec("/edgeban", "adopt")
	return err
}

// with takes steps with another configuration, and puts the usual one back.
func with(edits []Edit, steps ...Step) Step {
	return func(ctx context.Context, p *Play) (err error) {
		for _, e := range edits {
			err = errors.Join(err, p.edit(e))
		}
		for _, s := range steps {
			if err == nil {
				err = s(ctx, p)
			}
		}
		for _, e := range edits {
			err = errors.Join(err, p.mend(e))
		}
		return err
	}
}
