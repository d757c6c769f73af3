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
// Every literal of at least g+k-1 bytes holds a whole gram of g bytes at some place
// that is a multiple of k, wherever it stands. So k neighbouring grams of each
// literal are put into a table, and only every k-th place of the text is
// looked at: four places at once, with no branch until one is met (gram.go). Long
// literals are looked for at every fourth place, shorter ones at every second or at
// each. Which k neighbours are taken is decided by a sample of the log, so that they
// are rare in it; what is found never depends on that. Where the log is such that
// grams are met all the time in vain, a plain automaton over all literals takes over
// (dense.go).
//
// The package knows nothing of dates, jails or regular expressions.
package scan
