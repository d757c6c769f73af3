package account

import (
	"fmt"
	"strings"
	"unicode"
)

func oldPassword(d device) string {
	return fmt.Sprintf("An old password on a device of %s: its logins from %s fail again and again with the same one. They do not count; change it there.", shown(d.user), d.addr)
}

func guessed(user string, n int) string {
	return fmt.Sprintf("The password of %s is being guessed from %d addresses within an hour. Each may try too seldom to be banned: see that the password is a good one.", shown(user), n)
}

const maxShown = 64 // characters of a name: the rest of the sentence must be read as well

// shown returns a name as it may stand in a sentence. Whoever fails to log in chooses
// it: nothing in it passes for words of ours, or for a link. The name of a mailbox and
// a plain word are left as they are.
func shown(user string) string {
	plain := true
	clean := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("@._+-", r):
			return r
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r), strings.ContainsRune("“”\"", r):
			r = unicode.ReplacementChar
		}
		plain = false
		return r
	}, user)
	if !strings.Contains(clean, "@") || !plain {
		clean = strings.ReplaceAll(clean, ".", "[.]")
	}
	if rs := []rune(clean); len(rs) > maxShown {
		clean = string(rs[:maxShown-1]) + "…"
	}
	if plain {
		return clean
	}
	return "“" + clean + "”"
}
