// Package oracle holds edgeban to what fail2ban does: its tests ask Debian's
// package of fail2ban, where it is installed, and compare. Nothing of fail2ban is
// kept here; its filters and its samples are read when the tests run.
package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const (
	installed = "/usr/lib/python3/dist-packages/fail2ban"
	stock     = "/etc/fail2ban"
)

// A python is a process that answers questions with fail2ban's own code.
type python struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// known is the release whose answers the lists of differences are about.
const known = "1.0.2"

// oracle starts a process for the test. Where this fail2ban is not installed the
// test is skipped, unless EDGEBAN_ORACLE=1 says that it must be there.
func oracle(t *testing.T) *python {
	t.Helper()
	if err := isInstalled(); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/oracle.py")
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore", "LC_ALL=C.UTF-8")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() // it ends with its input
	})
	return &python{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// ask puts a question and reads the answer into a.
func (p *python) ask(t *testing.T, q map[string]any, a any) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", text); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("oracle: no answer: %v", err)
	}
	var reply struct {
		OK     json.RawMessage
		Failed string
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Failed != "" {
		t.Fatalf("oracle: %s", reply.Failed)
	}
	if err := json.Unmarshal(reply.OK, a); err != nil {
		t.Fatal(err)
	}
}

func isInstalled() error {
	if _, err := os.Stat(stock); err != nil {
		return fmt.Errorf("fail2ban is not installed: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(installed, "version.py"))
	if err != nil {
		return fmt.Errorf("fail2ban is not installed: %w", err)
	}
	if !bytes.Contains(text, []byte(`"`+known+`"`)) {
		return fmt.Errorf("another fail2ban than %s is installed", known)
	}
	return nil
}
