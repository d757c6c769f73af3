// Package charset knows how a log may be written, by the names that Python has for it, and
// makes UTF-8 of it. What a line means it must not know.
package charset

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// ianaNames gives the names that IANA knows for those that only Python does.
var ianaNames = map[string]string{
	"ascii": "us-ascii", "646": "us-ascii",
	"latin": "iso-8859-1", "8859": "iso-8859-1", "iso8859": "iso-8859-1", "cp819": "iso-8859-1",
	"latin7": "iso-8859-13", "l7": "iso-8859-13", "latin9": "iso-8859-15", "l9": "iso-8859-15",
	"koi8r": "koi8-r", "koi8u": "koi8-u",
	"mac-roman": "macintosh", "macroman": "macintosh",
	"cp874": "windows-874", "tis-620": "windows-874", "tis620": "windows-874",
	"cp936": "gbk", "936": "gbk", "gb2312": "gbk", "euc-cn": "gbk", "euccn": "gbk",
	"cp949": "euc-kr", "949": "euc-kr", "uhc": "euc-kr", "ms949": "euc-kr", "euckr": "euc-kr",
	"cp932": "shift_jis", "932": "shift_jis", "ms932": "shift_jis", "sjis": "shift_jis", "s-jis": "shift_jis",
	"shift-jis": "shift_jis", "shiftjis": "shift_jis",
	"eucjp": "euc-jp", "ujis": "euc-jp", "iso2022-jp": "iso-2022-jp",
	"big5-tw": "big5", "cp950": "big5", "hz": "hz-gb-2312", "hz-gb": "hz-gb-2312",
}

var errLines = errors.New("the lines of such a log cannot be found; have it written in UTF-8")

// An Encoding is a way to write a log that is not UTF-8.
type Encoding = encoding.Encoding

// Of returns the encoding that Python or IANA knows by the name, nil for
// UTF-8, which is also what auto means.
func Of(name string) (Encoding, error) {
	text := strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
	switch {
	case text == "" || text == "auto" || text == "utf-8" || text == "utf8" || text == "u8":
		return nil, nil
	case text == "utf-8-sig":
		return unicode.UTF8BOM, nil
	case strings.HasPrefix(text, "utf-16"), strings.HasPrefix(text, "utf-32"), text == "u16", text == "u32", text == "utf16", text == "utf32":
		return nil, fmt.Errorf("%s: %w", name, errLines)
	}
	if iana, ok := ianaNames[text]; ok {
		text = iana
	}
	if n, ok := strings.CutPrefix(text, "iso8859-"); ok {
		text = "iso-8859-" + n
	}
	if n, ok := strings.CutPrefix(text, "latin-"); ok {
		return Of("latin" + n)
	}
	if n, ok := strings.CutPrefix(text, "cp125"); ok {
		text = "windows-125" + n
	}
	code, err := ianaindex.IANA.Encoding(text)
	if err != nil || code == nil {
		return nil, fmt.Errorf("%q is not an encoding that is known here; write auto, or a name like utf-8, iso-8859-15 or windows-1252", name)
	}
	if plain, err := code.NewDecoder().String("\nA1["); err != nil || plain != "\nA1[" {
		return nil, fmt.Errorf("%s: %w", name, errLines)
	}
	return code, nil
}

// A Decoder makes UTF-8 of lines. Its zero value leaves them as they are.
type Decoder struct {
	by  transform.Transformer
	buf []byte
}

// New returns a Decoder of an encoding, nil for UTF-8.
func New(code Encoding) Decoder {
	if code == nil {
		return Decoder{}
	}
	return Decoder{by: code.NewDecoder().Transformer}
}

// Plain reports whether lines are left as they are.
func (d *Decoder) Plain() bool { return d.by == nil }

// Line returns the line in UTF-8, valid until the next call. What cannot be read
// becomes U+FFFD.
func (d *Decoder) Line(raw []byte) []byte {
	if d.by == nil {
		return raw
	}
	if d.buf == nil {
		d.buf = make([]byte, 4<<10)
	}
	d.by.Reset()
	n, rest := 0, raw
	for {
		out, in, err := d.by.Transform(d.buf[n:], rest, true)
		n, rest = n+out, rest[in:]
		if !errors.Is(err, transform.ErrShortDst) {
			return d.buf[:n]
		}
		d.buf = append(d.buf, make([]byte, len(d.buf))...)
	}
}
