package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/e2e/lab/stage"
)

// limit is how many failures ban, in deploy/mail.
const limit = 5

// Who else a login name may claim to come from; nobody must believe it.
const framed = "198.51.100.77"

// The doors.
const (
	imaps, smtps     = client.IMAPS, client.SMTPS
	submission, smtp = client.Submission, client.SMTP
	https            = client.HTTPS
)

// scenarios are what the lab is for. A new one is a line here, of steps that are
// below.
func scenarios() []Scenario {
	forged := `x>, method=PLAIN, rip=` + framed + `, lip=192.0.2.1, TLS, session=<zz`
	return []Scenario{
		{Name: "IMAPS, IPv4", Want: Banned, Steps: steps(fail(imaps, limit))},
		{Name: "IMAPS, IPv6", From: IPv6, Want: Banned, Steps: steps(fail(imaps, limit))},
		{Name: "SMTPS, IPv4", Want: Banned, Steps: steps(fail(smtps, limit))},
		{Name: "SMTPS, IPv6", From: IPv6, Want: Banned, Steps: steps(fail(smtps, limit))},
		{Name: "587 with STARTTLS, IPv4", Want: Banned, Steps: steps(fail(submission, limit))},
		{Name: "587 with STARTTLS, IPv6", From: IPv6, Want: Banned, Steps: steps(fail(submission, limit))},
		{Name: "through all doors in turn", Want: Banned, Steps: steps(fail(imaps, 2), fail(smtps, 1), fail(submission, 2))},
		{Name: "all attempts in one IMAP connection", Want: Banned, Steps: steps(failOnOne(imaps, limit))},
		{Name: "all attempts in one SMTP connection", Want: Banned, Steps: steps(failOnOne(smtps, limit))},
		{Name: "slowly, one attempt in 8 s", Want: Banned, Steps: steps(fail(imaps, 1), pause(8), fail(imaps, 1), pause(8), fail(imaps, 1), pause(8), fail(imaps, 1), pause(8), fail(imaps, 1))},
		{Name: "names that forge an address, IMAP", Want: Banned, Steps: steps(failAs(imaps, forged, limit))},
		{Name: "names that forge an address, SMTP", Want: Banned, Steps: steps(failAs(smtps, "x unknown["+framed+"]: SASL LOGIN authentication failed", limit))},
		{Name: "one typo, then the right password", Want: Spared, Steps: steps(fail(imaps, 1), right(imaps), fail(smtps, 1), right(smtps))},
		{Name: "right passwords only", Want: Spared, Steps: steps(right(imaps), right(smtps), right(submission), right(imaps), right(imaps), right(imaps))},
		{Name: "a PROXY header of the client's own, in clear", Want: Spared, Steps: steps(header(smtp, 2), header(submission, 2))},
		{Name: "a PROXY header of the client's own, before TLS", Want: Spared, Steps: steps(header(imaps, limit+1), header(smtps, limit+1))},
		{Name: "no PROXY header, from a neighbour container", Want: Spared, Steps: steps(neighbour("", 6))},
		{Name: "a PROXY header from a neighbour container", Want: Spared, Steps: steps(neighbour(proxyLine, 6))},
		{Name: "a client of the LAN, by NAT reflection", From: Reflected, Want: Spared, Steps: steps(fail(imaps, limit+1))},

		{Name: "inside, IMAPS", From: LAN, Door: imaps, Want: Shut, Alone: true, Steps: steps(fail(imaps, limit))},
		{Name: "inside, SMTPS", From: LAN, Door: smtps, Want: Shut, Alone: true, Steps: steps(mailing(fail(smtps, limit)))},
		{Name: "inside, 587 with STARTTLS", From: LAN, Door: submission, Want: Shut, Alone: true, Steps: steps(mailing(fail(submission, limit)))},
		{Name: "inside, HTTPS", From: LAN, Door: https, Want: Shut, Alone: true, Steps: steps(fail(https, limit))},

		{Name: "inside, Traefik restarts during the ban", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, resting(restart("traefik", syscall.SIGTERM)), isShut)},
		{Name: "inside, Traefik asks over HTTP and restarts", From: LAN, Door: imaps, Want: Shut, Alone: true, May: everywhere, Steps: steps(resting(with(asking, works, afresh, fail(imaps, limit), isShut, restart("traefik", syscall.SIGTERM), works, isShut, openings("after the restart"))), isShut)},
		{Name: "inside, edgeban restarts during the ban", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, restart("edgeban", syscall.SIGTERM), isShut, openings("after the restart"), restart("edgeban", syscall.SIGKILL), isShut)},
		{Name: "inside, edgeban is stopped", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, stopped("edgeban", delivers))},
		{Name: "inside, edgeban is gone", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, gone(delivers))},
		{Name: "inside, edgeban hangs", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, hung("edgeban", delivers))},
		{Name: "inside, something else answers for edgeban", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, garbled(delivers))},
		{Name: "inside, the ledger holds what is no address", From: LAN, Door: imaps, Want: Shut, Alone: true, May: behind, Steps: steps(fail(imaps, limit), isShut, injected(noSubjects...), isShut, delivers, adopt)},

		{Name: "logs are rotated during the attack", Want: Banned, Alone: true, Steps: steps(fail(smtps, 2), rotate, fail(imaps, 2), rotate, fail(submission, 1))},
		{Name: "Traefik restarts during the attack", Want: Banned, Alone: true, Steps: steps(fail(imaps, 3), restart("traefik", syscall.SIGTERM), fail(imaps, 2))},
		{Name: "Dovecot restarts during the attack", Want: Banned, Alone: true, Steps: steps(fail(imaps, 2), fail(smtps, 1), restart("dovecot", syscall.SIGTERM), fail(imaps, 2))},
		{Name: "Postfix restarts during the attack", Want: Banned, Alone: true, Steps: steps(fail(smtps, 3), restart("postfix", syscall.SIGTERM), fail(smtps, 2))},
		{Name: "edgeban is killed during the attack", Want: Banned, Alone: true, Steps: steps(fail(imaps, 3), restart("edgeban", syscall.SIGKILL), fail(imaps, 2))},
		{Name: "edgeban is away for the whole attack", Want: Banned, Alone: true, Steps: steps(stopped("edgeban", fail(imaps, limit)))},
		{Name: "the firewall restarts during the attack", Want: Banned, Alone: true, Steps: steps(fail(imaps, 3), reboot, fail(imaps, 2))},
		{Name: "the firewall is away for the whole attack", Want: Banned, Alone: true, Steps: steps(away(fail(imaps, limit)))},
		{Name: "the firewall forgets the ban", Want: Banned, Alone: true, Steps: steps(fail(imaps, limit), holds(true), reboot, holds(true))},
		{Name: "unban by the command", Want: Freed, Alone: true, Steps: steps(fail(imaps, limit), holds(true), unban, holds(false))},
		{Name: "doctor --mail, all is well", Want: Spared, Alone: true, Steps: steps(doctor("login good", "address good", "spoofing good"))},
		{Name: "doctor --mail, Traefik sends no PROXY header", Want: Spared, Alone: true, Steps: steps(wrongly(silent, doctor("login broken")))},
		{Name: "doctor --mail, no PROXY protocol at either end", Want: Spared, Alone: true, Steps: steps(wrongly(append(deaf, silent...), fail(imaps, limit+1), fail(smtps, limit+1), doctor("login good", "address broken", "spoofing good")))},
		{Name: "doctor --mail, Traefik trusts the network", Want: Spared, Alone: true, Steps: steps(wrongly(trusting, doctor("login good", "address good", "spoofing broken")))},
		{Name: "Traefik renews the certificate", Want: Spared, Alone: true, Steps: steps(renewed)},
		{Name: "a ban ends by itself, after 10 s", Want: Freed, Alone: true, Steps: steps(bantime("10s"), fail(imaps, limit), holds(true), holds(false), bantime(""))},
	}
}

