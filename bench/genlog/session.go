package main

import "fmt"

// lines are what one process writes.
func lines(program string, pid int, texts ...string) (ls []line) {
	for _, text := range texts {
		ls = append(ls, line{text: fmt.Sprintf("%s[%d]: %s", program, pid, text)})
	}
	return ls
}

func (t *traffic) guessSSH() []line {
	a, port, user := t.attacker(), t.port(), t.word("root", "www-data", "backup", "git", "postgres", "mysql", "nobody")
	failed := fmt.Sprintf("Failed password for %s from %s port %d ssh2", user, a, port)
	ls := lines("sshd", t.process(),
		fmt.Sprintf("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", a, user),
		failed, failed, failed,
		fmt.Sprintf("Connection closed by authenticating user %s %s port %d [preauth]", user, a, port))
	for i := range ls[1:4] {
		ls[1+i].fails = "sshd"
	}
	return ls
}

func (t *traffic) loginSSH() []line {
	a, port, user := t.client(), t.port(), t.user()
	return lines("sshd", t.process(),
		fmt.Sprintf("Accepted publickey for %s from %s port %d ssh2: ED25519 SHA256:%s", user, a, port, t.id(43)),
		fmt.Sprintf("pam_unix(sshd:session): session opened for user %s(uid=%d) by (uid=0)", user, 1000+t.rnd.IntN(10)),
		fmt.Sprintf("Received disconnect from %s port %d:11: disconnected by user", a, port),
		fmt.Sprintf("Disconnected from user %s %s port %d", user, a, port),
		fmt.Sprintf("pam_unix(sshd:session): session closed for user %s", user))
}

func (t *traffic) guessSMTP() []line {
	a, user := t.attacker(), t.word("info", "office", "sales", "webmaster", "contact")
	ls := lines("postfix/submission/smtpd", t.process(),
		fmt.Sprintf("connect from unknown[%s]", a),
		fmt.Sprintf("warning: unknown[%s]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=%s@example.com", a, user),
		fmt.Sprintf("disconnect from unknown[%s] ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4", a))
	ls[1].fails = "postfix"
	return ls
}

func (t *traffic) guessIMAP() []line {
	a, user := t.attacker(), t.word("info", "office", "sales", "webmaster", "contact")
	return []line{{
		text: fmt.Sprintf("dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in %d secs): user=<%s@example.com>, method=PLAIN, rip=%s, lip=192.0.2.25, TLS, session=<%s>",
			2+t.rnd.IntN(8), user, a, t.id(16)),
		fails: "dovecot",
	}}
}

func (t *traffic) loginIMAP() []line {
	user, id, pid := t.user()+"@example.com", t.id(16), t.process()
	return []line{
		{text: fmt.Sprintf("dovecot: imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=192.0.2.25, mpid=%d, TLS, session=<%s>", user, t.client(), pid, id)},
		{text: fmt.Sprintf("dovecot: imap(%s)<%d><%s>: Disconnected: Logged out in=%d out=%d deleted=0 expunged=0 trashed=0 hdr_count=%d hdr_bytes=%d",
			user, pid, id, t.rnd.IntN(900), t.rnd.IntN(9000), t.rnd.IntN(9), t.rnd.IntN(3000))},
	}
}

func (t *traffic) deliver() []line {
	pid, from, to := t.process(), fmt.Sprintf("mail%d.example.net[%s]", t.rnd.IntN(100), t.client()), t.user()
	id, message := t.id(15), t.id(20)+"@example.net"
	ls := lines("postfix/smtpd", pid,
		"connect from "+from,
		"Anonymous TLS connection established from "+from+": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
		id+": client="+from)
	ls = append(ls, lines("postfix/cleanup", t.process(), id+": message-id=<"+message+">")...)
	ls = append(ls, lines("postfix/qmgr", 990, fmt.Sprintf("%s: from=<news@example.net>, size=%d, nrcpt=1 (queue active)", id, 800+t.rnd.IntN(90000)))...)
	ls = append(ls, lines("postfix/lmtp", t.process(), fmt.Sprintf("%s: to=<%s@example.com>, relay=mx.example.com[private/dovecot-lmtp], delay=0.%02d, delays=0.1/0/0.01/0.03, dsn=2.0.0, status=sent (250 2.0.0 <%s@example.com> %s Saved)",
		id, to, t.rnd.IntN(100), to, t.id(22)))...)
	ls = append(ls, lines("postfix/qmgr", 990, id+": removed")...)
	return append(ls, lines("postfix/smtpd", pid, "disconnect from "+from+" ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7")...)
}
