package certs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWarningsComeAfterTraefikShouldHaveRenewed(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	now := time.Now().Truncate(time.Second)
	for _, c := range []struct {
		lifetime, left, warn time.Duration
		want                 string // in the sentence; empty for none
	}{
		{90*day - time.Second, 29 * day, 0, ""}, // Traefik tries since a day
		{90*day - time.Second, 15*day + time.Hour, 0, ""},
		{90*day - time.Second, 15*day - time.Hour, 0, "expires in 14 days"},
		{90 * day, 25 * day, 30 * day, "expires in 25 days"},
		{90 * day, 10 * day, 7 * day, ""},
		{47 * day, 6 * day, 0, ""},
		{47 * day, 4 * day, 0, "expires in 4 days"},
		{6 * day, 25 * time.Hour, 0, ""},
		{6 * day, 23 * time.Hour, 0, "expires in 23 hours"},
		{400 * day, 50 * day, 0, "expires in 50 days"},
		{2 * day, 90 * time.Minute, 0, "expires in 90 minutes"},
		{2 * time.Hour, 5 * time.Minute, 0, "expires in 5 minutes"},
		{90 * day, -time.Hour, 0, "expired on"},
	} {
		e := ca.issueFrom(now.Add(c.left-c.lifetime), c.lifetime, "a.example")
		f, err := open(p.options().Dir, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.put("a.example", pair{chain: e.chain, key: e.key}, now); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(expiring(f, f.list(), c.warn, now))
		if c.want == "" && got != "[]" || !strings.Contains(got, c.want) {
			t.Errorf("%v left of %v, warn %v: %s; want %q", c.left, c.lifetime, c.warn, got, c.want)
		}
		f.close()
	}
}

// People are told once a day until it is renewed, and again at once if they could
// not be told.
func TestAnExpiryIsToldOnceADayUntilRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ca := newPlace(t), newAuthority(t)
		p.write(acmeJSON(t, ca.issue(15*day+time.Hour, "a.example")))
		o := p.options()
		o.NoInotify = true
		var log record
		o.Log = log.log()
		var mu sync.Mutex
		var tries, told int
		o.Tell = func(_ context.Context, text string) error {
			mu.Lock()
			defer mu.Unlock()
			if tries++; tries == 1 {
				return errors.New("ntfy is away")
			}
			if told++; !strings.Contains(text, "certificate a.example expires in ") {
				t.Errorf("told %q", text)
			}
			return nil
		}
		stop := start(t, o)
		defer stop()
		after := func(d time.Duration, wantTold, wantLogged int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			logged := strings.Count(strings.Join(log.all(), ""), "a certificate ends")
			if told != wantTold || logged != wantLogged {
				t.Errorf("after another %v: %d told, %d logged; want %d and %d", d, told, logged, wantTold, wantLogged)
			}
		}
		after(59*time.Minute, 0, 0)
		after(2*time.Minute, 0, 1) // the first try fails
		after(lastTry+poll, 1, 1)
		after(23*time.Hour, 1, 1)
		after(time.Hour+10*time.Minute, 2, 2)
		p.write(acmeJSON(t, ca.issue(89*day, "a.example")))
		after(30*time.Hour, 2, 2)
	})
}

// A trouble that lasts is one line in the log, and so is its end.
func TestATroubleIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ca := newPlace(t), newAuthority(t)
		o := p.options("a.example")
		o.NoInotify = true
		var log record
		o.Log = log.log()
		stop := start(t, o)
		defer stop()
		time.Sleep(time.Hour)
		p.write(acmeJSON(t, ca.issue(80*day, "a.example")))
		time.Sleep(time.Hour)
		synctest.Wait()
		lines := log.all()
		for i, want := range []string{"is this the path of its storage?", "exported again", "certificate written"} {
			if i >= len(lines) || !strings.Contains(lines[i], want) {
				t.Fatalf("the log is %q, want a line %d with %q", lines, i+1, want)
			}
		}
		if len(lines) != 3 {
			t.Errorf("the log is %q, want three lines", lines)
		}
	})
}
