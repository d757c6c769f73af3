package enforce_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// counting is a firewall that blocks what the alias holds, and counts that.
func counting(t *testing.T, version string, play func(*lab)) {
	rule := opnsensetest.Rule{UUID: "edb00000-0000-4000-9000-000000000001", Fields: map[string]string{
		"action": "block", "interface": "wan", "ipprotocol": "inet46", "source_net": alias,
	}}
	inLab(t, opnsensetest.Options{Version: version, Aliases: []opnsensetest.Alias{{Name: alias, Counters: true}}, Rules: []opnsensetest.Rule{rule}}, play)
}

func (l *lab) knock(p netip.Prefix, n int) {
	for range n {
		l.firewall.Packet(opnsensetest.Packet{From: p.Addr().String(), Interface: "wan", ToPort: 25})
	}
}

// packets returns what the ledger knows of an entry, and the keeper besides.
func (l *lab) packets(p netip.Prefix) (known, more uint64) {
	l.Helper()
	r, err := l.store.About(l.Context(), p, 0)
	if err != nil {
		l.Fatal(err)
	}
	for _, h := range r.Held {
		known += h.Packets
	}
	return known, l.keeper.Dropped(p)
}

func (l *lab) dropped(want uint64) {
	l.Helper()
	if s := l.keeper.Status(); s.Dropped != want || s.From.IsZero() {
		l.Errorf("%d packets dropped since %v, want %d", s.Dropped, s.From, want)
	}
}

func TestDroppedPacketsAreCountedOnce(t *testing.T) {
	for _, version := range []string{"25.1", "26.7.2"} {
		t.Run(version, func(t *testing.T) {
			counting(t, version, func(l *lab) {
				l.firewall.Insert(alias, "198.51.100.7")
				b, other := l.ban(subject(1), 3*time.Hour), l.ban(netip.MustParsePrefix("2001:db8:0:7::/64"), 24*time.Hour)
				time.Sleep(time.Minute)
				l.knock(b.Subject, 30)
				l.knock(other.Subject, 7)
				l.knock(netip.MustParsePrefix("198.51.100.7/32"), 1000) // not ours to count
				time.Sleep(time.Minute)
				l.dropped(37)
				if known, more := l.packets(b.Subject); known+more != 30 {
					t.Errorf("%d + %d packets of the subject, want 30", known, more)
				}
				seq, _, _ := l.store.Head(t.Context())
				for range 30 { // counters move all the time: the ledger does not
					l.knock(b.Subject, 1)
					time.Sleep(time.Minute)
				}
				if now, _, _ := l.store.Head(t.Context()); now-seq > 2 {
					t.Errorf("%d events in half an hour of moving counters, want hardly any", now-seq)
				}
				l.stop() // and what was not written down is known all the same
				l.start()
				time.Sleep(time.Minute)
				if known, more := l.packets(b.Subject); known+more != 60 {
					t.Errorf("after a restart %d + %d packets of the subject, want 60", known, more)
				}
				time.Sleep(70 * time.Minute)
				if known, more := l.packets(b.Subject); known != 60 || more != 0 {
					t.Errorf("after more than an hour the ledger knows of %d packets, the keeper of %d more; want 60 and 0", known, more)
				}
				l.knock(b.Subject, 5)
				time.Sleep(2 * time.Hour) // the ban has ended
				if known, more := l.packets(b.Subject); known != 65 || more != 0 {
					t.Errorf("of a ban that has ended %d + %d packets are known, want 65", known, more)
				}
			})
		})
	}
}

func TestCountersThatBeginAnewAreAddedUp(t *testing.T) {
	counting(t, "", func(l *lab) {
		b := l.ban(subject(1), 0)
		time.Sleep(time.Minute)
		for range 3 {
			l.knock(b.Subject, 10)
			time.Sleep(time.Minute)
			l.firewall.Reboot()
			time.Sleep(2 * time.Minute)
		}
		l.knock(b.Subject, 3)
		time.Sleep(time.Minute)
		l.firewall.Remove(alias, b.Subject.Addr().String()) // and back before anybody looks
		l.firewall.Insert(alias, b.Subject.Addr().String())
		l.knock(b.Subject, 1)
		time.Sleep(time.Minute)
		l.dropped(34)
		l.stop()
		l.reload = true
		l.start()
		l.dropped(34)
		l.knock(b.Subject, 1)
		time.Sleep(time.Minute)
		l.dropped(35)
		if known, more := l.packets(b.Subject); known+more != 35 {
			t.Errorf("%d + %d packets of the subject, want 35", known, more)
		}
	})
}

func TestPacketsOfADayAreThatDays(t *testing.T) {
	counting(t, "", func(l *lab) {
		b := l.ban(subject(1), 0)
		time.Sleep(time.Minute)
		l.knock(b.Subject, 10)
		time.Sleep(25 * time.Hour)
		l.knock(b.Subject, 2)
		time.Sleep(time.Minute)
		l.dropped(2)
		if s := l.keeper.Status(); s.From.Hour() != 0 || s.From.Day() != time.Now().Day() {
			t.Errorf("counted from %v, want midnight", s.From)
		}
	})
}

func TestAFirewallThatDoesNotCountHasDroppedNothing(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		b := l.ban(subject(1), 0)
		l.knock(b.Subject, 10)
		time.Sleep(time.Minute)
		if s := l.keeper.Status(); s.Dropped != 0 || !s.From.IsZero() {
			t.Errorf("status %+v, want no word of packets", s)
		}
		hs, err := l.store.Holdings(t.Context(), "edge")
		if h, _ := hs.Of(b.Subject); err != nil || h != (edgeban.Held{Subject: b.Subject, Target: "edge", Sent: h.Sent, Held: h.Held}) {
			t.Errorf("got %+v (%v)", h, err)
		}
	})
}
