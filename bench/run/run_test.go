package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestFiltersOfSeveralLinesAndPartsOfFiltersAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "filter.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"door.conf":   "[Definition]\nfailregex = ^refused <HOST>$\n",
		"gate.conf":   "[Definition]\nfailregex = ^barred <HOST>$\n[Init]\nmaxlines = 1\n",
		"window.conf": "[Definition]\nfailregex = ^a<SKIPLINES>b <HOST>$\n[Init]\nmaxlines = 10\n",
		"common.conf": "[DEFAULT]\n_daemon = door\n",
		"door.local":  "[Definition]\nfailregex = ^refused <HOST>!$\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "filter.d", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := singleLine(dir)
	if want := []string{"door", "gate"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
}

func TestTheClocksAreRead(t *testing.T) {
	for _, tt := range []struct {
		clock *regexp.Regexp
		text  string
		want  time.Duration
	}{
		{theirClock, "Lines: 9 lines, 0 ignored, 1 matched, 8 missed\n[processed in 4.15 sec]\n", 4150 * time.Millisecond},
		{ourClock, "all 3 jails: 9 lines, 1 failure, 0 ignored, 0 bans; 25.6 MB in 1.292s, 154817 lines/s\n", 1292 * time.Millisecond},
		{ourClock, "all 3 jails: 9 lines, 1 failure, 0 ignored, 0 bans; 25.6 MB in 626ms, 154817 lines/s\n", 626 * time.Millisecond},
		{ourClock, "all 3 jails: 9 lines, 1 failure, 0 ignored, 0 bans; 25.6 MB in 1m2.5s, 9 lines/s\n", 62500 * time.Millisecond},
	} {
		if got, err := said(tt.clock, tt.text); err != nil || got != tt.want {
			t.Errorf("%q: got %v and %v, want %v", tt.text, got, err, tt.want)
		}
	}
	if d, err := said(ourClock, "filter: sshd, built in\n"); err == nil {
		t.Errorf("got %v where no time is said, want an error", d)
	}
}
