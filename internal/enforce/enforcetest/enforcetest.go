// Package enforcetest holds every enforce.Target to its contract.
package enforcetest

import (
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/edgeban/edgeban/internal/enforce"
)

// A Control reaches behind a target.
type Control struct {
	// Entries returns what the target really holds, in any order.
	Entries func() []netip.Prefix

	// Insert adds an entry as somebody else would; nil where nobody else can.
	Insert func(netip.Prefix)

	// Break makes every call fail until Mend; nil where nothing can.
	Break, Mend func()
}

// Run holds a kind of target to the contract. Each call of open returns a new
// target that holds nothing.
func Run(t *testing.T, open func(t *testing.T) (enforce.Target, Control)) {
	t.Helper()
	for _, promise := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"EmptyHoldsNothing", emptyHoldsNothing},
		{"WhatWasAddedIsHeld", whatWasAddedIsHeld},
		{"AddingTwiceIsAddingOnce", addingTwiceIsAddingOnce},
		{"WhatWasRemovedIsGone", whatWasRemovedIsGone},
		{"RemovingTheAbsentIsNothing", removingTheAbsentIsNothing},
		{"WhatIsForeignIsLeftAlone", whatIsForeignIsLeftAlone},
		{"AThousandAreHeld", aThousandAreHeld},
		{"AFailureIsToldAndMended", aFailureIsToldAndMended},
		{"WhatDoesNotFitNeverArrives", whatDoesNotFitNeverArrives},
		{"EverySpellingIsOneEntry", everySpellingIsOneEntry},
		{"SomeAtOnceAllArrive", someAtOnceAllArrive},
		{"AskedForOneItSaysTheTruth", askedForOneItSaysTheTruth},
		{"CountsAreOfWhatIsHeld", countsAreOfWhatIsHeld},
	} {
		t.Run(promise.name, func(t *testing.T) {
			target, control := open(t)
			promise.test(t, &bench{target: target, Control: control})
		})
	}
}

// A bench is a target and what the test wants it to hold.
type bench struct {
	target enforce.Target
	Control
	want []netip.Prefix
}

// change makes the target hold more and less, as a Keeper does.
func (b *bench) change(t *testing.T, add, remove []netip.Prefix) error {
	t.Helper()
	b.want = slices.DeleteFunc(b.want, func(p netip.Prefix) bool { return slices.Contains(remove, p) })
	for _, p := range add {
		if b.target.Fits(p) && !slices.Contains(b.want, p) {
			b.want = append(b.want, p)
		}
	}
	slices.SortFunc(b.want, netip.Prefix.Compare)
	return b.target.Apply(t.Context(), enforce.Diff{Want: slices.Clone(b.want), Add: add, Remove: remove})
}

