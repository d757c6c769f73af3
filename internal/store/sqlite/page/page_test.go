package page

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

// odd are matches of all shapes, at the places 1, 3, 5 and so on.
func odd() (events []edgeban.Event) {
	addr := netip.MustParseAddr
	for i, m := range []edgeban.Match{
		{},
		{ID: "1", Jail: "sshd", Kind: edgeban.Failure, Addr: addr("192.0.2.1"), Subject: netip.MustParsePrefix("192.0.2.1/32"), Count: 1, Time: noon, User: "root", Text: "a line"},
		{ID: strings.Repeat("0123456789abcdef", 2), Kind: edgeban.Success, Addr: addr("2001:db8::1"), Subject: netip.MustParsePrefix("2001:db8::/64"), Count: 3, Time: noon.Add(-time.Hour)},
		{ID: strings.Repeat("0123456789ABCDEF", 2), Kind: 200, Addr: addr("192.0.2.1"), Count: -1, Ignored: "never", Time: time.Unix(0, -5).UTC()},
		{ID: "\x00\xff", Jail: strings.Repeat("j", 300), Subject: netip.MustParsePrefix("198.51.100.0/24"), Count: 1, Kind: edgeban.Failure, User: "\x00", Text: strings.Repeat("日", 200)},
		{ID: "all", Subject: netip.MustParsePrefix("::/0"), Kind: edgeban.Failure, Count: 1 << 30, Time: noon},
	} {
		events = append(events, edgeban.Event{Seq: edgeban.Seq(2*i + 1), Fact: m})
	}
	return events
}

func TestMatchComesBackAsItWas(t *testing.T) {
	p := packOne(odd())
	got, err := unpack(p.Matches, nil)
	if err != nil || !reflect.DeepEqual(got, odd()) {
		t.Errorf("got %+v, %v, want %+v", got, err, odd())
	}
	if p.First != 1 || p.Last != 11 || p.N != 6 || !p.Oldest.Equal(time.Unix(0, -5)) {
		t.Errorf("got places %d to %d, %d matches, the oldest of %v", p.First, p.Last, p.N, p.Oldest)
	}
}

func TestPagesOneAfterTheOtherAreOne(t *testing.T) {
	var joined page
	for _, e := range odd() {
		joined.add(packOne([]edgeban.Event{e}))
	}
	whole := packOne(odd())
	whole.Subjects, joined.Subjects = nil, nil // one that is there twice is kept twice
	if !reflect.DeepEqual(joined, whole) {
		t.Errorf("got %+v, want %+v", joined, whole)
	}
}

func TestSubjectIsFoundByWhatItOverlaps(t *testing.T) {
	p := packOne(odd())
	for ask, want := range map[string]bool{
		"192.0.2.1/32": true, "192.0.2.0/24": true, "192.0.2.2/32": false, "198.51.100.9/32": true, "198.51.0.0/16": true,
		"203.0.113.0/24": false, "0.0.0.0/0": true, "2001:db8::2/128": true, "fe80::/10": true, // by ::/0
	} {
		asked := netip.MustParsePrefix(ask)
		some, err := unpack(p.Matches, asked.Overlaps)
		all := slices.DeleteFunc(odd(), func(e edgeban.Event) bool { return !row.Concerns(e.Fact, asked) })
		if err != nil || !slices.Equal(some, all) {
			t.Errorf("%s: got %+v, %v, want %+v", ask, some, err, all)
		}
		if got := Overlaps(p.Subjects, asked); got != want {
			t.Errorf("%s: got %t, want %t", ask, got, want)
		}
	}
	if p := packOne(odd()[:2]); Overlaps(p.Subjects, netip.MustParsePrefix("::/0")) {
		t.Error("IPv4 only: found under ::/0")
	}
}

func TestManyMatchesAreSeveralPages(t *testing.T) {
	var events []edgeban.Event
	for i := range 2*most + 1 {
		events = append(events, edgeban.Event{Seq: edgeban.Seq(i + 1), Fact: edgeban.Match{ID: fmt.Sprint(i)}})
	}
	var got []edgeban.Event
	pages := pack(events)
	for _, p := range pages {
		some, err := unpack(p.Matches, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, some...)
	}
	if len(pages) != 3 || !reflect.DeepEqual(got, events) {
		t.Errorf("got %d matches in %d pages, want %d in 3", len(got), len(pages), len(events))
	}
}

func TestHashOfAnIDIsFound(t *testing.T) {
	p := packOne(odd())
	if !has(p.IDs, map[uint32]bool{hash("1"): true}) || has(p.IDs, map[uint32]bool{hash("2"): true}) {
		t.Error("got 1 missed or 2 found, want the other way round")
	}
}

// A damaged page must neither crash nor be taken for a sound one.
func FuzzUnpack(f *testing.F) {
	f.Add(packOne(odd()).Matches)
	f.Add(binary.AppendUvarint([]byte{0, 1}, 1<<63))
	f.Fuzz(func(t *testing.T, b []byte) {
		for range Subjects(b) {
		}
		Overlaps(b, netip.MustParsePrefix("192.0.2.1/32"))
		events, err := unpack(b, nil)
		if err != nil || len(events) == 0 {
			return
		}
		again, err := unpack(packOne(events).Matches, nil)
		if err != nil || !reflect.DeepEqual(again, events) {
			t.Errorf("got %+v, %v, want %+v", again, err, events)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	var events []edgeban.Event
	for i := range most {
		a := netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)})
		events = append(events, edgeban.Event{Seq: edgeban.Seq(i + 1), Fact: edgeban.Match{
			ID: fmt.Sprintf("%032x", i), Jail: "sshd", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, 32), Count: 1, Time: noon,
			User: "root", Text: "Nov 22 12:00:00 host sshd[4242]: Failed password for root from 20.0.0.1 port 51000 ssh2",
		}})
	}
	p := packOne(events)
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			packOne(events)
		}
	})
	b.Run("unpack", func(b *testing.B) {
		for b.Loop() {
			if _, err := unpack(p.Matches, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("overlaps", func(b *testing.B) {
		for b.Loop() {
			Overlaps(p.Subjects, netip.MustParsePrefix("192.0.2.1/32"))
		}
	})
}
