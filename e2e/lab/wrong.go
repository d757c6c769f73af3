package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/stage"
)

// An Edit is a mistake in a file of the configuration.
type Edit struct {
	File, Old, New string
	Restart        string // the service that reads it only then; none for a file that is watched
}

// What people get wrong.
var (
	silent = []Edit{{"traefik/dynamic/mail.yaml", "serversTransport: proxied, ", "", ""}}
	deaf   = []Edit{
		{"dovecot/dovecot.conf", "haproxy = yes", "haproxy = no", "dovecot"},
		{"postfix/main.cf", "smtpd_upstream_proxy_protocol = haproxy", "", "postfix"},
	}
	trusting = []Edit{
		{"traefik/traefik.yaml", `imaps: {address: ":993"}`, `imaps: {address: ":993", proxyProtocol: {trustedIPs: ["172.30.0.0/16", "172.16.0.0/12"]}}`, "traefik"},
	}
)

// wrongly takes steps with mistakes in the configuration, and mends them.
func wrongly(edits []Edit, steps ...Step) Step {
	return func(ctx context.Context, p *Play) error {
		err := with(edits, steps...)(ctx, p)
		well := stage.Within(ctx, 30*time.Second, func() bool {
			return p.Client.Right(ctx, imaps, stage.User, stage.Password) == nil && p.Client.Right(ctx, smtps, stage.User, stage.Password) == nil
		})
		if well != nil {
			err = errors.Join(err, errors.New("no login works after the mistakes were mended"))
		}
		return err
	}
}

func (p *Play) edit(e Edit) error {
	text, err := os.ReadFile(filepath.Join(p.Deploy, e.File))
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), e.Old) {
		return fmt.Errorf("%s has no %q any more", e.File, e.Old)
	}
	return p.put(e, strings.ReplaceAll(string(text), e.Old, e.New))
}

func (p *Play) mend(e Edit) error {
	text, err := os.ReadFile(filepath.Join(p.Deploy, e.File))
	if err != nil {
		return err
	}
	return p.put(e, string(text))
}

func (p *Play) put(e Edit, text string) error {
	if err := os.WriteFile(p.Path("config", e.File), []byte(text), 0o644); err != nil || e.Restart == "" {
		return err
	}
	s := p.Services[e.Restart]
	return errors.Join(s.Stop(syscall.SIGTERM), s.Start())
}

// doctor asks edgeban, until it says of port 993 what is wanted: what was edited takes
// a moment.
func doctor(want ...string) Step {
	return func(ctx context.Context, p *Play) error {
		var got []string
		err := stage.Within(ctx, 30*time.Second, func() bool {
			got = p.examine()
			return slices.Equal(got, want)
		})
		if err != nil {
			return fmt.Errorf("the doctor says %q, want %q", got, want)
		}
		return nil
	}
}

// examine returns what the doctor says of port 993.
func (p *Play) examine() (said []string) {
	out, _ := p.Services["edgeban"].Exec("/edgeban", "doctor", "--json", "--mail", "traefik") // fails where something is broken
	var found struct {
		Findings []struct{ Part, Link, Verdict string }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return []string{err.Error(), out}
	}
	for _, f := range found.Findings {
		if f.Part == "mail traefik:993" {
			said = append(said, f.Link+" "+f.Verdict)
		}
	}
	if said == nil {
		return []string{out}
	}
	return said
}
