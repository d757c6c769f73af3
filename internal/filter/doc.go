// Package filter turns chunks of log lines into matches: who failed, or
// succeeded, when, and the words that prove it.
//
// A filter is a YAML file; those for common services are embedded. It does no
// I/O but to read such a file, never asks the clock, and bans nobody: what a
// match leads to is decided elsewhere.
//
// # What a pattern sees
//
// The same service is logged in many dresses: by its container as it stands or
// wrapped in Docker's JSON, through /dev/log in the traditional or the ISO
// format, over the wire with a priority, with RFC 5424's header, with a count of
// bytes before it, and in two of these at once. A pattern sees none of that, but
// only the message:
//
//	Nov 22 11:29:49 auth: Info: passwd-file(...         auth: Info: passwd-file(...
//	Nov 22 11:50:51 imap dovecot: auth: passwd-file(... auth: passwd-file(...
//	<22>1 2026-11-22T11:50:51Z imap dovecot - - - auth: passwd-file(...
//
// The host and the program are taken off only if the program is one that the
// filter names under programs, so that another program's line, whatever it
// quotes, still begins with its own name and anchored patterns do not match.
// A filter without bare: true only takes lines that a program's name was taken
// off. A second header inside the first (Docker's syslog driver) is taken off if
// the outer name is one of programs, has one of containers among its parts
// (mail in shop-mail-1, not in webmail), or is a container's short ID.
// Without programs a pattern sees everything after the date.
//
// # The file
//
//	description: words for people
//	programs: [sshd, sshd-session]    # * stands for any text
//	containers: [ssh]                 # parts of container names, between - _ . /
//	bare: true                        # lines come without a program's name too
//	datepattern: none                 # or some of syslog, iso, clf, epoch, json: looked for in the whole line
//	ignore: [...]                     # patterns of lines that never count; tried first
//	failures: [...]                   # patterns; the first that matches wins
//	successes: [...]
//	now: 2026-11-22T12:00:00Z         # of the samples
//	zone: UTC
//	samples:
//	  - line: what the log says       # or several lines of it
//	    failure: 203.0.113.9          # or success: ADDRESS, or nothing: true
//	    user: alice
//	    count: 1
//	    time: 2026-11-22T11:29:49Z
//
// A pattern is a regular expression with tags (see package pattern), or a
// mapping:
//
//   - match: '^...'
//     program: postfix*/smtps/smtpd   # only lines of this program
//     counts: total
//
// # One failed login, several lines
//
// Lines that tell of the same login have a <F-SESSION> in common. A line that
// counts each (the default) stands for one failure, or for <F-COUNT> of them. One
// that counts total tells how many failures the session had altogether: what its
// other lines have counted is taken off. One that counts once stands for the
// first failure of its session, whether another line tells of it before or
// after. A line under ignore with a <F-SESSION> is worth one in a total, and
// counts nothing itself.
//
// Sessions are kept for five minutes and bounded in number, in memory only. If
// reading resumes in the middle of a stream, a total whose <F-AGE> reaches back
// before that place is not counted: the lines that were read before may have
// counted it. A line with <F-BY> is left out if, within two seconds, another
// speaker has told of the same user, address and session: several password
// databases that are asked in turn each write a line.
package filter
