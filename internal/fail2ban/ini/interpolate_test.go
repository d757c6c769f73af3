package ini

import (
	"fmt"
	"strings"
	"testing"
)

func TestInterpolation(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf": `[DEFAULT]
x = default
here = %(__name__)s
twice = 1
[one]
x = one
upper = %(X)s
percent = 100%%
both = %(default/x)s %(x)s
other = %(two/raw)s
fallback = %(two/twice)s
list = first
kept = first
late = %(notyet)s
[two]
x = two
raw = <%(x)s>
[Big]
x = big
`,
		"jail.local": `[DEFAULT]
twice = %(known/twice)s
[one]
list = %(known/list)s second
nodefault = %(known/x)s
`,
	})
	for option, want := range map[string]string{
		"upper": "one", "percent": "100%", "both": "default one", "other": "<one>", "here": "one",
		"list": "first second", "nodefault": "default", "kept": "first",
	} {
		if got := get(t, d, "one", option); got != want {
			t.Errorf("%s: got %q, want %q", option, got, want)
		}
	}
	for _, option := range []string{"late", "twice", "fallback"} {
		if v, _, err := d.Get("one", option, nil); err == nil {
			t.Errorf("%s: got %q, want an error", option, v)
		}
	}
	if _, ok, err := d.Get("one", "nothing", nil); ok || err != nil {
		t.Errorf("got %v, %v for an option that nobody has", ok, err)
	}
	if _, ok, err := d.Get("nosection", "x", nil); ok || err != nil {
		t.Errorf("got %v, %v for a section that is not there", ok, err)
	}
}

func TestWhatCannotBeInterpolatedNamesTheLine(t *testing.T) {
	for value, want := range map[string]string{
		"50% off":             "stands for nothing",
		"%d":                  "stands for nothing",
		"%(x)":                "stands for nothing",
		"%()s":                "stands for nothing",
		"%(nosuch)s":          "%(nosuch)s is not defined",
		"%(Big/x)s":           "is not defined",
		"%(a.b/x)s":           "is not defined",
		"%(self)s":            "nested deeper",
		"%(nosection/x)s":     "is not defined",
		"first\n  %(nosuch)s": "/e/jail.conf:5: ",
	} {
		d := jail(t, map[string]string{"jail.conf": "[Big]\nx=1\n[s]\nself = " + value + "\n"})
		_, _, err := d.Get("s", "self", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "/e/jail.conf:") {
			t.Errorf("%q: got %v, want ...%s...", value, err, want)
		}
	}
}

func TestTenLevelsNestAndElevenDoNot(t *testing.T) {
	var b strings.Builder
	b.WriteString("[s]\na0 = end\n")
	for i := 1; i <= 11; i++ {
		fmt.Fprintf(&b, "a%d = %%(a%d)s\n", i, i-1)
	}
	d := jail(t, map[string]string{"jail.conf": b.String()})
	if got := get(t, d, "s", "a10"); got != "end" {
		t.Errorf("got %q, want end", got)
	}
	if _, _, err := d.Get("s", "a11", nil); err == nil {
		t.Error("got no error, want one for 11 levels")
	}
}

func TestOnlyOneLevelOfKnownIsKept(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf": "[s]\nx = 1\n", "jail.d/a.conf": "[s]\nx = %(known/x)s 2\n", "jail.local": "[s]\nx = %(known/x)s 3\n",
	})
	if v, _, err := d.Get("s", "x", nil); err == nil {
		t.Errorf("got %q, want an error", v)
	}
}

func TestFromSectionExpandsInItsOwnContext(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf":  "[DEFAULT]\nd = default\n[lt]\nown = %(w)s\nw = lt\n[Definition]\nw = def\nx = old\n",
		"jail.local": "[Definition]\nx = new\n",
	})
	for name, want := range map[string]string{"lt/own": "lt", "lt/d": "default", "known/x": "old", "known/d": "default", "known/w": "def", "default/d": "default", "w": "def"} {
		v, ok, err := d.FromSection("Definition", name, nil)
		if err != nil || !ok || v.String() != want {
			t.Errorf("%s: got %q, %v, %v, want %q", name, v, ok, err, want)
		}
	}
	for _, name := range []string{"lt/none", "none/own", "none", "a b"} {
		if v, ok, err := d.FromSection("Definition", name, nil); ok || err != nil {
			t.Errorf("%s: got %q, %v, want nothing", name, v, err)
		}
	}
}

func TestVarsStandBeforeTheFiles(t *testing.T) {
	d := jail(t, map[string]string{"jail.conf": "[s]\nx = file\ny = %(x)s\n"})
	v, _, err := d.Get("s", "y", func(name string) (Text, bool, error) {
		return NewText("given", Place{}), name == "x", nil
	})
	if err != nil || v.String() != "given" {
		t.Errorf("got %q, %v, want given", v, err)
	}
}

func TestEveryLineKnowsItsPlace(t *testing.T) {
	d := jail(t, map[string]string{"jail.conf": `[s]
more =
    two
    three
all = one %(more)s four
    %(more)s
    five
`})
	v, _, err := d.Get("s", "all", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range v.Lines() {
		got = append(got, fmt.Sprintf("%s@%d", line, line.Place().Line))
	}
	want := "one @5|two@3|three four@4|@6|two@3|three@4|five@7"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
	u := v.Replace("three", NewText("a\nb", Place{"f", 9}))
	if u.String() != "one \ntwo\na\nb four\n\ntwo\na\nb\nfive" || u.At(len(u.String())).Line != 7 || u.Slice(10, 11).At(0).Line != 9 {
		t.Errorf("got %q", u)
	}
}

func FuzzGet(f *testing.F) {
	f.Add("[DEFAULT]\na=%(b)s\n[s]\nb = %(a)s%%", "[s]\na : %(known/b)s\n  c\n")
	f.Add("[INCLUDES]\nbefore = jail.local\n[s?x=1]\nb=%(default/a)s", "[DEFAULT]\na=%(s/b)s")
	f.Add("[s?A=%[]\nb = 1\n", "")
	f.Fuzz(func(t *testing.T, conf, local string) {
		tr := tree(map[string]string{"jail.conf": conf, "jail.local": local, "a.conf": local})
		d, err := tr.Document("jail")
		if err != nil || d == nil {
			return
		}
		for _, s := range append(d.Sections(), "DEFAULT") {
			for _, o := range d.Options(s) {
				v, ok, err := d.Get(s, o, nil)
				if err == nil && !ok && o == strings.ToLower(o) {
					t.Errorf("[%s] %q has no value", s, o)
				}
				if n := len(v.Lines()); err == nil && n != strings.Count(v.String(), "\n")+1 {
					t.Errorf("got %d lines of %q", n, v)
				}
				_, _, _ = d.FromSection(s, s+"/"+o, nil)
			}
		}
	})
}
