package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/e2e/lab/stage"
)

// impatient has Traefik take certificates of 90 days for such of a year, which it
// renews four months before they end.
var impatient = []Edit{{"traefik/traefik.yaml", "storage: /acme/acme.json\n", "storage: /acme/acme.json\n      certificatesDuration: 8760\n", "traefik"}}

// renewed has Traefik renew its certificate: every door must serve what is in
// acme.json, before and after, of servers that were not restarted.
func renewed(ctx context.Context, p *Play) error {
	before, err := p.settle(ctx, nil)
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	ran, err := p.ran()
	if err != nil {
		return err
	}
	return wrongly(impatient, func(ctx context.Context, p *Play) error {
		if _, err := p.settle(ctx, before); err != nil {
			return fmt.Errorf("after: %w", err)
		}
		runs, err := p.ran()
		if err == nil && runs != ran {
			err = errors.New("a server of mail was restarted")
		}
		return err
	})(ctx, p)
}

// settle waits until every door serves the certificate that is in acme.json, and that
// is another than old.
func (p *Play) settle(ctx context.Context, old *x509.Certificate) (issued *x509.Certificate, err error) {
	limit := stage.Within(ctx, time.Minute, func() bool {
		time.Sleep(200 * time.Millisecond) // Postfix counts who connects
		if issued, err = p.Issued(); err == nil {
			err = p.serves(ctx, issued)
		}
		if err == nil && old != nil && issued.Equal(old) {
			err = errors.New("Traefik has not renewed")
		}
		return err == nil
	})
	return issued, errors.Join(limit, err)
}

// serves looks whether every door serves a certificate, and that it is for the name.
func (p *Play) serves(ctx context.Context, want *x509.Certificate) error {
	var errs []error
	for _, door := range append(client.Mail(), client.SMTP) {
		s, err := p.Client.Open(ctx, door, "")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got := s.Certificate()
		s.Close()
		if !got.Equal(want) {
			errs = append(errs, fmt.Errorf("port %d serves the certificate %x, acme.json has %x", door, got.SerialNumber, want.SerialNumber))
		}
	}
	return errors.Join(append(errs, want.VerifyHostname("mail.example.org"))...)
}

// ran returns since when the first processes of the servers of mail run.
func (p *Play) ran() (since string, err error) {
	for _, name := range []string{"postfix", "dovecot"} {
		out, one := p.Services[name].Exec("stat", "-c", "%Z", "/proc/1")
		since, err = since+out, errors.Join(err, one)
	}
	return since, err
}
