package ini

import (
	"strings"
	"testing"
)

func TestParameterLists(t *testing.T) {
	for text, want := range map[string]string{
		"a[]":                          "a",
		"a[x=1]":                       "a x=1",
		"a [x=1]":                      "a x=1",
		`a[x="1, ]'", y=' "b ',z= c ]`: `a x=1, ]' y="b z=c`,
		"a[x=1][y=2]  [z=3]\n b":       "a x=1 y=2 z=3|b",
		"a[x=1,]":                      "a x=1",
		"a[,]":                         "a",
		"a[\n x=1,\n y=2\n]":           "a x=1 y=2",
		"a[x=1;y=2] b":                 "a x=1;y=2|b",
		"a b [c=d e] f":                "a|b c=d e|f",
		`a[x="1]`:                      `a x="1`,
		`a[x?family=inet6="v"]`:        "a x?family=inet6=v",
		`a[x= "1"]`:                    `a x="1"`,
		"a, b":                         "a,|b",
	} {
		items, err := Items(NewText(text, Place{"f", 1}))
		if err != nil {
			t.Errorf("%q: got %v", text, err)
			continue
		}
		var got []string
		for _, it := range items {
			s := it.Name
			for _, k := range it.Keys {
				s += " " + k + "=" + it.Params[k].String()
			}
			got = append(got, s)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"[x=1]", "a[x=1", "a[x", "a[x=1]b", `a[x="1" , y=2]`, "a[x=1,,y=2]", "a[x]", "a[=1]", "a[x =1]", `a[x="1"y=2]`, "a [b"} {
		if items, err := Items(NewText(text, Place{"f", 1})); err == nil {
			t.Errorf("%q: got %v, want an error", text, items)
		}
	}
	if it, err := OneItem(NewText("f[x=1] ", Place{})); err != nil || it.Name != "f" {
		t.Errorf("got %v, %v", it, err)
	}
	for _, text := range []string{"f[x=1] g", "[x=1]", "f]["} {
		if it, err := OneItem(NewText(text, Place{})); err == nil {
			t.Errorf("%q: got %v, want an error", text, it)
		}
	}
}
