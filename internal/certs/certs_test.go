package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/store/lease"
)

// What Traefik 3 wrote with Pebble.
func TestARealAcmeJSONIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("testdata/acme.sample.json")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var got []string
	for _, w := range all(entries, now) {
		got = append(got, w.Name)
	}
	if want := []string{"mail.example.com", "www.example.com"}; !slices.Equal(got, want) {
		t.Errorf("it has %v, want %v", got, want)
	}
	resolver, p, err := choose(entries, Want{Name: "x", Domain: "smtp.example.com"}, now)
	if err != nil || resolver != "le" {
		t.Fatalf("resolver %q, %v; want le", resolver, err)
	}
	chain, err := certificates(p.chain)
	if err != nil || len(chain) != 2 {
		t.Errorf("its chain has %d certificates (%v), want 2", len(chain), err)
	}
}

// However far a write has come, over an old file or an empty one: what is read is the
// old certificate, the new one, or none.
func TestNoTornFileGivesAMixedPair(t *testing.T) {
	ca := newAuthority(t)
	old, next := ca.issue(60*day, "a.example"), ca.issue(61*day, "a.example")
	was, is := acmeJSON(t, old), acmeJSON(t, next)
	w := Want{Name: "a", Domain: "a.example"}
	counts := map[string]int{}
	for cut := range is {
		for _, text := range [][]byte{is[:cut], append(bytes.Clone(is[:cut]), was[min(cut, len(was)):]...)} {
			entries, err := parse(text)
			if err != nil {
				if !errors.Is(err, errTorn) {
					t.Fatalf("cut at %d: %v, want it tried again", cut, err)
				}
				counts["torn"]++
				continue
			}
			_, p, err := choose(entries, w, time.Now())
			switch {
			case err != nil:
				counts["refused"]++
			case bytes.Equal(p.chain, old.chain) && bytes.Equal(p.key, old.key):
				counts["old"]++
			case bytes.Equal(p.chain, next.chain) && bytes.Equal(p.key, next.key):
				counts["new"]++
			default:
				t.Fatalf("cut at %d: a certificate that is neither the old nor the new one", cut)
			}
		}
	}
	if counts["torn"] < len(is) || counts["refused"] == 0 || counts["old"] == 0 {
		t.Errorf("the cuts gave %v; want every kind", counts)
	}
}

func TestWhatCannotBeServedIsRefused(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.issue(60*day, "a.example", "b.example")
	with := func(f func(*entry)) entry { e := good; f(&e); return e }
	root := good.chain[bytes.LastIndex(good.chain, []byte("-----BEGIN")):]
	leaf := good.chain[:len(good.chain)-len(root)]
	foreign := other.issue(60*day, "a.example")
	foreignRoot := foreign.chain[bytes.LastIndex(foreign.chain, []byte("-----BEGIN")):]
	for name, c := range map[string]struct {
		e    entry
		want string // in the error; empty for none
	}{
		"good":                    {good, ""},
		"without intermediate":    {with(func(e *entry) { e.chain = leaf }), ""},
		"with what stands around": {with(func(e *entry) { e.chain = slices.Concat([]byte("\n\n"), leaf, []byte("\n\n"), root, []byte("\n")) }), ""},
		"key of another":          {with(func(e *entry) { e.key = ca.issue(day, "a.example").key }), "of another certificate"},
		"no key":                  {with(func(e *entry) { e.key = nil }), "no key"},
		"two keys":                {with(func(e *entry) { e.key = slices.Concat(e.key, e.key) }), "more than one"},
		"a certificate for a key": {with(func(e *entry) { e.key = leaf }), "no key"},
		"half a key":              {with(func(e *entry) { e.key = e.key[:len(e.key)/2] }), "no key"},
		"no chain":                {with(func(e *entry) { e.chain = nil }), "no chain"},
		"half a chain":            {with(func(e *entry) { e.chain = e.chain[:len(e.chain)-40] }), "no certificate in PEM"},
		"garbage after the chain": {with(func(e *entry) { e.chain = slices.Concat(e.chain, []byte("x")) }), "no certificate in PEM"},
		"a key among the chain":   {with(func(e *entry) { e.chain = slices.Concat(e.chain, e.key) }), "no certificate in PEM"},
		"a chain the wrong way":   {with(func(e *entry) { e.chain = slices.Concat(root, leaf) }), "of another certificate"},
		"the chain of another":    {with(func(e *entry) { e.chain = slices.Concat(leaf, foreignRoot) }), "not signed by the next"},
		"another domain":          {ca.issue(60*day, "c.example"), "not for a.example but for c.example"},
		"expired":                 {ca.issue(-time.Minute, "a.example"), "expired"},
		"not yet valid":           {ca.issue(91*day, "a.example"), "one of the clocks is wrong"},
		"a header of no key":      {with(func(e *entry) { e.key = bytes.ReplaceAll(e.key, []byte("PRIVATE KEY"), []byte("PUBLIC KEY")) }), "no key"},
	} {
		p, err := verify(c.e, "a.example", time.Now())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v, want it taken", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		case c.want == "" && !bytes.Equal(p.key, good.key):
			t.Errorf("%s: its key has changed", name)
		}
	}
}

