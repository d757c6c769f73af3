package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGoldenLogs scans testdata/SERVICE/log with the filter of that name and
// compares with testdata/SERVICE/want: a line "LINE KIND ADDRESS COUNT USER" for
// each match. A log that is added needs only these two files.
func TestGoldenLogs(t *testing.T) {
	logs, err := filepath.Glob("testdata/*/log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(filepath.Dir(log), "want"))
		if err != nil {
			t.Fatal(err)
		}
		s := filterOf(t, filepath.Base(filepath.Dir(log))).Scanner(Options{Jail: "golden", Zone: time.UTC})
		var got strings.Builder
		n, base := 0, int64(0)
		for line := range strings.Lines(string(text)) {
			n++
			for _, m := range chunks(s, base, line) {
				fmt.Fprintln(&got, strings.TrimSpace(fmt.Sprintf("%d %v %v %d %s", n, m.Kind, m.Addr, m.Count, m.User)))
			}
			base += int64(len(line))
		}
		if got.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", log, got.String(), want)
		}
	}
}
