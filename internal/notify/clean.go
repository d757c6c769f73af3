package notify

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxWord   = 64  // characters of a user name
	maxName   = 32  // characters of a jail's or a target's name
	maxHolder = 16  // characters of who holds a ban
	maxText   = 220 // characters of a sentence
	maxLook   = 120 // bytes of what people are to look at
	maxHost   = 40  // bytes of the name of a zone, of a host in it, of the targets that hold it
)

// A phone makes a link of what looks like one. An address of a mailbox is left
// alone: it opens nothing.
var (
	mailbox = regexp.MustCompile(`^[\pL\pN._%+-]+@[\pL\pN.-]+$`)
	bare    = regexp.MustCompile(`\.\pL`)                                       // in a user name: a host
	link    = regexp.MustCompile(`(?i)://|\]\(|\bwww\.|^[\pL\pN.-]*\.\pL{2,}/`) // in a sentence: nothing less
	plain   = regexp.MustCompile(`^[\pL\pN\pM@._+-]+$`)
)

// user returns a user name from a log as it may be shown: cleaned, cut, no link,
// and in quotes if it could be taken for words of ours.
func user(s string) string {
	s = printable(s, maxWord)
	words := strings.Split(s, " ")
	for i, w := range words {
		if !mailbox.MatchString(w) && (bare.MatchString(w) || link.MatchString(w)) {
			words[i] = defang(w)
		}
	}
	s = cut(strings.Join(words, " "), maxWord)
	if s == "" || plain.MatchString(s) {
		return s
	}
	return "“" + strings.NewReplacer("“", "'", "”", "'", `"`, "'").Replace(cut(s, maxWord-2)) + "”"
}

// sentence returns s, which may hold text from logs, as it may be shown.
func sentence(s string, limit int) string {
	words := strings.Split(printable(s, limit), " ")
	for i, w := range words {
		if link.MatchString(w) {
			words[i] = defang(w)
		}
	}
	return cut(strings.Join(words, " "), limit)
}

// clip is sentence for what is hardly ever long: it counts bytes.
func clip(s string, limit int) string {
	s = sentence(s, limit)
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// defang writes a link so that people can read it and nothing opens it.
func defang(w string) string {
	return strings.NewReplacer("://", "[:]//", ".", "[.]", "](", "] (").Replace(w)
}

// printable returns s in one line of at most limit visible characters: white
// space is a single blank, everything that is invisible, turns the direction of
// writing or is not UTF-8 is U+FFFD.
func printable(s string, limit int) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range s {
		if n > limit {
			break // one more than the limit, so that the cut is seen
		}
		if unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) {
			blank = n > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
			n++
		}
		if !visible(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
		n++
	}
	return cut(b.String(), limit)
}

func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// cut returns at most limit characters of s, the last of them an ellipsis if
// something is missing.
func cut(s string, limit int) string {
	n := 0
	last := 0 // where the character that the ellipsis replaces begins
	for i := range s {
		if n == limit-1 {
			last = i
		}
		if n == limit {
			return s[:last] + "…"
		}
		n++
	}
	return s
}
