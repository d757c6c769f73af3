// Package certs hands the certificates that Traefik gets to programs that want PEM
// files, such as Postfix and Dovecot: it follows acme.json, writes what is asked for
// when it has changed, and has it loaded.
//
// It reads only acme.json and what it wrote itself, and must not import what reads
// logs: it runs where private keys are. No key is ever in a log or an error.
package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options says what to export, and where to.
type Options struct {
	File    string        // Traefik's acme.json
	Dir     string        // the folder to write to
	Wants   []Want        // empty for every certificate, by its main domain
	Group   int           // the group that may read the keys; negative for nobody
	Warn    time.Duration // how long before expiry to warn; 0 for half of Traefik's time to renew
	Reloads []Reload      // what to do when certificates have changed
	Log     *slog.Logger

	// Tell tells people that a certificate expires soon; nil for the log alone.
	Tell func(ctx context.Context, text string) error

	// NoInotify leaves polling alone to find changes.
	NoInotify bool
}

// A Result is a certificate that is held in the folder.
type Result struct {
	Name     string // of its folder
	Resolver string
	Domains  []string
	Expires  time.Time
	Changed  bool // it was written just now
}

// Export writes what is asked for and has it loaded if anything changed, then or
// in an earlier run that could not have it loaded. What can be written is, whatever
// is wrong with the rest; the error is all that was wrong.
func Export(ctx context.Context, o Options) ([]Result, error) {
	f, err := open(o.Dir, o.Group)
	if err != nil {
		return nil, err
	}
	defer f.close()
	results, err := pass(ctx, o, f)
	errs := []error{err}
	if f.pending() {
		failed, err := reload(ctx, o.Reloads, o.names(f))
		if errs = append(errs, err); len(failed) == 0 {
			errs = append(errs, f.reloaded())
		}
	}
	for _, s := range expiring(f, o.names(f), o.Warn, time.Now()) {
		o.Log.Warn("a certificate ends", "certificate", s.name, "what", s.text)
	}
	return results, errors.Join(errs...)
}

// pass makes the folder equal to acme.json once.
func pass(ctx context.Context, o Options, f *folder) ([]Result, error) {
	entries, err := settle(ctx, o.File)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	wants := o.Wants
	if len(wants) == 0 {
		wants = all(entries, now)
	}
	if len(wants) == 0 {
		return nil, fmt.Errorf("%s holds no certificate that is valid; Traefik gets one for each router with a Host rule and a certResolver", o.File)
	}
	var results []Result
	var errs []error
	for _, w := range wants {
		r, err := export(entries, w, f, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("certificate %s: %w", w, err))
			continue
		}
		results = append(results, r)
	}
	return results, errors.Join(errs...)
}

// export makes one certificate of the folder equal to that of acme.json.
func export(entries []entry, w Want, f *folder, now time.Time) (Result, error) {
	resolver, p, err := choose(entries, w, now)
	if err != nil {
		return Result{}, err
	}
	changed, err := f.put(w.Name, p, now)
	if err != nil {
		return Result{}, err
	}
	return Result{w.Name, resolver, p.names(), p.leaf.NotAfter, changed}, nil
}

// names returns the certificates to look after: those asked for, or all that are held.
func (o Options) names(f *folder) []string {
	if len(o.Wants) == 0 {
		return f.list()
	}
	var all []string
	for _, w := range o.Wants {
		all = append(all, w.Name)
	}
	return all
}
