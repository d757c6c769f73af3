package compat

import (
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

func TestLogEncodings(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"auto", "m\u00fcller", "m\u00fcller"},
		{"UTF-8", "m\u00fcller", "m\u00fcller"},
		{"utf_8", "m\u00fcller", "m\u00fcller"},
		{"utf-8-sig", "\ufeffm\u00fcller", "m\u00fcller"},
		{"latin-1", "m\xfcller", "m\u00fcller"},
		{"latin1", "m\xfcller", "m\u00fcller"},
		{"ISO8859-1", "m\xfcller", "m\u00fcller"},
		{"iso-8859-15", "\xa4", "\u20ac"},
		{"iso8859_15", "\xa4", "\u20ac"},
		{"latin-9", "\xa4", "\u20ac"},
		{"cp1252", "\x80", "\u20ac"},
		{"windows-1251", "\xe0", "\u0430"},
		{"koi8-r", "\xc1", "\u0430"},
		{"koi8_u", "\xc1", "\u0430"},
		{"ascii", "m\xfcller", "m\ufffdller"},
		{"cp437", "m\x81ller", "m\u00fcller"},
		{"cp866", "\xa0", "\u0430"},
		{"sjis", "\x82\xa0", "\u3042"},
		{"shift_jis", "\x82\xa0", "\u3042"},
		{"euc_jp", "\xa4\xa2", "\u3042"},
		{"gbk", "\xc4\xe3", "\u4f60"},
		{"gb18030", "\xc4\xe3", "\u4f60"},
		{"big5", "\xa7\x41", "\u4f60"},
		{"cp949", "\xb0\xa1", "\uac00"},
		{"mac-roman", "\x9f", "\u00fc"},
		{"tis-620", "\xa1", "\u0e01"},
	} {
		s := scanner(t, config.Rules{FailRegex: []string{"^<F-USER>.+</F-USER> <HOST>$"}, LogEncoding: tt.name})
		ms := read(s, tt.raw+" 192.0.2.1")
		if len(ms) != 1 || ms[0].User != tt.want {
			t.Errorf("%s: got %+v, want the user %q", tt.name, ms, tt.want)
		}
	}
}

func TestDecodedLinesGrow(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{"^<F-USER>.+</F-USER> <HOST>$"}, LogEncoding: "latin-1"})
	if got := addrs(read(s, strings.Repeat("\xfc", 30000)+" 192.0.2.1")); got != "192.0.2.1" {
		t.Errorf("got %q, want a match of all of the line", got)
	}
}