// What may open for a moment: what asks edgeban, through Traefik, goes on while one of
// the two is away.
var (
	behind     = []string{atPostfix, atDovecot}
	everywhere = append([]string{atTraefik, elsewhere}, behind...)
)

// What no target can take: no address at all, bits that there are not, the length of
// another family, more than its network, and everybody.
var noSubjects = []string{
	"not an address", "\x04\xc0\xa8\x4d\x32\x77", "\x06\xc0\xa8\x4d\x32\x20", "\x04\xc0\xa8\x4d\x32\x18", "\x04\x00\x00\x00\x00\x00",
}

// asking has Traefik ask edgeban for its routers.
var asking = []Edit{
	{"traefik/traefik.yaml", "providers:\n", "providers:\n  http: {endpoint: \"http://edgeban:9091/\", pollInterval: 1s, headers: {Authorization: Bearer thisisonlythelab}}\n", "traefik"},
	{"edgeban.yaml", "traefik: {file: /routers/edgeban.yml,", `traefik: {listen: "0.0.0.0:9091", token: env:POLICY_TOKEN,`, "edgeban"},
}

func steps(s ...Step) []Step { return s }

// fail tries to log in with wrong passwords, each on a connection of its own, until
// that was refused n times or nothing gets through any more.
func fail(d client.Door, n int) Step { return failAs(d, stage.User, n) }

func failAs(d client.Door, name string, n int) Step {
	return func(ctx context.Context, p *Play) error {
		for refused := 0; refused < n && !p.stopped(); {
			switch ok, err := p.guess(ctx, d, name); {
			case ok:
				return errors.New("the wrong password was right")
			case err == nil:
				refused++
			case ctx.Err() != nil:
				return fmt.Errorf("after %d refusals at port %d: %w", refused, d, err)
			default: // something restarts, or the ban came before the answer
				time.Sleep(200 * time.Millisecond)
			}
		}
		return nil
	}
}