func TestTheBestCertificateIsChosen(t *testing.T) {
	ca := newAuthority(t)
	wild := ca.issue(80*day, "*.example.org", "example.org")
	short, long := ca.issue(20*day, "mail.example.org"), ca.issue(50*day, "mail.example.org", "imap.example.org")
	dead := ca.issue(-day, "old.example.org")
	mine := ca.issue(10*day, "mail.example.org")
	mine.resolver = "private"
	entries := []entry{short, wild, long, dead, mine}
	for text, want := range map[string]*entry{
		"mail.example.org":         &long,
		"MAIL.Example.org.":        &long,
		"imap.example.org":         &long,
		"smtp.example.org":         &wild,
		"*.example.org":            &wild,
		"example.org":              &wild,
		"old.example.org":          &wild, // its own has expired
		"private/mail.example.org": &mine,
		"n=le/smtp.example.org":    &wild,
		"a.b.example.org":          nil, // a wildcard is for one label
		"private/smtp.example.org": nil,
		"*.b.example.org":          nil,
		"nothing.example":          nil,
	} {
		w, err := ParseWant(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		resolver, p, err := choose(entries, w, time.Now())
		if want == nil {
			if err == nil || !strings.Contains(err.Error(), "private/mail.example.org") {
				t.Errorf("%s: %v, %v; want an error that says what there is", text, p.names(), err)
			}
			continue
		}
		if err != nil || resolver != want.resolver || !bytes.Equal(p.key, want.key) {
			t.Errorf("%s: of resolver %q for %v, %v; want the one for %s of %s", text, resolver, p, err, want.main, want.resolver)
		}
	}
}

func TestWantsAreReadOrSaidWhatToWrite(t *testing.T) {
	for text, want := range map[string]Want{
		"mail.example.org":          {"mail.example.org", "", "mail.example.org"},
		"*.Example.org":             {"_.example.org", "", "*.example.org"},
		"le/mail.example.org":       {"mail.example.org", "le", "mail.example.org"},
		"rsa=le-rsa/mx.example.org": {"rsa", "le-rsa", "mx.example.org"},
		"v6=2001:db8::1":            {"v6", "", "2001:db8::1"},
		"192.0.2.1":                 {"192.0.2.1", "", "192.0.2.1"},
		"a=../../etc/x.org":         {"a", "../../etc", "x.org"}, // a resolver is only compared
		"":                          {},
		"/mail.example.org":         {},
		"..=x.org":                  {},
		".versions=x.org":           {},
		"a/b=x.org":                 {},
		"=x.org":                    {},
		"mail.*.org":                {},
		"..":                        {},
		"a b.org":                   {},
		"x.org/":                    {},
		"a\nb.org":                  {},
	} {
		w, err := ParseWant(text)
		if (err != nil) != (want == Want{}) || w != want {
			t.Errorf("%q: %+v, %v; want %+v", text, w, err, want)
		}
	}
}

// A main domain that is a path must not become one.
func TestNoDomainLeavesTheFolder(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	for _, main := range []string{"../../escaped", ".versions", "", "a/b", ".."} {
		e := ca.issue(60*day, "a.example")
		e.main = main
		p.write(acmeJSON(t, e))
		if got, err := Export(t.Context(), p.options()); err == nil || len(got) > 0 {
			t.Errorf("main domain %q: %v, %v; want it refused", main, got, err)
		}
	}
	found, err := os.ReadDir(p.dir)
	if err != nil || len(found) != 2 {
		t.Errorf("beside acme.json and certs: %v, %v", found, err)
	}
}

func TestOddFilesAreToldAndReplaceNothing(t *testing.T) {
	synctest.Test(t, testOddFiles) // it takes 5 s to be sure that a file stays torn
}

func testOddFiles(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	good := ca.issue(60*day, "a.example")
	p.write(acmeJSON(t, good))
	o := p.options("a.example")
	if _, err := Export(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	next := ca.issue(70*day, "a.example")
	expired, stolen := ca.issue(-day, "a.example"), next
	stolen.key = ca.issue(70*day, "a.example").key
	whole := acmeJSON(t, next)
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"empty":         {nil, "empty"},
		"half":          {whole[:len(whole)/2], "ends or breaks at byte"},
		"no resolver":   {[]byte("{}"), "no certificate yet"},
		"null":          {[]byte("null"), "no certificate yet"},
		"null resolver": {[]byte(`{"le":null}`), "no certificate yet"},
		"a list":        {[]byte(`["` + accountKey + `"]`), "not what Traefik writes"},
		"a word":        {[]byte(`{"le":"` + accountKey + `"}`), "not what Traefik writes"},
		"no base64":     {[]byte(`{"le":{"Certificates":[{"domain":{"main":"a.example"},"certificate":"!!","key":"` + accountKey + `!"}]}}`), "no base64"},
		"Traefik 1":     {[]byte(`{"Account":{"Email":"a@b"},"Certificates":[{"Domain":{"Main":"a.example"},"Certificate":"x","Key":"` + accountKey + `"}]}`), "format of Traefik 1"},
		"a part of one": {[]byte(`{"Account":{"Email":"a@b","PrivateKey":"` + accountKey + `"},"Certificates":null}`), "format of Traefik 1"},
		"other's key":   {acmeJSON(t, stolen), "of another certificate"},
		"expired":       {acmeJSON(t, expired), "expired"},
		"other domain":  {acmeJSON(t, ca.issue(60*day, "b.example")), "it has le/b.example"},
	} {
		p.write(c.text)
		_, err := Export(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for _, secret := range []string{accountKey, base64.StdEncoding.EncodeToString(stolen.key)[40:80], string(next.key[30:60])} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error holds a key: %v", name, err)
			}
		}
		if leaf, err := p.served("a.example"); err != nil || !leaf.Equal(leafOf(t, good)) {
			t.Errorf("%s: now %v, %v is served; want the good one still", name, leaf, err)
		}
	}
}

