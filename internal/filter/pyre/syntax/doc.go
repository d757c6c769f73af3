// Package syntax reads the regular expressions of Python's re to trees, and says
// of trees what they can begin with and what every match of them holds.
//
// It follows Python 3.11 for patterns that are str: what it refuses, Python
// refuses, and the other way round but for \N{NAME} and limits of size. Errors
// point at their byte. The package must not match anything.
package syntax
