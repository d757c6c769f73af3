package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the largest file that is read, in bytes. A configuration of a
// hundred jails has a tenth of it.
const MaxSize = 256 << 10

// Document returns the root of the one document that data holds; hint is what to
// write where it holds nothing.
func (r *Reader) Document(data []byte, hint string) (Value, bool) {
	if !r.readable(data) {
		return Value{}, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := decode(dec)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]):
		r.wrong(place(1, 1), "", "is empty; "+hint)
		return Value{}, false
	case err != nil:
		r.syntax(data, err)
		return Value{}, false
	}
	next, err := decode(dec)
	switch {
	case err == nil:
		r.wrong(next, "", "a second document begins here; take the --- above it out")
	case !errors.Is(err, io.EOF):
		r.syntax(data, err)
		return Value{}, false
	}
	return r.value(doc.Content[0], nil, ""), true
}

// decode returns the next document. The parser is not ours: whatever it may
// still panic about in a strange file is no reason to fall over.
func decode(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	doc = new(yaml.Node)
	err = dec.Decode(doc)
	if err == nil && len(doc.Content) == 0 {
		return nil, io.EOF
	}
	return doc, err
}

// readable refuses what is not a text file, with the place.
func (r *Reader) readable(data []byte) bool {
	switch {
	case len(data) > MaxSize:
		r.wrong(place(1, 1), "", fmt.Sprintf("is larger than %d KiB, which no configuration is", MaxSize>>10))
		return false
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.wrong(place(1, 1), "", "is UTF-16; save it as UTF-8")
		return false
	case bytes.HasPrefix(data, []byte("\ufeff")):
		r.wrong(place(1, 1), "", "begins with a byte order mark; save it as UTF-8 without one (BOM)")
		return false
	}
	line, column := 1, 1
	for len(data) > 0 {
		c, n := utf8.DecodeRune(data)
		switch {
		case c == utf8.RuneError && n == 1:
			r.wrong(place(line, column), "", "a byte that is not UTF-8; save the file as UTF-8")
			return false
		case c == '\n':
			line, column = line+1, 0
		case unicode.IsControl(c) && c != '\t' && c != '\r' && c != '\u0085':
			r.wrong(place(line, column), "", fmt.Sprintf("a control character (%U); take it out", c))
			return false
		}
		column++
		data = data[n:]
	}
	return true
}

func place(line, column int) *yaml.Node { return &yaml.Node{Line: line, Column: column} }

// complaints are the parser's, in words for people. Its own are not shown: they
// may hold an anchor's name, which is the password that begins with *.
var complaints = []struct{ has, text string }{
	{"did not find expected key", "this line does not go with those above: indent it as its neighbours are, or close the quote or bracket before it"},
	{"mapping values are not allowed", `a ": " that does not fit; put the value in quotes if it is part of it, or give the line above its own ": "`},
	{"could not find expected ':'", `a key without ": " after it; write key: value, and indent a text of several lines below its key`},
	{"cannot start any token", "a value cannot begin with this character; put it in quotes, and indent with spaces only"},
	{"tab character", "a tab; indent with spaces"},
	{"unexpected end of stream", "a quote is opened and not closed"},
	{"',' or '}'", "a { without its }, or a comma is missing"},
	{"',' or ']'", "a [ without its ], or a comma is missing"},
	{"expected '-' indicator", `the items of a list must be indented alike, each with "- "`},
	{"block sequence entries", `"- " begins an item of a list, which must be on a line of its own`},
	{"escape", `a \ in "..." must be doubled; or write '...'`},
	{"node content", "a value is missing here, or a { or [ is not closed"},
	{"<document start>", "what is above is not YAML settings, which are written key: value, one below the other"},
	{"unknown anchor", "a value that begins with * must be in quotes"},
	{"indentation indicator", "the number after | or > must be 1 to 9, or be left out"},
	{"comment or line break", "what follows | or > must be on the next line"},
	{"max depth", "is nested too deeply"},
}

// syntax says where data stops being YAML, and why.
func (r *Reader) syntax(data []byte, err error) {
	text := "is not YAML; look for a bracket or a quote that is not closed"
	for _, c := range complaints {
		if strings.Contains(err.Error(), c.has) {
			text = c.text
			break
		}
	}
	lines := strings.SplitAfter(string(data), "\n")
	at := min(max(firstBad(lines, err), 1), len(lines))
	line := strings.TrimRight(lines[at-1], "\r\n")
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	if strings.Contains(indent, "\t") {
		r.wrong(place(at, strings.Index(indent, "\t")+1), "", "a tab; indent with spaces")
		return
	}
	r.wrong(place(at, len(indent)+1), "", text)
}

// firstBad returns the line, from 1, after the longest beginning that is YAML.
// The parser names the line where the broken mapping began, which may be the
// first of the file.
func firstBad(lines []string, err error) int {
	const enough = 4 << 20 // bytes to parse again, a second's work at worst
	whole := strings.Join(lines, "")
	if len(lines)*len(whole) > enough {
		var n int
		_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &n)
		return n
	}
	for n := len(lines) - 1; n > 0; n-- {
		whole = strings.TrimSuffix(whole, lines[n])
		dec := yaml.NewDecoder(strings.NewReader(whole))
		for err = nil; err == nil; {
			_, err = decode(dec)
		}
		if errors.Is(err, io.EOF) {
			return n + 1
		}
	}
	return 1
}
