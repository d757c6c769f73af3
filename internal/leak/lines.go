package leak

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

// ending is how long before its line something may have happened that is told when
// the connection ends. A client whose packets are dropped goes without a word, and
// the service waits for it: Dovecot 3 minutes, sshd 2, Postfix 5.
const ending = 10 * time.Minute

// took is what services say of how long a connection was, or waited.
var took = regexp.MustCompile(`(?:\bin |\bwaited |\()(\d{1,6}) secs\b`)

// atTheEnd are words of lines that come when a connection ends.
var atTheEnd = []string{
	"(auth failed",                  // Dovecot's login process
	"Timeout before authentication", // sshd
	"[preauth]",
	"timeout after ", // Postfix's smtpd
	"lost connection after ",
	"disconnect from ",
}

// Late returns how long before its line may have happened what the line tells of.
// The text is hostile: whoever writes such words delays an alarm by so much, and no
// more.
func Late(text string) time.Duration {
	if strings.Contains(text, " secs") { // most lines do not: this is asked of each line of a flood
		if m := took.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1]) // digits, and few
			return min(time.Duration(n)*time.Second, ending)
		}
	}
	for _, words := range atTheEnd {
		if strings.Contains(text, words) {
			return ending
		}
	}
	return 0
}

// connection are the ways in which lines name the connection that they are about.
var connection = []*regexp.Regexp{
	regexp.MustCompile(`(?:[,=]|\))<([A-Za-z0-9+/]{11,24})>`),             // Dovecot's session
	regexp.MustCompile(`"ClientAddr":"([^"]+:\d+)"`),                      // Traefik
	regexp.MustCompile(`(?:\[[0-9a-fA-F.:]+\]:| port )(\d{1,5})(?:\D|$)`), // postscreen, sshd
}

// Connection returns what a line calls its connection, or "".
func Connection(text string) string {
	for _, re := range connection {
		if all := re.FindAllStringSubmatch(text, -1); all != nil {
			return all[len(all)-1][1] // what a client says may come before
		}
	}
	return ""
}

// Continues reports whether all lines of a leak are of connections that were there
// before it was held. The matches are those of its entry; grace is the Detector's.
func (l *Leak) Continues(ms []edgeban.Match, grace time.Duration) bool {
	before, since := map[string]bool{}, 0
	for _, m := range ms {
		if !m.Time.After(l.Since) {
			before[Connection(m.Text)] = true
		}
	}
	delete(before, "")
	for _, m := range ms {
		if !m.Time.Add(-Late(m.Text)).After(l.Since.Add(grace)) {
			continue
		}
		if since++; !before[Connection(m.Text)] {
			return false
		}
	}
	return since > 0
}
