package edgeban

import "iter"

// Seq is a place in the ledger's one sequence. The first event has Seq 1.
type Seq uint64

// An Event is a fact and its place in the sequence.
type Event struct {
	Seq  Seq
	Fact Fact
}

// Each yields the events that a Ledger's Watch yields, one by one.
func Each(watch iter.Seq2[[]Event, error]) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for events, err := range watch {
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// A Fact is one of Match, Ban, Lift and Held.
type Fact interface{ fact() }

func (Match) fact() {}
func (Ban) fact()   {}
func (Lift) fact()  {}
func (Held) fact()  {}
