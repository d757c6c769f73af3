// Package scan finds the lines of a text that patterns may match, without cutting
// the others out.
//
// A pattern needs literals: a line without one of them is never shown to it. A Gate
// is made of the needs of all filters that read one log, and goes through a whole
// chunk at once. What it lets through is exact in one direction only: every line
// that a pattern matches passes, and most of those that pass match nothing.
//
// # How
//
// Where only every k-th place of a text is looked at, one of k neighbouring places of
// each literal is. So for each of the k there is a gram, three to five bytes, in a table:
// four places of the text are looked up at once, with no branch on what is met, for that
// cannot be foretold. Only then the eight bytes around a gram tell whether the literal may
// be there (look.go). How far the places are from each other depends on the shortest
// literal, of which a gram may go one byte beyond: short literals have a tier of their own
// if that costs less (tiers.go). The distance, how long grams are, which of them are
// taken, and how they are hashed is decided by a sample of the log, so that they are rare
// in it; what is found never depends on that (survey.go). Where the log is such that grams
// are met all the time in vain, a plain automaton over all literals takes over (dense.go).
//
// The package knows nothing of dates, jails or regular expressions.
package scan
