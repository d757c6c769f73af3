// Package never keeps edgeban from biting its owner: it finds the addresses that
// must not be banned, whatever a log says, and answers quickly whether one is.
//
// A Finder looks at the host (its addresses, gateways and resolvers), at what the
// configuration talks to, and at the owner's words (addresses, networks, names,
// files), and makes a List. A jail's ignoreip is found in the same way. Names are
// looked up again and again, because home addresses move, and what was known
// stays known when the resolver is away.
//
// It must not decide who is banned, and a reader of a List never waits for a
// lookup. Where it cannot know, it protects.
package never
