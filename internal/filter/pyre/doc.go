// Package pyre matches Python's regular expressions, as the filters of fail2ban
// are written in, within a bound of time and memory, and without allocating.
//
// It finds what re.search of Python 3.11 finds in a str: the same match, and the
// same text in every group. The text is bytes of UTF-8, and so are all offsets.
//
// # How
//
// An expression is parsed to a tree (parse.go, escape.go, tree.go) and compiled
// from its end to a graph (graph/compile.go): each node knows what can follow. So a run
// of characters that cannot begin what follows is never taken back, a branch is
// chosen by its first byte, and a lazy run goes at once to where it may end. The
// machine (match.go, run.go) tries ways in Python's order, with a stack and an
// undo log of its own, never Go's stack.
//
// A jump (graph/jump.go) leads past all that the next byte decides. Where a group ends
// that a condition asks for, what the condition then asks for is looked for at once
// (graph/owed.go). Both only leave out ways that lead nowhere. How a search went is noted
// now and then (record.go), without what it tried in vain: a text of the same kind is
// searched by that alone (package way).
//
// A search is plain backtracking at first. If that takes too many steps, it goes
// on with a table of failures: that nothing beginning at this node with this
// place leads to a match. That depends on nothing else, except
//
//   - in a loop around what may match nothing: whether this time it has matched
//     nothing so far, for then the loop ends (Python's rule). Only the number of
//     such loops matters, for the inner ones begin behind the outer ones;
//   - where a condition comes later: whether its group took part;
//   - where a back-reference comes later: on the text of a group. There is no
//     table for such nodes.
//
// The first two are rows of the table. Inside of a look-around, failing means not
// to reach its end; what has reached it is noted, too, unless captures are asked
// for. The table holds for all starts of a search, so its time is linear in the
// length of the text. What remains is cut off by a number of steps: the search is
// then spent.
//
// # What is different
//
//   - A search may be spent; see Matcher.Spent.
//   - An invalid byte is one U+FFFD. Python's decoders sometimes make one of two.
//   - \N{NAME} is an error, and so is what has more than 50,000 parts when its
//     repetitions are written out, or more than 200 groups inside of each other.
//   - Python 3.11 sometimes keeps what a group took in a branch that failed, in
//     loops that are possessive. That is a mistake of it, not followed here.
//
// The package must not know what a tag, a line or a filter is.
package pyre