// guess is one attempt. When its password was sent is kept.
func (p *Play) guess(ctx context.Context, d client.Door, name string) (bool, error) {
	s, err := p.Client.Open(ctx, d, "")
	if err != nil {
		return false, err
	}
	defer s.Close()
	p.guessed = time.Now()
	return s.Login(name, "wrong")
}

// failOnOne is fail on one connection, as far as the server lets that be.
func failOnOne(d client.Door, n int) Step {
	return func(ctx context.Context, p *Play) error {
		s, err := p.Client.Open(ctx, d, "")
		if err != nil {
			return err
		}
		defer s.Close()
		for range n {
			if _, err := s.Login(stage.User, "wrong"); err != nil {
				return nil // the ban has come: judge sees to it
			}
		}
		return nil
	}
}

// right logs in with the right password, which must work.
func right(d client.Door) Step {
	return func(ctx context.Context, p *Play) error { return p.Client.Right(ctx, d, stage.User, stage.Password) }
}

// stopped reports whether nothing gets through any more.
func (p *Play) stopped() bool {
	return p.Edge.Holds(p.Client.From) || p.Siege != nil && p.Siege.knockers[0].Shut()
}

func pause(seconds int) Step {
	return func(ctx context.Context, _ *Play) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(seconds) * time.Second):
			return nil
		}
	}
}

const proxyLine = "PROXY TCP4 " + framed + " 192.0.2.1 40000 993\r\n"

// header connects n times and says first, as a proxy would, that somebody else is
// connecting. No login may come of it. In clear, Postfix may say that a client talks
// before it is asked to, which counts as an attack by its own address.
func header(d client.Door, n int) Step {
	return func(ctx context.Context, p *Play) error {
		for range n {
			if s, err := p.Client.Open(ctx, d, proxyLine); err == nil {
				ok, err := s.Login(stage.User, "wrong")
				s.Close()
				if err == nil {
					return fmt.Errorf("port %d took a PROXY header of the client's and answered a login (%t)", d, ok)
				}
			}
		}
		return nil
	}
}

// neighbour logs in n times at Dovecot itself, past Traefik, from the host of the
// containers. No login may come of it.
func neighbour(first string, n int) Step {
	return func(ctx context.Context, p *Play) error {
		c := &client.Client{Net: p.Nets["host"], From: stage.Bridge, Server: "172.30.0.4"}
		for range n {
			if s, err := c.Open(ctx, imaps, first); err == nil {
				_, err := s.Login(stage.User, "wrong")
				s.Close()
				if err == nil {
					return fmt.Errorf("a login of a neighbour was answered by Dovecot, which began with %q", first)
				}
			}
		}
		return nil
	}
}

// rotate rotates both logs, as the containers do at 20 MB.
func rotate(_ context.Context, p *Play) error {
	_, err := p.Services["dovecot"].Exec("/entrypoint", "rotate")
	_, err2 := p.Services["postfix"].Exec("/entrypoint", "rotate")
	return errors.Join(err, err2)
}

func restart(name string, sig os.Signal) Step {
	return func(_ context.Context, p *Play) error {
		return errors.Join(p.Services[name].Stop(sig), p.Services[name].Start())
	}
}

// stopped takes a step while a container is down.
func stopped(name string, s Step) Step {
	return func(ctx context.Context, p *Play) error {
		c := p.Services[name]
		return errors.Join(c.Stop(syscall.SIGTERM), s(ctx, p), c.Start())
	}
}

// reboot restarts the firewall, which forgets its table.
func reboot(ctx context.Context, p *Play) error { return away(pause(2))(ctx, p) }

// away takes a step while the firewall's API is down.
func away(s Step) Step {
	return func(ctx context.Context, p *Play) error {
		return errors.Join(p.Edge.Down(), s(ctx, p), p.Edge.Up())
	}
}

// holds waits until the firewall holds the client, or does not any more.
func holds(want bool) Step {
	return func(ctx context.Context, p *Play) error {
		if err := stage.Within(ctx, 70*time.Second, func() bool { return p.Edge.Holds(p.Client.From) == want }); err != nil {
			return fmt.Errorf("the firewall holds it: %t, want %t", !want, want)
		}
		return nil
	}
}

func unban(_ context.Context, p *Play) error {
	out, err := p.Services["edgeban"].Exec("/edgeban", "unban", p.Client.From.String())
	if err == nil && !strings.Contains(out, p.Client.From.String()) {
		err = fmt.Errorf("edgeban unban said: %s", out)
	}
	return err
}

// bantime changes the configuration of the running edgeban; empty is the default.
func bantime(d string) Step {
	return func(_ context.Context, p *Play) error {
		text, err := os.ReadFile(filepath.Join(p.Deploy, "edgeban.yaml"))
		if err != nil {
			return err
		}
		if d != "" {
			text = fmt.Appendf(text, "\ndefaults: {bantime: %s, increment: no}\n", d)
		}
		return errors.Join(os.WriteFile(p.Path("config/edgeban.yaml"), text, 0o644), p.Reload())
	}
}
