package compat

import (
	"errors"
	"strings"
	"testing"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter/compat/session"
)

func FuzzCompile(f *testing.F) {
	f.Add("^ <HOST> x", "^<F-MLFID>a</F-MLFID> <F-CONTENT>.*</F-CONTENT>$", "x", "{^LN-BEG}", "latin-1", 1)
	f.Add("<F-ID>a</F-ID><SUBNET>", "", "", "%Y", "auto", 3)
	f.Add("((?i)<F-ALT_USER_1>a)<SKIPLINES><DNS>", "(?P<x>", "[", "EPOCH", "utf-16", -1)
	f.Add("<F-TUPLE_ID>a</F-TUPLE_ID>(?P<fid>b)", "<", "</F-ID>", "{NONE}", "sjis", 2)
	f.Fuzz(func(t *testing.T, fail, pref, ignore, date, code string, lines int) {
		r := config.Rules{
			FailRegex: strings.Split(fail, "\n"), PrefRegex: pref, LogEncoding: code, MaxLines: lines,
			IgnoreRegex: []string{ignore}, DatePattern: []string{date},
		}
		compiled, err := Compile(r)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Key == "" || e.Msg == "" || e.Index < 0 || e.Index >= max(1, len(r.FailRegex)) || e.Offset < 0 {
				t.Errorf("got %+v", err)
			}
			return
		}
		if len(compiled.Patterns()) < 2 {
			t.Errorf("got %v", compiled.Patterns())
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("Nov 22 11:59:50 s1 hello from 192.0.2.1\ns1 bad a\n"))
	f.Add([]byte("s1 wrong a by 999.1.1.1\ns1 \xff\x00\r\n\n"))
	f.Add([]byte("open 192.0.2.1\nx\nbad\n"))
	multi := compiled(f, config.Rules{
		PrefRegex: `^(?:<F-CONTENT>open.*</F-CONTENT>)?`, FailRegex: []string{`^open <HOST><SKIPLINES>bad(?:\n|$)`, `^(?P<fid>)$`},
		IgnoreRegex: []string{"^open 1"}, MaxLines: 3, LogEncoding: "sjis",
	})
	single := compiled(f, talk)
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, one := range []*Filter{single, multi} {
			s := one.Scanner(opts)
			for m := range s.Scan(edgeban.Chunk{Text: text, Read: now, Live: true}) {
				if !m.Addr.IsValid() || m.Addr.Zone() != "" || m.Addr.Is4In6() || m.Time.After(now) || len(m.Text) > edgeban.MaxText {
					t.Errorf("got %+v", m)
				}
			}
			if s.sessions.Size() > session.MaxBytes || s.window.size > maxWindow {
				t.Errorf("%d and %d bytes are kept", s.sessions.Size(), s.window.size)
			}
			for line := range strings.Lines(string(text)) {
				s.Explain([]byte(strings.TrimSuffix(line, "\n")), now)
			}
		}
	})
}
