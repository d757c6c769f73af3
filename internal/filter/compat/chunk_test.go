package compat

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// mixture is a log of sessions that overlap, with dates and without.
func mixture(rnd *rand.Rand, lines int) []byte {
	var b bytes.Buffer
	for i := range lines {
		if rnd.IntN(4) > 0 {
			fmt.Fprintf(&b, "%s ", now.Add(time.Duration(i-lines)*time.Second).Format(time.Stamp))
		}
		id, addr, user := rnd.IntN(5), rnd.IntN(3), rnd.IntN(2)
		switch rnd.IntN(7) {
		case 0:
			fmt.Fprintf(&b, "s%d hello from 192.0.2.%d", id, addr)
		case 1:
			fmt.Fprintf(&b, "s%d bad u%d", id, user)
		case 2:
			fmt.Fprintf(&b, "s%d wrong u%d by 192.0.2.%d\r", id, user, addr)
		case 3:
			fmt.Fprintf(&b, "s%d gone", id)
		case 4:
			fmt.Fprintf(&b, "s%d in as u%d by 192.0.2.%d", id, user, addr)
		case 5:
			fmt.Fprintf(&b, "s%d bye 192.0.2.%d", id, addr)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// inChunks reads a text cut behind the lines that cut tells.
func inChunks(s *Scanner, text []byte, cut func() bool) []edgeban.Match {
	var all []edgeban.Match
	for from, end := 0, 0; from < len(text); {
		end += bytes.IndexByte(text[end:], '\n') + 1
		if end < len(text) && !cut() {
			continue
		}
		for m := range s.Scan(edgeban.Chunk{Stream: "s", Base: int64(from), Text: text[from:end], Read: now}) {
			all = append(all, m)
		}
		from = end
	}
	return all
}

func TestChunkBordersDoNotMatter(t *testing.T) {
	dated := talk
	dated.PrefRegex = `^ ?<F-MLFID>s\d+</F-MLFID> <F-CONTENT>.+</F-CONTENT>$`
	lines := config.Rules{FailRegex: []string{`^.*hello from <HOST>$<SKIPLINES>.*bad`, `^.*bad u\d\n.*wrong .* by <HOST>`}, MaxLines: 4}
	for name, r := range map[string]config.Rules{"sessions": dated, "windows": lines} {
		found := 0
		for seed := range uint64(40) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			text := mixture(rnd, 60)
			want := inChunks(scanner(t, r), text, func() bool { return false })
			got := inChunks(scanner(t, r), text, func() bool { return rnd.IntN(3) == 0 })
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, seed %d:\ngot  %+v\nwant %+v\n%s", name, seed, got, want, text)
			}
			found += len(want)
		}
		if found < 40 {
			t.Errorf("%s: only %d matches: this proves nothing", name, found)
		}
	}
}

func TestSeenChunkBringsSessionsBack(t *testing.T) {
	s := scanner(t, talk)
	seen := edgeban.Chunk{Stream: "s", Text: []byte("s1 hello from 192.0.2.1\n"), Read: now, Live: true, Seen: true}
	for range s.Scan(seen) {
		t.Error("a match, want none")
	}
	if got := addrs(read(s, "s1 bad a")); got != "192.0.2.1" {
		t.Errorf("got %q, want the address that was seen before", got)
	}
}
