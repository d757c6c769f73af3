package cli

import "testing"

func TestLongPathsShowTheirEnd(t *testing.T) {
	if got, want := tail("/a/long/path/to/a.log", 8), "…o/a.log"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
