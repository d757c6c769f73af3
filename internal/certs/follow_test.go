package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Traefik writes in place, and worse may happen than it does. Whoever reads while it
// is written must see a certificate with its own key, never an older one after a
// newer one, and in the end the last.
func TestAThousandRewritesInPlaceShowOnlyWholePairs(t *testing.T) {
	const rewrites = 1000
	p, ca := newPlace(t), newAuthority(t)
	write := func(n int) int64 {
		e := ca.issue(60*day, "mail.example.org", "imap.example.org")
		text := acmeJSON(t, e, ca.issue(60*day, "www.example.org"))
		if n == 0 {
			p.write(text)
		} else {
			rewrite(t, p.acme(), text, n)
		}
		return leafOf(t, e).SerialNumber.Int64()
	}
	last := write(0)
	o := p.options("mail.example.org")
	var loaded counter
	o.Reloads = []Reload{&loaded}
	stop := start(t, o)
	defer stop()
	await(t, p, "mail.example.org", last)

	var readers sync.WaitGroup
	done := make(chan struct{})
	var seen atomic.Int64
	for _, read := range []func(string) (*x509.Certificate, error){readCombined, readFolder} {
		readers.Go(func() { follow(t, filepath.Join(o.Dir, "mail.example.org"), read, &seen, done) })
	}
	for n := 1; n <= rewrites; n++ {
		last = write(n)
		if n%40 == 0 {
			await(t, p, "mail.example.org", last)
		}
	}
	await(t, p, "mail.example.org", last)
	close(done)
	readers.Wait()
	stop()
	if got := loaded.n.Load(); got < rewrites/40 {
		t.Errorf("%d reloads, want one at least for each of %d versions that were waited for", got, rewrites/40)
	}
	if got := seen.Load(); got < rewrites/40 {
		t.Errorf("the readers saw %d changes, want %d at least", got, rewrites/40)
	}
	left, err := os.ReadDir(filepath.Join(o.Dir, versions, "mail.example.org"))
	if err != nil || len(left) != 2 {
		t.Errorf("%d versions are kept (%v), want this one and the one before", len(left), err)
	}
}

// rewrite writes a file in place, in one of the ways in which it can be seen torn.
func rewrite(t *testing.T, path string, text []byte, n int) {
	t.Helper()
	flags := os.O_WRONLY
	if n%3 == 0 {
		flags |= os.O_TRUNC // as Traefik does; else the new text runs over the old one
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	step := len(text)
	switch {
	case n%100 < 2: // both with and without what was there before
		step = 1
	case n%2 == 0:
		step = 512
	}
	for rest := text; len(rest) > 0 && err == nil; rest = rest[min(step, len(rest)):] {
		_, err = f.Write(rest[:min(step, len(rest))])
		runtime.Gosched()
	}
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A counter is a reload that is counted.
type counter struct{ n atomic.Int64 }

func (c *counter) String() string { return "counter" }

func (c *counter) Reload(context.Context, []string) error { c.n.Add(1); return nil }

// start watches, and returns what ends it.
func start(t *testing.T, o Options) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, o) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
}

// await waits until the certificate with a serial number is served.
func await(t *testing.T, p place, name string, serial int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		leaf, err := p.served(name)
		if err == nil && leaf.SerialNumber.Int64() == serial {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after a minute: %v, %v; want serial number %d", leaf, err, serial)
		}
	}
}

// follow reads until done, and holds what it reads to the promise.
func follow(t *testing.T, dir string, read func(string) (*x509.Certificate, error), seen *atomic.Int64, done chan struct{}) {
	var before int64
	for {
		select {
		case <-done:
			return
		default:
		}
		leaf, err := read(dir)
		if err != nil {
			t.Errorf("a reader: %v", err)
			return
		}
		now := leaf.SerialNumber.Int64()
		if now < before {
			t.Errorf("a reader: serial number %d after %d", now, before)
			return
		}
		if now > before {
			seen.Add(1)
		}
		before = now
		runtime.Gosched()
	}
}

// readCombined reads as Postfix does: one file.
func readCombined(dir string) (*x509.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(dir, bothFile))
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(text, text)
	return c.Leaf, err
}

// readFolder opens the folder, and then two files in it.
func readFolder(dir string) (*x509.Certificate, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	chain, err := root.ReadFile(chainFile)
	if err != nil {
		return nil, err
	}
	key, err := root.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(chain, key)
	return c.Leaf, err
}

// The file may come late, be replaced instead of written, lie behind links, and be
// removed for a while.
func TestTheFileIsFoundHoweverItComes(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	real := filepath.Join(p.dir, "traefik")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("traefik/acme.json", p.acme()); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real-certs", filepath.Join(p.dir, "certs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "real-certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := p.options()
	defer start(t, o)()
	for _, how := range []func(text []byte) error{
		func(text []byte) error { return os.WriteFile(filepath.Join(real, "acme.json"), text, 0o600) },
		func(text []byte) error { return os.WriteFile(filepath.Join(real, "acme.json"), text, 0o600) },
		func(text []byte) error {
			if err := os.WriteFile(filepath.Join(real, "new"), text, 0o600); err != nil {
				return err
			}
			return os.Rename(filepath.Join(real, "new"), filepath.Join(real, "acme.json"))
		},
		func(text []byte) error {
			if err := os.Remove(filepath.Join(real, "acme.json")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(real, "acme.json"), text, 0o600)
		},
	} {
		e := ca.issue(60*day, "mail.example.org")
		if err := how(acmeJSON(t, e)); err != nil {
			t.Fatal(err)
		}
		await(t, p, "mail.example.org", leafOf(t, e).SerialNumber.Int64())
	}
}
