// Package compat turns chunks of log lines into matches by the patterns of a
// jail that is written in the way of fail2ban: its tags, what of a line its
// patterns see, which of them decides, and what belongs to the same session. It
// does no I/O, never asks the clock, looks no name up, and bans nobody.
//
// # What a pattern sees
//
// The date is cut out of the line and what is left on both sides is put together
// without a separator; one newline ends it. Where the transport knows the time
// nothing is cut:
//
//	Nov 22 11:29:49 mail sshd[1]: x       " mail sshd[1]: x\n"
//	[2026-11-22 11:29:49] x               "[] x\n"
//
// A prefregex is searched first, and if it has <F-CONTENT>, that is all that the
// failregexes see. The first failregex that matches decides. An ignoreregex that
// matches the same text drops the line; if there are fewer of them than two less
// than the failregexes, they are also tried first, on the whole line.
//
// # Sessions
//
// Lines with the same <F-MLFID> are one session: it remembers what its lines have
// told (an address, a user) for five minutes. A line with <F-NOFAIL> is only
// remembered, a failure without an address waits for a line that has one, and
// what tells of a second user is a failure whatever it says.
//
// # Where it differs from fail2ban
//
// What is no address is never banned: 999.1.1.1, 1:2 and digits that are not
// ASCII are counted in Stats.Invalid. Upper-case and written-out forms of mapped
// addresses are understood. A mask is left out: it is the address that is banned.
// A line of more than 64 KiB is left out. Sessions and windows belong to one log,
// and are bounded by memory rather than by number; time is the log's own.
package compat
