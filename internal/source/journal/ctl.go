package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// A ctl is systemd's journalctl, which prints entries as they come.
type ctl struct {
	program string
	match   []string
	note    func(string) // is told what it says of what it does not show; may be nil
}

// open starts it after a cursor, or at a time if that is empty.
func (c ctl) open(ctx context.Context, after string, since time.Time) (io.ReadCloser, error) {
	if after != "" {
		return c.run(ctx, "--follow", "--no-tail", "--after-cursor="+after)
	}
	return c.run(ctx, "--follow", "--no-tail", fmt.Sprintf("--since=@%d", since.Unix()))
}

// before implements opener.
func (c ctl) before(ctx context.Context, cursor string) (io.ReadCloser, bool, error) {
	c.note = nil
	in, err := c.run(ctx, "--reverse", "--cursor="+cursor, fmt.Sprintf("--lines=%d", recallMax))
	return in, true, err
}

// newest implements opener.
func (c ctl) newest(ctx context.Context) (io.ReadCloser, error) { return c.run(ctx, "--lines=1") }

func (c ctl) run(ctx context.Context, args ...string) (io.ReadCloser, error) {
	args = append([]string{"--output=json", "--all", "--no-pager", "--output-fields=" + fields}, args...)
	args = append(args, "--")
	for i, m := range c.match {
		if i > 0 {
			args = append(args, "+")
		}
		args = append(args, strings.Fields(m)...)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &process{cmd: exec.CommandContext(ctx, c.program, args...), cancel: cancel}
	p.said.note = c.note
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = 5 * time.Second
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.out = out
		err = p.cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = &stuck{err, "run edgeban where journalctl is, or let systemd-journal-gatewayd serve the journal and write url: http://HOST:19531"}
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// A process is a journalctl that runs.
type process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	out    io.Reader
	said   clipped
	ended  bool
}

// Read implements io.Reader. What it complained of is the error at its end.
func (p *process) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == nil || n > 0 || p.ended {
		return n, err
	}
	p.ended = true
	if e := p.cmd.Wait(); e != nil || p.said.text.Len() > 0 {
		return 0, fmt.Errorf("journalctl ended: %s", p.said.why(e))
	}
	return 0, err
}

// Close implements io.Closer.
func (p *process) Close() error {
	p.cancel()
	if p.ended {
		return nil
	}
	p.ended = true
	return p.cmd.Wait()
}

// A clipped keeps the begin of what is written to it.
type clipped struct {
	text bytes.Buffer
	note func(string)
}

func (c *clipped) Write(b []byte) (int, error) {
	if room := 500 - c.text.Len(); room > 0 {
		c.text.Write(b[:min(room, len(b))])
		if c.note != nil {
			c.note(c.why(nil))
		}
	}
	return len(b), nil
}

func (c *clipped) why(err error) string {
	text := strings.Join(strings.Fields(c.text.String()), " ")
	switch {
	case text == "" && err != nil:
		return err.Error()
	case text == "":
		return "without a word"
	}
	return text
}