func (b *bench) must(t *testing.T, add, remove []netip.Prefix) {
	t.Helper()
	if err := b.change(t, add, remove); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

// holds compares what the target says, and what it really holds, with want.
func (b *bench) holds(t *testing.T, want ...netip.Prefix) {
	t.Helper()
	got, err := b.target.Held(t.Context())
	if err != nil {
		t.Fatalf("Held: %v", err)
	}
	compare(t, "Held", got, want)
	compare(t, "it really holds", b.Entries(), want)
}

func compare(t *testing.T, what string, got, want []netip.Prefix) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, netip.Prefix.Compare)
	slices.SortFunc(want, netip.Prefix.Compare)
	if len(want) > 20 && len(got) != len(want) {
		t.Errorf("%s: %d entries, want %d", what, len(got), len(want))
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// subjects are an address of each family, and a network where one fits. A target
// may learn only from being asked, and from a refusal, that none does.
func (b *bench) subjects(t *testing.T) []netip.Prefix {
	t.Helper()
	all := prefixes("203.0.113.7/32", "2001:db8:0:7::7/128", "2001:db8:0:9::/64", "198.51.100.0/24")
	if _, err := b.target.Held(t.Context()); err != nil {
		t.Fatalf("Held: %v", err)
	}
	for _, p := range all {
		if err := b.change(t, []netip.Prefix{p}, nil); err != nil && b.target.Fits(p) {
			t.Errorf("%v is refused (%v), and still fits", p, err)
		}
	}
	b.must(t, nil, all)
	return slices.DeleteFunc(all, func(p netip.Prefix) bool { return !b.target.Fits(p) })
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func emptyHoldsNothing(t *testing.T, b *bench) {
	b.holds(t)
	b.must(t, nil, nil)
	b.holds(t)
}

func whatWasAddedIsHeld(t *testing.T, b *bench) {
	subjects := b.subjects(t)
	if len(subjects) < 2 {
		t.Fatalf("only %v fit: a single address of each family must", subjects)
	}
	b.must(t, subjects, nil)
	b.holds(t, subjects...)
}

func addingTwiceIsAddingOnce(t *testing.T, b *bench) {
	subjects := b.subjects(t)
	for range 3 {
		b.must(t, subjects, nil)
	}
	b.holds(t, subjects...)
	b.must(t, nil, subjects[:1])
	b.holds(t, subjects[1:]...)
}

func whatWasRemovedIsGone(t *testing.T, b *bench) {
	subjects := b.subjects(t)
	b.must(t, subjects, nil)
	b.must(t, nil, subjects[1:])
	b.holds(t, subjects[0])
	b.must(t, subjects[1:], subjects[:1])
	b.holds(t, subjects[1:]...)
	b.must(t, nil, subjects[1:])
	b.holds(t)
}

func removingTheAbsentIsNothing(t *testing.T, b *bench) {
	subjects := b.subjects(t)
	b.must(t, subjects[:1], subjects[1:])
	b.holds(t, subjects[0])
}

func whatIsForeignIsLeftAlone(t *testing.T, b *bench) {
	if b.Insert == nil {
		return
	}
	foreign := netip.MustParsePrefix("192.0.2.99/32")
	b.Insert(foreign)
	subjects := b.subjects(t)
	b.must(t, subjects, nil)
	b.holds(t, append(subjects, foreign)...)
	b.must(t, nil, subjects)
	b.holds(t, foreign)
}

func aThousandAreHeld(t *testing.T, b *bench) {
	var many []netip.Prefix
	addr := netip.MustParseAddr("198.18.0.0")
	for range 1000 {
		addr = addr.Next()
		many = append(many, netip.PrefixFrom(addr, 32))
	}
	b.must(t, many, nil)
	b.holds(t, many...)
	b.must(t, nil, many[10:])
	b.holds(t, many[:10]...)
}

func aFailureIsToldAndMended(t *testing.T, b *bench) {
	if b.Break == nil {
		return
	}
	subjects := b.subjects(t)
	b.must(t, subjects[:1], nil)
	b.Break()
	if err := b.change(t, subjects[1:], nil); err == nil {
		t.Error("Apply to a broken target: no error")
	}
	if held, err := b.target.Held(t.Context()); err == nil {
		t.Errorf("Held of a broken target: %v and no error", held)
	}
	b.Mend()
	b.must(t, subjects[1:], nil)
	b.holds(t, subjects...)
}

func whatDoesNotFitNeverArrives(t *testing.T, b *bench) {
	refused := []netip.Prefix{
		{},
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
		netip.PrefixFrom(netip.MustParseAddr("::ffff:203.0.113.9"), 128),
		netip.PrefixFrom(netip.MustParseAddr("203.0.113.77"), 24),
	}
	for _, p := range refused {
		if b.target.Fits(p) {
			t.Errorf("%v fits", p)
		}
	}
	subjects := b.subjects(t)
	// Whether it is an error is the target's affair; the rest must arrive.
	_ = b.change(t, append(slices.Clone(refused), subjects...), nil)
	b.holds(t, subjects...)
}

func everySpellingIsOneEntry(t *testing.T, b *bench) {
	long := netip.PrefixFrom(netip.MustParseAddr("2001:0DB8:0000:0000:0007:0000:0000:0ABC"), 128)
	b.must(t, []netip.Prefix{long}, nil)
	b.holds(t, netip.MustParsePrefix("2001:db8::7:0:0:abc/128"))
	b.must(t, nil, prefixes("2001:db8::7:0:0:abc/128"))
	b.holds(t)
}

func someAtOnceAllArrive(t *testing.T, b *bench) {
	if _, whole := b.target.(enforce.Whole); whole {
		return // what it is to hold is one thing: nobody sends two at once
	}
	subjects := b.subjects(t)
	var senders sync.WaitGroup
	for _, p := range subjects {
		senders.Go(func() {
			if err := b.target.Apply(t.Context(), enforce.Diff{Add: []netip.Prefix{p}}); err != nil {
				t.Errorf("Apply %v: %v", p, err)
			}
		})
		if _, err := b.target.Held(t.Context()); err != nil {
			t.Errorf("Held: %v", err)
		}
	}
	senders.Wait()
	b.holds(t, subjects...)
}

func askedForOneItSaysTheTruth(t *testing.T, b *bench) {
	asker, can := b.target.(enforce.Asker)
	if !can {
		return
	}
	subjects := b.subjects(t)
	says := func(p netip.Prefix, want bool) {
		t.Helper()
		if held, known, err := asker.Holds(t.Context(), p); err != nil || known && held != want {
			t.Errorf("asked for %v: held %v, known %v (%v), want %v", p, held, known, err, want)
		}
	}
	for i, p := range subjects {
		says(p, false)
		b.must(t, []netip.Prefix{p}, nil)
		for j, q := range subjects {
			says(q, j <= i)
		}
	}
	says(netip.MustParsePrefix("198.18.7.7/32"), false)
	b.must(t, nil, subjects[:1])
	says(subjects[0], false)
	if b.Break != nil {
		b.Break()
		defer b.Mend()
		if held, _, err := asker.Holds(t.Context(), subjects[1]); err == nil {
			t.Errorf("asked while it is broken: held %v and no error", held)
		}
	}
}

func countsAreOfWhatIsHeld(t *testing.T, b *bench) {
	counter, can := b.target.(enforce.Counter)
	if !can {
		return
	}
	b.must(t, b.subjects(t), nil)
	held, err := b.target.Held(t.Context())
	if err != nil {
		t.Fatalf("Held: %v", err)
	}
	counts := counter.Packets()
	if !slices.IsSortedFunc(counts, func(a, b enforce.Count) int { return a.Entry.Compare(b.Entry) }) {
		t.Errorf("%v are not sorted", counts)
	}
	for _, c := range counts {
		if !slices.Contains(held, c.Entry) || c.Packets == 0 {
			t.Errorf("%+v is counted, and held are %v", c, held)
		}
	}
}
