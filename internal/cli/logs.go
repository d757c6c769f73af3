package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/source/warm"
)

// A reading is some logs, and how far they are read.
type reading struct {
	logs []intake.Log
	size int64 // of all; 0 if that is not known
	read atomic.Int64
}

// logs names the files of the paths, and - for the standard input.
func (e *env) logs(paths []string) *reading {
	r := &reading{}
	known := true
	for _, path := range paths {
		r.logs = append(r.logs, intake.Log{Name: path, Open: func() (io.ReadCloser, error) {
			if path == "-" {
				return r.plain(path, io.NopCloser(e.stdin))
			}
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			switch info, err := f.Stat(); {
			case err != nil:
			case info.IsDir():
				f.Close()
				return nil, fmt.Errorf("%s is a folder: name the logs in it, as in %s", path, filepath.Join(path, "*.log"))
			case info.Mode().IsRegular():
				return r.plain(path, warm.New(f))
			}
			return r.plain(path, f)
		}})
		info, err := os.Stat(path)
		if known = known && path != "-" && err == nil && info.Mode().IsRegular(); known {
			r.size += info.Size()
		}
	}
	if !known {
		r.size = 0
	}
	return r
}

// A log is a file, and what it holds without a packing.
type log struct {
	io.Reader
	io.Closer
}

// plain returns what f holds, unpacked if it is gzip: rotated logs often are.
func (r *reading) plain(path string, f io.ReadCloser) (io.ReadCloser, error) {
	rest := io.Reader(&counter{f, &r.read})
	magic := make([]byte, 2)
	n, err := io.ReadFull(rest, magic)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		rest = nothing // a terminal would be asked for more
	}
	all := io.MultiReader(bytes.NewReader(magic[:n]), rest)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return log{all, f}, nil // whoever reads on finds out what is wrong
	}
	unpacked, err := gzip.NewReader(all)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return log{unpacked, f}, nil
}

var nothing = strings.NewReader("")

// A counter counts what is read through it.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// progress says how far it is after so many lines.
func (r *reading) progress(lines int64, took time.Duration) string {
	text := fmt.Sprintf("%s, %.0f lines/s", term.Count(int(lines), "line"), float64(lines)/took.Seconds())
	if r.size > 0 {
		text = fmt.Sprintf("%d %%, %s", min(100, 100*r.read.Load()/r.size), text) // a log may grow meanwhile
	}
	return text
}

// watch shows on a terminal how far a long work is, until stop is called.
func (e *env) watch(ctx context.Context, text func(took time.Duration) string) (stop func()) {
	if !terminal(e.stderr) {
		return func() {}
	}
	p := &term.Progress{W: e.stderr, Text: text}
	if terminal(e.stdout) {
		e.stdout = p.Around(e.stdout)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// regular reports whether w is a file on a disk: few wait for what comes into it.
func regular(w io.Writer) bool { return modeOf(w).IsRegular() }

// terminal reports whether w is one, or another device where a line that is
// written over and over does no harm.
func terminal(w io.Writer) bool { return modeOf(w)&os.ModeCharDevice != 0 }

// modeOf returns what kind of file w is, an irregular one where that is not known.
func modeOf(w io.Writer) os.FileMode {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			return info.Mode()
		}
	}
	return os.ModeIrregular
}
