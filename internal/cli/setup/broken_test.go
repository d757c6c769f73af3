package setup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written makes a folder of fail2ban's of one jail.local and a filter that works.
func written(t *testing.T, local string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"jail.local": local, "filter.d/door.conf": "[Definition]\nfailregex = ^refused <HOST>$\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBrokenJailIsNotForgotten(t *testing.T) {
	dir := written(t, "[DEFAULT]\nbackend = auto\n[door]\nenabled = true\nfilter = door\nlogpath = /nowhere/door.log\n"+
		"[gate]\nenabled = true\nfilter = door\nlogpath = /nowhere/gate.log\nmaxretry = many\nbantime = long\n[shed]\nfilter = door\n")
	f := Files{Default: filepath.Join(dir, "none"), Fail2ban: dir}
	c, _, err := f.Read()
	if err != nil || len(c.Jails) != 1 || len(c.Broken) != 1 || c.Broken[0].Jail != "gate" {
		t.Fatalf("got %+v, %v; want that door runs and gate is broken", c, err)
	}
	for _, place := range []string{"jail.local:11: ", "jail.local:12: "} {
		if !strings.Contains(c.Broken[0].Why, place) {
			t.Errorf("got %q, want every reason with its place, %s", c.Broken[0].Why, place)
		}
	}
	if got, want := Disabled(dir, "shed"), filepath.Join(dir, "jail.local")+":13"; got != want {
		t.Errorf("shed is disabled at %q, want %q", got, want)
	}
	for _, name := range []string{"door", "gate", "nowhere"} {
		if got := Disabled(dir, name); got != "" {
			t.Errorf("%s is disabled at %q, want not at all", name, got)
		}
	}
}

func TestWhatTheFileHasIsNotBrokenInTheFolder(t *testing.T) {
	dir := written(t, "[DEFAULT]\nbackend = auto\n[sshd]\nenabled = true\nfilter = nobodys\n[door]\nenabled = true\nfilter = nobodys\n")
	yaml := filepath.Join(dir, "edgeban.yaml")
	if err := os.WriteFile(yaml, []byte("jails: {sshd: {logpath: /var/log/auth.log}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Files{Config: yaml, Fail2ban: dir}.Read()
	if err != nil || len(c.Jails) != 1 || len(c.Broken) != 1 || c.Broken[0].Jail != "door" {
		t.Errorf("got %+v, %v; want the file's sshd to run, and only door to be broken", c, err)
	}
	_, _, err = Files{Default: filepath.Join(dir, "none"), Fail2ban: dir}.Read()
	if !errors.Is(err, ErrAllBroken) {
		t.Errorf("got %v, want that none can run", err)
	}
}
