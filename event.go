package edgeban

// Seq is a place in the ledger's one sequence. The first event has Seq 1.
type Seq uint64

// An Event is a fact and its place in the sequence.
type Event struct {
	Seq  Seq
	Fact Fact
}

// A Fact is one of Match, Ban, Lift and Held.
type Fact interface{ fact() }

func (Match) fact() {}
func (Ban) fact()   {}
func (Lift) fact()  {}
func (Held) fact()  {}
