package cli

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// Bans that go into a file are written many at a time: none may be missing at the end,
// nor where a log cannot be read.
func TestAFileGetsTheBansThatAReaderGets(t *testing.T) {
	const bans = 620 // the last of them are few: those of a second chunk
	dir := t.TempDir()
	path := filepath.Join(dir, "auth.log")
	var text strings.Builder
	for i := range bans {
		for range 5 {
			fmt.Fprintf(&text, "2025-11-22T11:%02d:%02d host sshd[1]: Failed password for root from 203.0.%d.%d port 1 ssh2\n", i/60, i%60, 100+i/250, 1+i%250)
		}
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "auth.log.1.gz")
	if err := os.WriteFile(broken, []byte("\x1f\x8bnot packed at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, logs := range [][]string{{path}, {path, broken}} {
		var read bytes.Buffer
		args := append([]string{"replay", "--json", "sshd"}, logs...)
		run := func(out io.Writer) int {
			return (&env{stdin: strings.NewReader(""), stdout: out, stderr: io.Discard, root: dir}).main(args)
		}
		want := run(&read)
		if n := bytes.Count(read.Bytes(), []byte("\n")); n != bans || read.Len() < 2*written {
			t.Fatalf("%q: a reader gets %d bans in %d bytes, want %d and more than is written at once", logs, n, read.Len(), bans)
		}
		file, err := os.Create(filepath.Join(dir, "bans"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if got := run(file); got != want {
			t.Errorf("%q: got %d with a file, want %d", logs, got, want)
		}
		got, err := os.ReadFile(file.Name())
		if err != nil || !bytes.Equal(got, read.Bytes()) {
			t.Errorf("%q: the file gets %d bytes and %v, want the %d that a reader gets", logs, len(got), err, read.Len())
		}
	}
}

// The ballast counts as memory that is used: under a limit the collector would run all the time.
func TestWhoLimitsMemoryToLittleGetsNoBallast(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	if n := len(ballast()); n != 40<<20 {
		t.Errorf("without a limit the ballast has %d bytes, want 40 MB", n)
	}
	debug.SetMemoryLimit(60 << 20)
	if n := len(ballast()); n != 0 {
		t.Errorf("under a limit the ballast has %d bytes, want none", n)
	}
}