func TestWhatIsNoFileIsToldAtOnce(t *testing.T) {
	p := newPlace(t)
	o := p.options("a.example")
	if _, err := Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is this the path of its storage?") {
		t.Errorf("no file: %v", err)
	}
	if err := os.Mkdir(p.acme(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestFilesAreWhatProgramsNeed(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	e := ca.issue(60*day, "a.example")
	p.write(acmeJSON(t, e))
	for group, secret := range map[int]os.FileMode{-1: 0o600, os.Getgid(): 0o640} {
		o := p.options()
		o.Group = group
		got, err := Export(t.Context(), o)
		if err != nil || len(got) != 1 || !got[0].Changed {
			t.Fatalf("group %d: %+v, %v; want one that has changed: its keys' mode is another", group, got, err)
		}
		for name, want := range map[string]struct {
			text []byte
			mode os.FileMode
		}{chainFile: {e.chain, 0o644}, keyFile: {e.key, secret}, bothFile: {slices.Concat(e.key, e.chain), secret}} {
			path := filepath.Join(o.Dir, "a.example", name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(text, want.text) || info.Mode() != want.mode {
				t.Errorf("group %d: %s has mode %v and %d bytes (%v), want %v and %d", group, name, info.Mode(), len(text), err, want.mode, len(want.text))
			}
		}
		if got, err := Export(t.Context(), o); err != nil || len(got) != 1 || got[0].Changed {
			t.Errorf("group %d, again: %+v, %v; want nothing changed", group, got, err)
		}
	}
}

// What is damaged, or a key that somebody made readable, is mended by the next look.
func TestDamageIsMended(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	p.write(acmeJSON(t, ca.issue(60*day, "a.example")))
	o := p.options()
	if _, err := Export(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(dir string) error{
		"a key gone":    func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) },
		"a key opened":  func(dir string) error { return os.Chmod(filepath.Join(dir, bothFile), 0o644) },
		"a chain cut":   func(dir string) error { return os.Truncate(filepath.Join(dir, chainFile), 10) },
		"the link gone": os.Remove,
		"the link lost": func(dir string) error { return errors.Join(os.Remove(dir), os.Symlink("nowhere", dir)) },
	} {
		if err := damage(filepath.Join(o.Dir, "a.example")); err != nil {
			t.Fatal(err)
		}
		if _, err := Export(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.served("a.example"); err != nil {
			t.Errorf("%s: %v, want it whole again", name, err)
		}
	}
}

func TestAFolderInTheWayReplacesNothing(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	one, two := ca.issue(60*day, "a.example"), ca.issue(60*day, "b.example")
	p.write(acmeJSON(t, one, two))
	o := p.options()
	foreign := filepath.Join(o.Dir, "a.example", "precious")
	if err := os.MkdirAll(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Export(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is not ours; move it away") {
		t.Errorf("a folder in the way: %v", err)
	}
	if len(got) != 1 || got[0].Name != "b.example" {
		t.Errorf("%+v, want the other certificate all the same", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	// A version that cannot be written: a file stands where its folder must be.
	if _, err := Export(t.Context(), p.options("b.example")); err != nil {
		t.Fatal(err)
	}
	before := leafOf(t, two)
	p.write(acmeJSON(t, ca.issue(70*day, "b.example")))
	kept := filepath.Join(o.Dir, versions, "b.example")
	if err := errors.Join(os.Rename(kept, kept+".aside"), os.WriteFile(kept, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(t.Context(), p.options("b.example")); err == nil {
		t.Error("no error where nothing can be written")
	}
	if err := errors.Join(os.Remove(kept), os.Rename(kept+".aside", kept)); err != nil {
		t.Fatal(err)
	}
	if leaf, err := p.served("b.example"); err != nil || !sameCert(leaf, before) {
		t.Errorf("after it could not be written: %v, want the one before", err)
	}
}

func sameCert(a, b *x509.Certificate) bool { return a != nil && a.Equal(b) }

func TestTwoDoNotWriteToOneFolder(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	e := ca.issue(60*day, "a.example")
	p.write(acmeJSON(t, e))
	o := p.options()
	stop := start(t, o)
	await(t, p, "a.example", leafOf(t, e).SerialNumber.Int64())
	if _, err := Export(t.Context(), o); !errors.Is(err, lease.ErrTaken) {
		t.Errorf("an export while it is watched: %v, want that it is in use", err)
	}
	stop()
	if _, err := Export(t.Context(), o); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A file that changes between two readings is not believed, however good each looks.
func TestAFileThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ca := newPlace(t), newAuthority(t)
		texts := [][]byte{acmeJSON(t, ca.issue(60*day, "a.example")), acmeJSON(t, ca.issue(60*day, "a.example"))}
		p.write(texts[0])
		writes := 20
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(pause / 2)
			for n := range writes {
				p.write(texts[(n+1)%2])
				time.Sleep(pause)
			}
		}()
		began := time.Now()
		if _, err := settle(t.Context(), p.acme()); err != nil {
			t.Error(err)
		}
		if took, want := time.Since(began), time.Duration(writes)*pause; took < want {
			t.Errorf("believed after %v, want it while nothing is written, after %v", took, want)
		}
		<-done
	})
}
