package session

import (
	"fmt"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestWhatAStoreSaysThatItRemembersIsAllThatItDoes(t *testing.T) {
	var s Store
	for i := range 1_000_000 {
		key := fmt.Append(nil, i)
		if v := s.Load(0, key, now); v != nil {
			t.Fatalf("key %d is known", i)
		}
		v := s.Begin(now, 1)
		s.Add(v)
		v.Meet(key)
		s.Take(v, [][]byte{key})
	}
	held := 0
	for v := s.oldest; v != nil; v = v.newer {
		held += v.size
	}
	if held != s.Size() || held > MaxBytes || len(s.byKey)*overhead > MaxBytes || held < MaxBytes/2 {
		t.Errorf("%d sessions of %d bytes, said to be %d; want at most %d", len(s.byKey), held, s.Size(), MaxBytes)
	}
}

// What a hostile session has grown to is not kept for the next.
func TestLargeSessionsAreNotKeptToBeUsedAgain(t *testing.T) {
	var s Store
	for i := range 2 * maxFree {
		v := s.Load(0, []byte{byte(i)}, now)
		if v == nil {
			v = s.Begin(now, 1)
			s.Add(v)
		}
		v.Meet(make([]byte, 60_000))
		s.Remove(v)
	}
	s.reuse()
	kept := 0
	for _, v := range s.free {
		kept += cap(v.text) + cap(v.users)
	}
	if kept > maxFree*freeText {
		t.Errorf("%d bytes are kept, want %d at most", kept, maxFree*freeText)
	}
}
