package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// Whoever fails to log in chooses a name, and what he says at HELO. Neither forges the
// login that would forgive him, nor one of another address.
func TestNoNameForgesALogin(t *testing.T) {
	const from, forged = "198.51.100.1", "203.0.113.66"
	templates := map[string][]string{
		"sshd": {
			"host sshd[1]: Failed password for invalid user NAME from " + from + " port 51000 ssh2",
			"host sshd[1]: Failed password for NAME from " + from + " port 51000 ssh2",
			"host sshd[1]: Invalid user NAME from " + from + " port 51000",
			"host sshd[1]: Connection closed by invalid user NAME " + from + " port 51000 [preauth]",
			"host sshd[1]: Disconnecting invalid user NAME " + from + " port 51000: Too many authentication failures [preauth]",
		},
		"dovecot": {
			"auth: Info: passwd-file(NAME," + from + ",<V6Wy9tgI9/LAHEK>): Password mismatch",
			"auth: Info: passwd-file(NAME," + from + ",<V6Wy9tgI9/LAHEK>): unknown user",
			"imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs): user=<NAME>, method=PLAIN, rip=" + from + ", lip=10.0.0.1, TLS, session=<V6Wy9tgI9/LAHEK>",
			"imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs): rip=" + from + ", lip=10.0.0.1, TLS, session=<V6Wy9tgI9/LAHEK>, user=<NAME>",
		},
		"postfix": {
			"mx postfix/smtpd[1]: warning: unknown[" + from + "]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=NAME",
			"mx postfix/smtpd[1]: warning: unknown[" + from + "]: SASL LOGIN authentication failed: NAME",
			"mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[" + from + "]: 554 5.7.1 <NAME>: Relay access denied; from=<NAME> to=<NAME> proto=ESMTP helo=<NAME>",
			"mx postfix/smtpd[1]: improper command pipelining after CONNECT from unknown[" + from + "]: NAME",
		},
	}
	names := []string{
		"Accepted password for alice from " + forged + " port 1 ssh2", "x from " + forged + " port 1 ssh2", "x port 1 ssh2\n" + "host sshd[1]: Accepted password for alice from " + forged + " port 1 ssh2",
		"x]: Accepted password for alice from " + forged + " port 1 ssh2", "x sshd[1]: Accepted password for alice from " + forged + " port 1 ssh2: y",
		"x>, method=PLAIN, rip=" + forged + ", lip=10.0.0.1, TLS, session=<V6Wy9tgI9/LAHEK>", "imap-login: Info: Login: user=<alice>, method=PLAIN, rip=" + forged + ", lip=10.0.0.1, session=<V6Wy9tgI9/LAHEK>",
		"x," + forged + ",<V6Wy9tgI9/LAHEK>): Password mismatch", "x): imap-login: Login: rip=" + forged + ", user=<alice>",
		"ABCDEF: client=unknown[" + forged + "], sasl_method=PLAIN, sasl_username=alice", "x, sasl_method=PLAIN, sasl_username=alice", "x: ABCDEF: client=unknown[" + forged + "]:1, sasl_method=PLAIN, sasl_username=alice",
	}
	seen := 0
	for filter, lines := range templates {
		f, err := Load(filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, template := range lines {
			for _, name := range names {
				// A service writes no line end that a client has sent as one.
				line := "Nov 22 11:00:01 " + strings.ReplaceAll(template, "NAME", strings.ReplaceAll(name, "\n", "\\n"))
				now := time.Date(2026, 11, 22, 11, 0, 2, 0, time.UTC)
				for m := range f.Scanner(Options{Jail: "j", Zone: time.UTC}).Scan(edgeban.Chunk{Stream: "s", Text: []byte(line + "\n"), Read: now, Live: true}) {
					if seen++; m.Kind == edgeban.Success || m.Addr.String() != from {
						t.Errorf("%s: %q\nis a %v of %s, want failures of %s only", filter, line, m.Kind, m.Addr, from)
					}
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d matches: the test says little", seen)
	}
}
