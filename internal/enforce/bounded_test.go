package enforce_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// A page is a Whole target with little room.
type page struct {
	mu   sync.Mutex
	held []netip.Prefix
	n    int // calls of Apply
}

func (p *page) Whole()                 {}
func (p *page) Room() int              { return 5 }
func (p *page) Fits(netip.Prefix) bool { return true }

func (p *page) Held(context.Context) ([]netip.Prefix, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held, nil
}

func (p *page) Apply(_ context.Context, d enforce.Diff) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = d.Want
	p.n++
	return nil
}

func (p *page) now() ([]netip.Prefix, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.held), p.n
}

// A target that takes so many holds the newest and the worst; the rest is said, and
// waits without anything turning in circles.
func TestWhereThereIsNoRoomForAllTheNewestAndTheLongestAreHeld(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.stop()
		p := &page{}
		l.settings.Target, l.settings.Exclusive = p, true
		if err := l.store.Told(t.Context(), "phone", 0); err != nil {
			t.Fatal(err)
		}
		l.run()
		for i := range 10 { // the earlier, the longer
			l.ban(subject(i), time.Duration(100-i)*time.Hour)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		wants := func(when string, subjects ...int) {
			t.Helper()
			var want []netip.Prefix
			for _, i := range subjects {
				want = append(want, subject(i))
			}
			if got, _ := p.now(); !slices.Equal(got, want) {
				t.Errorf("%s: held %v, want %v", when, got, want)
			}
		}
		wants("ten at once", 5, 6, 7, 8, 9) // the newest
		if s := l.keeper.Status(); s.Wanted != 10 || s.Counts.Held != 5 || s.Waiting != 5 {
			t.Errorf("status %+v, want 5 of 10 held and 5 waiting", s.Counts)
		}
		time.Sleep(2 * time.Hour)
		wants("two hours later", 0, 1, 2, 3, 4) // the longest
		l.ban(subject(20), time.Hour)
		time.Sleep(time.Minute)
		wants("one more", 0, 1, 2, 3, 20)
		_, before := p.now()
		time.Sleep(10 * time.Hour)
		if _, after := p.now(); after-before > 10*3600/50+20 {
			t.Errorf("in ten quiet hours it was written %d times, want once each 50 s", after-before)
		}
		texts := ""
		for _, n := range l.notices() {
			if n.Kind == edgeban.NoticeTrouble {
				texts += n.Text + "\n"
			}
		}
		if !strings.Contains(texts, "takes 5 entries and no more") {
			t.Errorf("people were told %q, want that there is no room", texts)
		}
	})
}

// What a Whole target never shows must not make the keeper look without pause.
func TestATargetThatNeverShowsItIsNotAskedWithoutPause(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.stop()
		d := &deaf{}
		l.settings.Target, l.settings.Exclusive = d, true
		l.run()
		l.ban(subject(1), 100*time.Hour)
		time.Sleep(50 * time.Hour)
		if n := d.asked(); n > 50*3600/50+50 {
			t.Errorf("asked %d times in 50 hours, want once each 50 s", n)
		}
	})
}

// A deaf target takes everything and holds nothing.
type deaf struct {
	page
	n int
}

func (d *deaf) Held(context.Context) ([]netip.Prefix, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	return nil, nil
}

func (d *deaf) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}
