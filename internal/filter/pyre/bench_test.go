package pyre

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

const (
	benchHost = `\[?(?:(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})|(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|:){1,7}(?:[0-9a-fA-F]{1,4}|:))|(?P<dns>[\w\-.^_]*\w))\]?`
	benchHead = `^ *(?:<\d+> +)?(?:[^\s:]+ )?(?:\[tag \w+\] +)?(?:[a-z]+\.[a-z]+ )?`
)

// Expressions like those of filters, in our words, and a line that matches.
var benches = []struct{ name, expr, line string }{
	{
		"sshd/prefix", benchHead + `(?:sshd(?:-session)?\[\d+\]: +|\[\d+\]: +\(sshd(?:-session)?\): *)(?:error: )?(?P<content>.+)$`,
		" gate sshd[3417]: Failed password for invalid user oracle from 203.0.113.77 port 55022 ssh2\n",
	},
	{
		"sshd/failed", `^Failed \S+ for (?P<user>(?:(?:invalid|unknown) user )?\S*|(?:(?! from ).)*?) from ` + benchHost + `(?: (?:port \d+|on \S+|ssh\d*)){0,3}\s*$`,
		"Failed password for invalid user oracle from 203.0.113.77 port 55022 ssh2\n",
	},
	{
		"sshd/invalid", `^(?:Illegal|Invalid) user .*? from ` + benchHost + `(?: port \d+)?\s*$`,
		"Invalid user oracle from 203.0.113.77 port 55022\n",
	},
	{
		"postfix/sasl", benchHead + `(?:postfix(?:-\w+)?/(?:submission/|smtps/)?smtp[ds]?)(?:\[\d+\])?: warning: [^[]*\[` + benchHost + `\](?::\d+)?: SASL [A-Z]+(?:-[A-Z\d]+)? authentication failed:(?! connection lost| no such mechanism)`,
		" mail postfix/smtpd[11877]: warning: unknown[203.0.113.77]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=admin@example.com\n",
	},
	{
		"postfix/reject", `^RCPT from [^[]*\[` + benchHost + `\](?::\d+)?: 55[04] 5\.7\.1\s(?:<[^>]*>)?(?: )?(?:Client host rejected: cannot find your (?:reverse )?hostname\b|Relay access denied|Sender address rejected: (?:undeliverable address|Domain not found)\b)`,
		"RCPT from unknown[203.0.113.77]: 554 5.7.1 <someone@example.net>: Relay access denied; from=<a@example.com> to=<someone@example.net> proto=ESMTP helo=<x>\n",
	},
	{
		"dovecot/auth", benchHead + `(?:dovecot(?:-auth)?|auth)(?:\[\d+\])?:?\s+(?:auth|(?:imap|pop3|submission|managesieve)-login): (?:Info: )?(?:Login aborted|Disconnected(?:: [A-Z]\w+)?)[^(]* \((?:auth failed, (?:1 attempt|\d+ attempts)(?: in \d+ secs)?|no auth attempts)\):(?: user=<(?P<user>[^>]*)>,)?(?: method=\S+,)? rip=` + benchHost + `(?:, lip=\S+)?(?:, TLS(?: handshaking)?)?(?:, session=<[^>]*>)?\s*$`,
		" imap dovecot: imap-login: Disconnected: Inactivity (auth failed, 3 attempts in 17 secs): user=<alice@example.com>, method=PLAIN, rip=203.0.113.77, lip=192.0.2.5, TLS, session=<AnnOFtxgb4vLAHEq>\n",
	},
	{
		"web/status", `^` + benchHost + ` \S+ \S+ \[\] "(?:GET|POST|HEAD) [^"]*" (?:401|403|404) \d+ "[^"]*" "[^"]*"$`,
		`203.0.113.77 - - [] "GET /admin/login.php HTTP/1.1" 404 153 "-" "Mozilla/5.0 (X11; Linux x86_64)"` + "\n",
	},
	{
		"unanchored", `(?:authentication|login) failure;? .*?rhost=` + benchHost + `(?:\s|$)`,
		" gate su: pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=bob rhost=203.0.113.77  user=root\n",
	},
}

// another is a line that none of them matches, of the usual length.
const another = " mail cron[7711]: (root) CMD (test -x /usr/bin/something && /usr/bin/something --quiet --every 5 minutes >/dev/null)\n"

func BenchmarkSearch(b *testing.B) {
	for _, bb := range benches {
		re, err := Compile(bb.expr, 0)
		if err != nil {
			b.Fatal(err)
		}
		std, _ := regexp.Compile(toGo(bb.expr))
		for _, on := range []struct{ name, line string }{{"hit", bb.line}, {"miss", strings.Replace(bb.line, "203.0.113.77", "<>", 1)}, {"other", another}} {
			text := []byte(on.line)
			b.Run(fmt.Sprintf("%s/%s", bb.name, on.name), func(b *testing.B) {
				var m Matcher
				b.ReportAllocs()
				for b.Loop() {
					m.Search(re, text)
				}
			})
			b.Run(fmt.Sprintf("%s/%s/stdlib", bb.name, on.name), func(b *testing.B) {
				if std == nil {
					b.Skip("not for Go's regexp")
				}
				for b.Loop() {
					std.FindSubmatchIndex(text)
				}
			})
		}
	}
}
