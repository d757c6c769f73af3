package write

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/config/timezone"
)

// A printer gathers the file, and the first setting that none can hold.
type printer struct {
	options Options
	out     bytes.Buffer
	err     error
}

// A block is the place of some keys: how deep they stand, and the way there.
type block struct {
	p      *printer
	indent string
	path   string
	dash   *bool // whether the next line begins the item of a list; nil if none does
}

func (b block) at(key string) block {
	if b.path != "" {
		key = b.path + "." + key
	}
	b.path = key
	return b
}

// comments writes what stands above b's path. No text in it can end a comment.
func (b block) comments() {
	if b.p.options.Comment == nil {
		return
	}
	indent := b.indent
	if b.dash != nil && *b.dash {
		indent = indent[2:]
	}
	for _, c := range b.p.options.Comment(b.path) {
		for line := range strings.SplitSeq(c, "\n") {
			line = strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return ' '
			}, line)
			b.p.out.WriteString(strings.TrimRight(indent+"# "+line, " ") + "\n")
		}
	}
}

// line writes one line, with the comments above it.
func (b block) line(text string) {
	b.comments()
	if b.dash != nil && *b.dash {
		*b.dash = false
		b.p.out.WriteString(b.indent[2:] + "- " + text + "\n")
		return
	}
	b.p.out.WriteString(b.indent + text + "\n")
}

// raw writes a key and its value as they stand.
func (b block) raw(key, value string) { b.at(key).line(quoted(key, 0) + ": " + value) }

// under writes a key and returns the block below it.
func (b block) under(key string) block {
	below := b.at(key)
	below.line(quoted(key, 0) + ":")
	below.indent += "  "
	below.dash = nil
	return below
}

// section is under for a key at the top, apart from what stands above it.
func (b block) section(key string) block {
	if n := b.p.out.Len(); n > 0 && !bytes.HasSuffix(b.p.out.Bytes(), []byte("\n\n")) {
		b.p.out.WriteByte('\n')
	}
	return b.under(key)
}

// item returns the block of an item of a list.
func (b block) item(i int) block {
	it := b.at(strconv.Itoa(i))
	first := true
	it.indent, it.dash = b.indent+"  ", &first
	it.comments()
	return it
}

// text writes a text unless it is empty.
func (b block) text(key, value string) { b.unless(key, value, "") }

// unless writes a text unless it is the usual one.
func (b block) unless(key, value, usual string) {
	if value != usual {
		b.at(key).hold(value, "")
		b.raw(key, quoted(value, 0))
	}
}

func (b block) number(key string, n, usual int) {
	if n != usual {
		b.raw(key, strconv.Itoa(n))
	}
}

func (b block) truth(key string, t bool) {
	if t {
		b.raw(key, "yes")
	}
}

func (b block) duration(key string, d, usual time.Duration) {
	switch d {
	case usual:
	case config.Forever:
		b.raw(key, "-1")
	default:
		b.raw(key, config.FormatDuration(d))
	}
}

// zone writes a time zone by its name, or where that means another one by its
// offset.
func (b block) zone(key string, l *time.Location) {
	name := l.String()
	_, east := time.Time{}.In(l).Zone()
	if back, err := timezone.Parse(name); err == nil {
		if _, same := (time.Time{}).In(back).Zone(); same == east {
			b.raw(key, quoted(name, 0))
			return
		}
	}
	name = fmt.Sprintf("%+03d%02d", east/3600, max(east, -east)/60%60)
	b.raw(key, quoted(name, 0))
}

// secret writes what stands for a secret.
func (b block) secret(key string, s config.Secret) {
	if s.Empty() {
		return
	}
	at, text := b.at(key), s.String()
	if b.p.options.Secret != nil {
		text = b.p.options.Secret(at.path, s)
	}
	if text == s.Reveal() && (strings.HasPrefix(text, "file:") || strings.HasPrefix(text, "env:")) {
		at.fail("begins with what stands for another place; put the secret into a file")
		return
	}
	if strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) == "" || !utf8.ValidString(text) {
		at.fail("holds what is no text of one line; put the secret into a file")
		return
	}
	b.raw(key, quoted(text, 0))
}

// list writes the texts of a list in one line.
func (b block) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	for _, v := range values {
		b.at(key).hold(v, "")
	}
	if len(values) == 1 {
		b.raw(key, quoted(values[0], 0))
		return
	}
	b.raw(key, flow(values, "!!str"))
}

// words is list for what the reader cuts at spaces and commas.
func (b block) words(key string, values []string) {
	for _, v := range values {
		if strings.ContainsFunc(v, unicode.IsSpace) || strings.Contains(v, ",") {
			b.at(key).fail("holds %q, with a space or a comma in it", v)
		}
	}
	b.list(key, values)
}

// networks writes networks in one line.
func (b block) networks(key string, ps []netip.Prefix) {
	var texts []string
	for _, p := range ps {
		texts = append(texts, p.String())
	}
	b.words(key, texts)
}

// pattern writes a regular expression, in quotes in which no character is
// special.
func (b block) pattern(key, value string) {
	if value != "" {
		b.at(key).hold(value, "\t")
		b.raw(key, quoted(value, yaml.SingleQuotedStyle))
	}
}

func (b block) patterns(key string, values []string) {
	if len(values) == 0 {
		return
	}
	list := b.under(key)
	for i, v := range values {
		at := list.at(strconv.Itoa(i))
		at.hold(v, "\t")
		at.line("- " + quoted(v, yaml.SingleQuotedStyle))
	}
}

// hold refuses a text that no line of the file can hold.
func (b block) hold(text, but string) {
	for _, r := range text {
		if unicode.IsControl(r) && !strings.ContainsRune(but, r) {
			b.fail("holds a control character (%U)", r)
		}
	}
	if strings.TrimSpace(text) == "" || !utf8.ValidString(text) {
		b.fail("holds %q, which is no text", text)
	}
}

func (b block) fail(format string, args ...any) {
	if b.p.err == nil {
		b.p.err = fmt.Errorf("%s %s: no file can say so", b.path, fmt.Sprintf(format, args...))
	}
}

// quoted returns a text as YAML has it, in quotes where it needs them.
func quoted(s string, style yaml.Style) string {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style}
	out, err := yaml.Marshal(n)
	if err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// flow returns a list in one line.
func flow(texts []string, tag string) string {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, t := range texts {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t})
	}
	out, err := yaml.Marshal(n)
	if err != nil {
		return strconv.Quote(strings.Join(texts, " "))
	}
	return strings.TrimSuffix(string(out), "\n")
}
