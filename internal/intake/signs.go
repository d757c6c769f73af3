package intake

import (
	"bytes"
	"net/netip"
	"regexp"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
)

// Signs are lines that say that the two ends do not agree on the PROXY protocol.
// No filter knows them: nobody fails in them, every connection does.
type signs struct {
	seen map[sign]int
	read int // bytes of what was written before
}

type sign struct {
	how  Hiding
	addr netip.Addr // of the proxy
}

// maxSigns bounds how much of what was written before is looked at: it is searched
// once more than for the filters.
const maxSigns = 1 << 20

var (
	noHeader = []byte("proxy")                // haproxy: and HAproxy data in Dovecot's, haproxy read: in Postfix's
	noTLS    = []byte("wrong version number") // OpenSSL's words for what is no TLS
)

// These see a line, or the one beside it. What a client says never comes before an
// = or a bracket, so that no client writes such a line.
var (
	dovecotUnsent  = regexp.MustCompile(`^(?:<\d+>)?[^=<>(]*-login: (?:Error: )?haproxy: Client disconnected: [^=()<>]*\(rip=([0-9a-fA-F.:]+)\)(?:\\n|\s*$)`)
	dovecotUnasked = regexp.MustCompile(`^(?:<\d+>)?[^=<>(]*-login: (?:Info: )?Disconnected: [^<>=]*SSL_accept\(\) failed: [^<>=]*wrong version number[^<>=]*: user=(?:<>|\\u003c\\u003e), rip=([0-9a-fA-F.:]+), `)
	postfixUnsent  = regexp.MustCompile(smtpd + `warning: haproxy read: `)
	postfixConnect = regexp.MustCompile(smtpd + `(?:connect|CONNECT) from [^\[\]=]*\[([0-9a-fA-F.:]+)\]`)
	postfixUnasked = regexp.MustCompile(smtpd + `warning: TLS library problem: [^=<>]*wrong version number`)
	postfixRefused = regexp.MustCompile(smtpd + `SSL_accept error from [^\[\]=]*\[([0-9a-fA-F.:]+)\]: -1(?:\\n|\s*$)`)
)

// smtpd is the beginning of Postfix's lines, in whatever they are wrapped.
const smtpd = `^(?:<\d+>)?(?:[^=<>\[\]]*\[\w+\]: )?[^=<>\[\]]*(?:smtpd|postscreen)\[\d+\]: `

// read looks for signs in a chunk: in all of what is written now, and in the first
// of what was written before.
func (v *vantage) read(c edgeban.Chunk) {
	if c.Seen || !c.Live && v.signs.read >= maxSigns {
		return
	}
	if !c.Live {
		v.signs.read += len(c.Text)
	}
	for _, words := range [][]byte{noHeader, noTLS} {
		for at := 0; ; {
			i := bytes.Index(c.Text[at:], words)
			if i < 0 {
				break
			}
			at += i + len(words)
			if how, addr := signAt(c.Text, at); hidingOf(addr, never.Stranger) == ProxyOff && !addr.IsLoopback() {
				v.note(sign{how, addr})
			}
			end := bytes.IndexByte(c.Text[at:], '\n')
			if end < 0 {
				break
			}
			at += end // each line once
		}
	}
}

func (v *vantage) note(s sign) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.signs.seen == nil {
		v.signs.seen = map[sign]int{}
	}
	if v.signs.seen[s] > 0 || len(v.signs.seen) < maxPlaces {
		v.signs.seen[s]++
	}
}

func (s *signs) add(o signs) {
	if s.seen == nil {
		s.seen = map[sign]int{}
	}
	for k, n := range o.seen {
		s.seen[k] += n
	}
}

// signAt says what the line at a place of a text is a sign of.
func signAt(text []byte, at int) (how Hiding, addr netip.Addr) {
	from := bytes.LastIndexByte(text[:at], '\n') + 1
	line, rest, _ := bytes.Cut(text[from:], []byte("\n"))
	if m := dovecotUnsent.FindSubmatch(line); m != nil {
		return Unsent, parse(m)
	}
	if m := dovecotUnasked.FindSubmatch(line); m != nil {
		return Unasked, parse(m)
	}
	if postfixUnsent.Match(line) {
		next, _, _ := bytes.Cut(rest, []byte("\n"))
		return Unsent, parse(postfixConnect.FindSubmatch(next))
	}
	if postfixUnasked.Match(line) {
		before := text[bytes.LastIndexByte(text[:max(0, from-1)], '\n')+1 : max(0, from-1)]
		return Unasked, parse(postfixRefused.FindSubmatch(before))
	}
	return clients, netip.Addr{}
}

// parse reads the address that a pattern has found, if any.
func parse(m [][]byte) netip.Addr {
	if m == nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(string(m[1]))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}
