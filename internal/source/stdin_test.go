package source

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/whole"
)

func TestStdinYieldsEveryLine(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	for text, want := range map[string][]string{
		"":                           nil,
		"one\ntwo\n":                 {"one", "two"},
		"one\ntwo":                   {"one", "two"},
		"\n\n":                       {"", ""},
		"a\n" + long + "\nb\n":       {"a", "b"},
		long[1:] + "\nb\n":           {long[1:], "b"},
		long + long + long + "\nb\n": {"b"},
		"a\n" + long:                 {"a"},
		strings.Repeat(strings.Repeat("x", 99)+"\n", 9000): slices.Repeat([]string{strings.Repeat("x", 99)}, 9000),
	} {
		for _, in := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			allLines(t, NewStdin(in).Chunks(t.Context(), nil), text, want)
		}
		for _, in := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			allLines(t, Read(t.Context(), in, oneBuffer()), text, want)
		}
	}
}

func oneBuffer() func() *whole.Buffer {
	var buf whole.Buffer
	return func() *whole.Buffer { return &buf }
}

func allLines(t *testing.T, chunks iter.Seq2[edgeban.Chunk, error], text string, want []string) {
	t.Helper()
	var got []string
	var last edgeban.Chunk
	for c, err := range chunks {
		must(t, err)
		for line := range strings.Lines(string(c.Text)) {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
		if n := min(len(c.Text), len(text)-int(c.Base)); text[c.Base:c.Base+int64(n)] != string(c.Text[:n]) {
			t.Errorf("the chunk at %d is %.40q", c.Base, c.Text)
		}
		last = c
	}
	if !slices.Equal(got, want) {
		t.Errorf("%.40q: got %.100q, want %.100q", text, got, want)
	}
	if !last.End || !last.Live || last.To != "" || !strings.HasPrefix(last.Stream, "stdin@") {
		t.Errorf("%.40q: the last chunk is %+v, want a live end without a cursor", text, last)
	}
}

func TestStdinDoesNotWaitForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 1)
		done := make(chan struct{})
		s := NewStdin(in)
		defer s.Close()
		go func() {
			defer close(done)
			for c, err := range s.Chunks(ctx, nil) {
				if err != nil {
					t.Error(err)
				}
				got <- string(c.Text)
			}
		}()
		io.WriteString(out, "one\ntw")
		if line := <-got; line != "one\n" {
			t.Errorf("got %q, want one", line)
		}
		cancel()
		<-done // although the input is open
		out.Close()
	})
}

// A line without an end must not keep who reads it from being stopped.
func TestALineWithoutEndIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan struct{})
	ended := make(chan int)
	go func() {
		chunks := 0
		for range Read(ctx, &endless{read}, oneBuffer()) {
			chunks++
		}
		ended <- chunks
	}()
	for range 10 {
		<-read
	}
	cancel()
	for {
		select {
		case <-read: // the one that was under way
		case n := <-ended:
			if n != 0 {
				t.Errorf("%d chunks of a line without an end, want none", n)
			}
			return
		case <-time.After(10 * time.Second):
			t.Fatal("it reads on")
		}
	}
}

// endless is a line without an end, and tells of each read.
type endless struct{ read chan<- struct{} }

func (e *endless) Read(p []byte) (int, error) {
	e.read <- struct{}{}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestStdinThatBreaksIsPermanent(t *testing.T) {
	in := func() io.Reader {
		return io.MultiReader(strings.NewReader("one\n"), iotest.ErrReader(errors.New("broken")))
	}
	for name, chunks := range map[string]iter.Seq2[edgeban.Chunk, error]{
		"a pipe": NewStdin(in()).Chunks(t.Context(), nil),
		"a file": Read(t.Context(), in(), oneBuffer()),
	} {
		var text string
		var errs []error
		for c, err := range chunks {
			text += string(c.Text)
			if err != nil {
				errs = append(errs, err)
			}
		}
		if text != "one\n" || len(errs) != 1 || !edgeban.IsPermanent(errs[0]) || strings.Contains(errs[0].Error(), "stdin") != (name == "a pipe") {
			t.Errorf("%s: got %q and %v, want the line and a permanent error that names no other input", name, text, errs)
		}
	}
}

func TestNextSequenceOfStdinLosesNothing(t *testing.T) {
	s := NewStdin(strings.NewReader(strings.Repeat("a line of some length\n", 50_000)))
	defer s.Close()
	streams, lines, chunks := map[string]bool{}, map[int64]int{}, 0 // lines by where they begin
	for range 100 {                                                 // each takes one chunk, and is left without a word
		for c, err := range s.Chunks(t.Context(), nil) {
			must(t, err)
			streams[c.Stream] = true
			at := c.Base
			for line := range strings.Lines(string(c.Text)) {
				lines[at]++
				at += int64(len(line))
			}
			if chunks++; chunks%3 == 0 {
				break // the next one is handed the same chunk again
			}
		}
	}
	if len(lines) != 50_000 || len(streams) != 1 {
		t.Errorf("%d different lines of %d streams, want 50000 of one", len(lines), len(streams))
	}
}
