package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"
)

const day = 24 * time.Hour

// renewal returns how long before its end Traefik renews a certificate that lives so
// long: getCertificateRenewDurations of Traefik 3, whose older versions differ below
// 30 days.
func renewal(lifetime time.Duration) time.Duration {
	switch l := lifetime.Round(time.Hour); { // 90 days end a second early
	case l >= 365*day:
		return 120 * day
	case l >= 90*day:
		return 30 * day
	case l >= 30*day:
		return 10 * day
	case l >= 6*day:
		return 2 * day
	case l >= day:
		return 6 * time.Hour
	}
	return 20 * time.Minute
}

// An ending is a certificate that ends soon, or has.
type ending struct{ name, text string }

// expiring returns the certificates of the folder that end soon: the ones that are
// served, whatever acme.json has.
func expiring(f *folder, names []string, warn time.Duration, now time.Time) []ending {
	var soon []ending
	for _, name := range names {
		text, err := readFile(f.place(name, chainFile))
		if err != nil {
			continue // it was never there, which is told as the error of its export
		}
		chain, err := certificates(text)
		if err != nil {
			continue // it is written again
		}
		leaf, limit := chain[0], warn
		if limit == 0 {
			limit = renewal(leaf.NotAfter.Sub(leaf.NotBefore)) / 2
		}
		switch left := leaf.NotAfter.Sub(now); {
		case left <= 0:
			soon = append(soon, ending{name, fmt.Sprintf("the certificate %s expired on %s; the log of Traefik says why it was not renewed. If nobody uses it, remove %s", name, date(leaf), f.place(name, ""))})
		case left < limit:
			soon = append(soon, ending{name, fmt.Sprintf("the certificate %s expires in %s, on %s, and Traefik has not renewed it; its log says why", name, span(left), date(leaf))})
		}
	}
	return soon
}

func date(leaf *x509.Certificate) string { return leaf.NotAfter.UTC().Format("2006-01-02 15:04 UTC") }

func span(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}

// warn tells of certificates that end soon, each once a day; to people until they
// could be told.
func (w *watch) warn(ctx context.Context, now time.Time) {
	for _, s := range expiring(w.folder, w.o.names(w.folder), w.o.Warn, now) {
		if now.Sub(w.warned[s.name]) >= day {
			w.o.Log.Warn("a certificate ends", "certificate", s.name, "what", s.text)
			w.warned[s.name] = now
		}
		if w.o.Tell == nil || now.Sub(w.told[s.name]) < day || now.Before(w.tellAgain) {
			continue
		}
		if err := w.o.Tell(ctx, s.text); err != nil {
			w.tellAgain = now.Add(lastTry)
			w.o.Log.Warn("people could not be told that a certificate expires soon; it is tried again", "error", err)
			continue
		}
		w.told[s.name] = now
	}
}
