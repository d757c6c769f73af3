package ini

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree returns a tree of these files below /e.
func tree(files map[string]string) *Tree {
	m := fstest.MapFS{}
	for name, text := range files {
		if !strings.HasPrefix(name, "/") {
			name = "/e/" + name
		}
		m[name[1:]] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return New(m, "/e")
}

// jail returns the jail document of these files.
func jail(t *testing.T, files map[string]string) *Document {
	t.Helper()
	d, err := tree(files).Document("jail")
	if err != nil || d == nil {
		t.Fatalf("got %v, %v, want a document", d, err)
	}
	return d
}

func get(t *testing.T, d *Document, section, option string) string {
	t.Helper()
	v, ok, err := d.Get(section, option, nil)
	if err != nil || !ok {
		t.Fatalf("[%s] %s: got %v, %v, want a value", section, option, ok, err)
	}
	return v.String()
}

func TestLaterFilesWinInTheOrderOfUpstream(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf":          "[s]\na=conf\n",
		"jail.d/10.conf":     "[s]\na=10\n",
		"jail.d/9.conf":      "[s]\na=9\n",
		"jail.d/Z.conf":      "[s]\na=Z\n",
		"jail.d/a.conf":      "[s]\na=a\n",
		"jail.d/.hid.conf":   "[s]\na=hidden\n",
		"jail.d/README.text": "not read",
		"jail.local":         "[s]\na=local\n",
		"jail.d/b.local":     "[s]\nb=late\n",
	})
	want := []string{"jail.conf", "jail.d/10.conf", "jail.d/9.conf", "jail.d/Z.conf", "jail.d/a.conf", "jail.local", "jail.d/b.local"}
	for i := range want {
		want[i] = "/e/" + want[i]
	}
	if !slices.Equal(d.Files(), want) {
		t.Errorf("got %v\nwant %v", d.Files(), want)
	}
	if got := get(t, d, "s", "a"); got != "local" {
		t.Errorf("got %q, want what jail.local says", got)
	}
}

func TestOneFileIsEnough(t *testing.T) {
	if got := get(t, jail(t, map[string]string{"jail.local": "[s]\na=1"}), "s", "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	if d, err := tree(nil).Document("jail"); d != nil || err != nil {
		t.Errorf("got %v, %v, want nothing for no file", d, err)
	}
}

func TestIncludesComeBeforeAndAfterWithTheirLocal(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf":        "[INCLUDES]\nbefore = sub/one.conf\n missing.conf\nafter = last.conf\n[s]\na = jail\n",
		"sub/one.conf":     "[INCLUDES]\nbefore = two.conf\n[s]\na = one\n",
		"sub/one.local":    "[s]\na = onelocal\n",
		"sub/two.conf":     "[s]\na = two\n",
		"last.conf":        "[INCLUDES]\nafter = /x/abs.conf\n[includes]\nbefore = no.conf\n",
		"/x/abs.conf":      "[INCLUDES]\nbefore = %(where)s.conf\n[DEFAULT]\nwhere = named\n",
		"/x/named.conf":    "[s]\na = named\n",
		"no.conf":          "[s]\na = no\n",
		"jail.d/one.local": "[INCLUDES]\nbefore = ../no.conf\n",
	})
	want := []string{
		"/e/sub/two.conf", "/e/sub/one.conf", "/e/sub/one.local", "/e/jail.conf", "/e/last.conf",
		"/x/named.conf", "/x/abs.conf", "/e/no.conf", "/e/jail.d/one.local",
	}
	if !slices.Equal(d.Files(), want) {
		t.Errorf("got %v\nwant %v", d.Files(), want)
	}
}

func TestFilesThatIncludeEachOtherEnd(t *testing.T) {
	d := jail(t, map[string]string{
		"jail.conf": "[INCLUDES]\nbefore = a.conf\n ./a.conf\n[s]\nx = 1\n",
		"a.conf":    "[INCLUDES]\nafter = ../e/jail.conf\n",
	})
	if n := len(d.Files()); n > 10 {
		t.Errorf("got %d files, want a few", n)
	}
}

func TestTheDialect(t *testing.T) {
	d := jail(t, map[string]string{"jail.conf": strings.Join([]string{
		"# comment", "; another",
		"[Sec]", "  a:b=1", "  KEY = v ; cut", "  hash = v # kept", "  semi = v;kept ;cut; all", "  empty =",
		"[multi]", "first = one", "   two", "   # left out", "", "   [three]", "", "", "second=", "  x", " \tindented = 1",
		"[greedy] ] tail", "k = 1", "[crlf]\r", "k = a\r", "  b\r", "tab = v\t; cut",
	}, "\n")})
	for _, c := range []struct{ section, option, want string }{
		{"Sec", "a", "b=1"},
		{"Sec", "key", "v"},
		{"Sec", "hash", "v # kept"},
		{"Sec", "semi", "v;kept"},
		{"Sec", "empty", ""},
		{"multi", "first", "one\ntwo\n\n[three]"},
		{"multi", "second", "\nx\nindented = 1"},
		{"greedy] ", "k", "1"},
		{"crlf", "k", "a\nb"},
		{"crlf", "tab", "v"},
	} {
		if got := get(t, d, c.section, c.option); got != c.want {
			t.Errorf("[%s] %s: got %q, want %q", c.section, c.option, got, c.want)
		}
	}
	if d.Has("sec") {
		t.Error("a section was found in another case")
	}
}

func TestWhatIsWrittenWrongIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"[s]\na=1\na=2":          "/e/jail.conf:3: ",
		"[s]\na=1\n\nA: 2":       "/e/jail.conf:4: ",
		"[s]\na=1\n[s]\n":        "/e/jail.conf:3: ",
		"a=1":                    "/e/jail.conf:1: ",
		"[s]\nsecretword":        "/e/jail.conf:2: ",
		"[s]\n= 1":               "/e/jail.conf:2: ",
		"[]\n":                   "/e/jail.conf:1: ",
		"\ufeff[s]\n":            "/e/jail.conf:1: ",
		"[DEFAULT]\na=1\na=2":    "/e/jail.conf:3: ",
		"[INCLUDES]\nbefore=%(x": "/e/jail.conf:2: ",
	} {
		_, err := tree(map[string]string{"jail.conf": text}).Document("jail")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s...", text, err, want)
		} else if strings.Contains(err.Error(), "secretword") {
			t.Errorf("the line is shown, and may be a secret: %v", err)
		}
	}
	d := jail(t, map[string]string{"jail.conf": "[DEFAULT]\na=1\n[DEFAULT]\nb=2\n[s]\n", "jail.local": "[s]\n[t]\n"})
	if got := get(t, d, "s", "a") + get(t, d, "s", "b"); got != "12" {
		t.Errorf("got %q, want 12: [DEFAULT] may be there twice", got)
	}
}

func TestAFileThatIsNotUTF8IsLeftOutAndTold(t *testing.T) {
	tr := tree(map[string]string{"jail.conf": "[s]\na=1", "jail.local": "[s]\na=\xff"})
	d, err := tr.Document("jail")
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "s", "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	if n := tr.Notes(); len(n) != 1 || n[0].File != "/e/jail.local" {
		t.Errorf("got %v, want a note on jail.local", n)
	}
}

func TestAFileThatMayNotBeReadIsAnError(t *testing.T) {
	m := fstest.MapFS{"e/jail.conf": {Data: []byte("[s]\n"), Mode: 0o644}, "e/jail.local": {Mode: 0o644}}
	_, err := New(denied{m, "e/jail.local"}, "/e").Document("jail")
	if !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(err.Error(), "/e/jail.local: ") {
		t.Errorf("got %v, want one that names jail.local", err)
	}
}

// denied is a file system one file of which may not be opened.
type denied struct {
	fstest.MapFS
	name string
}

func (d denied) Open(name string) (fs.File, error) {
	if name == d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.MapFS.Open(name)
}

func TestWhatIsNoFileDoesNotHang(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "jail.conf", "[s]\na=1\n")
	for name, to := range map[string]string{"jail.local": "/dev/null", "jail.d/dangling.conf": "nowhere"} {
		os.MkdirAll(filepath.Join(dir, "jail.d"), 0o755)
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll(filepath.Join(dir, "jail.d", "folder.conf"), 0o755)
	d, err := New(os.DirFS("/"), dir).Document("jail")
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "s", "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConditionalSectionsAreOptions(t *testing.T) {
	d := jail(t, map[string]string{"jail.conf": "[Init]\na=4\n[Init?family=inet6]\na=6\n"})
	if got := d.Options("Init"); !slices.Equal(got, []string{"a", "a?family=inet6"}) {
		t.Errorf("got %v", got)
	}
}

func TestAHostileTreeEnds(t *testing.T) {
	many := map[string]string{}
	for i := range 40 {
		many[fmt.Sprintf("f%d.conf", i)] = fmt.Sprintf("[INCLUDES]\nbefore = f%d.conf\n f%d.conf\nafter = f%d.conf\n[s]\nk%d=1\n", i+1, (i+2)%40, (i+7)%40, i)
	}
	many["jail.conf"] = "[INCLUDES]\nbefore = f0.conf\n"
	big := map[string]string{"jail.conf": "[s]\na=" + strings.Repeat("x", maxFile)}
	for name, files := range map[string]map[string]string{"includes": many, "size": big} {
		if _, err := tree(files).Document("jail"); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}

	var b strings.Builder
	b.WriteString("[s]\na0=" + strings.Repeat("x", 1000))
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "\na%d=%s", i, strings.Repeat(fmt.Sprintf("%%(a%d)s", i-1), 100))
	}
	b.WriteString("\n[t]\na0=")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "\na%d=%s", i, strings.Repeat(fmt.Sprintf("%%(a%d)s", i-1), 1000))
	}
	fmt.Fprintf(&b, "\nflat=%s", strings.Repeat("%%\n ", 100_000))
	d := jail(t, map[string]string{"jail.conf": b.String()})
	if got := get(t, d, "t", "flat"); len(got) != 199_999 {
		t.Errorf("got %d bytes", len(got))
	}
	for _, s := range []string{"s", "t"} {
		if _, _, err := d.Get(s, "a9", nil); err == nil {
			t.Errorf("[%s]: got no error, want one for a value that explodes", s)
		}
	}
}
