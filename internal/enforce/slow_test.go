package enforce_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// A wall is a target that is slow in ways in which the fake firewall is not.
type wall struct {
	mu      sync.Mutex
	held    map[netip.Prefix]bool
	added   map[netip.Prefix]time.Time
	swallow netip.Prefix  // accepted, never listed
	late    time.Duration // the next add times out, and arrives so much later
}

func (w *wall) Fits(netip.Prefix) bool { return true }

func (w *wall) Held(context.Context) (out []netip.Prefix, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.held {
		out = append(out, p)
	}
	return out, nil
}

func (w *wall) Apply(_ context.Context, d enforce.Diff) error {
	w.mu.Lock()
	late := w.late
	w.late = 0
	w.mu.Unlock()
	if late > 0 {
		time.AfterFunc(late, func() { w.change(d) })
		time.Sleep(30 * time.Second) // in the bubble
		return context.DeadlineExceeded
	}
	w.change(d)
	return nil
}

func (w *wall) change(d enforce.Diff) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range d.Add {
		if p != w.swallow {
			w.held[p], w.added[p] = true, time.Now()
		}
	}
	for _, p := range d.Remove {
		delete(w.held, p)
	}
}

func (w *wall) holds(p netip.Prefix) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held[p]
}

// behind puts a wall in the place of the lab's firewall.
func behind(t *testing.T, play func(*lab, *wall)) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.stop()
		w := &wall{held: map[netip.Prefix]bool{}, added: map[netip.Prefix]time.Time{}}
		l.settings.Target = w
		l.run()
		play(l, w)
	})
}

func TestEntryThatIsNeverListedKeepsNobodyWaiting(t *testing.T) {
	behind(t, func(l *lab, w *wall) {
		w.mu.Lock()
		w.swallow = subject(1)
		w.mu.Unlock()
		l.ban(subject(1), 24*time.Hour)
		time.Sleep(10 * time.Minute)
		for i := range 20 {
			b, at := l.ban(subject(10+i), time.Hour), time.Now()
			time.Sleep(70 * time.Second)
			w.mu.Lock()
			if late := w.added[b.Subject].Sub(at); late > time.Second || late < 0 {
				t.Errorf("a new ban was sent after %v, want at once", late)
			}
			w.mu.Unlock()
		}
	})
}

func TestTargetOfANewNameLetsGoWhatItHeldUnderTheOld(t *testing.T) {
	behind(t, func(l *lab, w *wall) {
		b := l.ban(subject(1), time.Hour)
		time.Sleep(time.Minute)
		l.stop()
		l.settings.Name = "another name"
		l.run()
		time.Sleep(2 * time.Hour)
		if w.holds(b.Subject) {
			t.Error("an hour after its end the ban is held")
		}
	})
}

func TestEntryThatArrivesLateIsOursAndGoes(t *testing.T) {
	behind(t, func(l *lab, w *wall) {
		w.mu.Lock()
		w.late = 33 * time.Second
		w.mu.Unlock()
		b := l.ban(subject(1), time.Hour)
		time.Sleep(5 * time.Second)
		if err := l.store.Lift(t.Context(), edgeban.Lift{Key: b.Key, At: l.now(), By: "the owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if w.holds(b.Subject) {
			t.Error("an hour after it was lifted the ban is held")
		}
	})
}

func TestNobodyIsToldOfTheEndOfWhatWasNeverHeld(t *testing.T) {
	behind(t, func(l *lab, w *wall) {
		l.notices()
		w.mu.Lock()
		w.swallow = subject(1)
		w.mu.Unlock()
		l.ban(subject(1), 10*time.Minute)
		time.Sleep(time.Hour)
		if ks := kinds(l.notices()); slices.Contains(ks, edgeban.NoticeUnban) {
			t.Errorf("told %v of an entry that was never held", ks)
		}
	})
}

func TestBanOfAJailThatGoesElsewhereIsLeftAloneInDoubt(t *testing.T) {
	behind(t, func(l *lab, w *wall) {
		l.stop()
		l.settings.Sends = func(b edgeban.Ban) bool { return b.Jail == "sshd" }
		l.run()
		b := l.ban(subject(1), time.Hour)
		other := edgeban.Ban{Key: edgeban.Key{Jail: "elsewhere", Subject: b.Subject}, Since: l.now(), Until: l.now().Add(48 * time.Hour)}
		if err := l.store.Impose(t.Context(), edgeban.Verdict{Ban: other}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		l.mu.Lock()
		l.offset, l.doubt = 2*time.Hour, "the clock jumped"
		l.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if !w.holds(b.Subject) {
			t.Error("an entry was removed while the clock was in doubt")
		}
	})
}
