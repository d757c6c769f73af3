// Package edgeban is the vocabulary of the daemon: what a chunk of log lines, a
// match, a ban and a notice are, and what every ledger must promise.
//
// It holds no goroutine, does no I/O and imports only the standard library.
package edgeban
