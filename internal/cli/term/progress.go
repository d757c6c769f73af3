package term

import (
	"context"
	"io"
	"sync"
	"time"
)

// A Progress is a line on a terminal that says how far a long work is.
type Progress struct {
	W    io.Writer
	Text func(took time.Duration) string

	mu    sync.Mutex
	shown bool
}

const (
	every = time.Second / 2
	erase = "\r\x1b[K"
)

// Run shows the line twice a second until ctx is done, and leaves none behind.
func (p *Progress) Run(ctx context.Context) {
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer p.clear()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.show(p.Text(time.Since(began)))
		}
	}
}

func (p *Progress) show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.W, erase+text) // it is only a courtesy
	p.shown = true
}

func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone()
}

// gone erases the line; p.mu is held.
func (p *Progress) gone() {
	if p.shown {
		_, _ = io.WriteString(p.W, erase)
		p.shown = false
	}
}

// Around returns a writer to w, which may be the same terminal: the line gives way
// to what is written there.
func (p *Progress) Around(w io.Writer) io.Writer { return around{p, w} }

type around struct {
	p *Progress
	w io.Writer
}

func (a around) Write(text []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.gone()
	return a.w.Write(text)
}
