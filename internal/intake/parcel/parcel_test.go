package parcel

import (
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/edgeban/edgeban"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 123_000, time.UTC)

// failure is a match of a jail; an address may be followed by the bits of its subject.
func failure(jail, subject string) edgeban.Match {
	p := netip.MustParsePrefix(subject)
	return edgeban.Match{
		Jail: jail, Kind: edgeban.Failure, Addr: p.Addr(), Subject: p.Masked(), Count: 1, Time: noon,
		User: "root", Text: "refused " + p.Addr().String(),
	}
}

// What decides on a ban or is shown of it must be the same whether it waited or not.
func TestWhatIsPackedComesOutAsItWas(t *testing.T) {
	ignored, success := failure("door", "192.0.2.1/32"), failure("door", "2001:db8::1/128")
	many, own, old := failure("gate", "203.0.113.9/32"), failure("gate", "192.0.2.7/32"), failure("gate", "203.0.113.9/24")
	ignored.Ignored, success.Kind, many.Count, old.Time = "never: 192.0.2.0/24", edgeban.Success, 7, time.Unix(-5, 3).UTC()
	own.Ignored, own.User = "this host's own address", ""
	parcels := [][][]edgeban.Match{
		{{failure("door", "203.0.113.9/32"), ignored, failure("door", "2001:db8:1:2:3::4/64"), success}, {}, {many, own, old}},
		{{}, {own}},
		{},
		{{failure("door", "255.255.255.255/32")}},
	}
	var o Opener
	p := New(3)
	for i, want := range parcels {
		p.Pack(want)
		if got := o.Open(p); len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("parcel %d:\ngot  %+v\nwant %+v", i, got, want)
		}
	}
}

func TestACountThatNoFoldHoldsIsTheLargest(t *testing.T) {
	m := failure("door", "203.0.113.9/32")
	m.Count = math.MaxInt
	p := New(1)
	p.Pack([][]edgeban.Match{{m}})
	if got := new(Opener).Open(p)[0][0].Count; got != math.MaxInt32 {
		t.Errorf("got a count of %d, want %d", got, math.MaxInt32)
	}
}

// It is why there are parcels: on two cores all of it moves.
func TestAnItemIsNoLargerThanALine(t *testing.T) {
	if got := unsafe.Sizeof(item{}); got > size {
		t.Errorf("an item has %d bytes, want %d", got, size)
	}
}

// Who bounds what waits must know of long lines.
func TestTheSizeOfAParcelIsThatOfItsTexts(t *testing.T) {
	m := failure("door", "203.0.113.9/32")
	m.Text = strings.Repeat("x", edgeban.MaxText)
	p := New(2)
	for range 2 {
		p.Pack([][]edgeban.Match{{m}, {m}})
		if got, want := p.Size(), 2*(64+len("root")+edgeban.MaxText); got != want {
			t.Errorf("got %d bytes, want %d", got, want)
		}
	}
}
