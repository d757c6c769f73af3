package term

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen strings.Builder
		p := &Progress{W: &screen, Text: func(took time.Duration) string { return took.String() }}
		out := p.Around(&screen)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Run(ctx)
		}()
		io.WriteString(out, "first\n")
		time.Sleep(1100 * time.Millisecond)
		io.WriteString(out, "second\n")
		io.WriteString(out, "third\n")
		time.Sleep(time.Second / 2)
		cancel()
		<-done
		got := strings.ReplaceAll(screen.String(), erase, "<")
		if want := "first\n<500ms<1s<second\nthird\n<1.5s<"; got != want {
			t.Errorf("got %q, want %q, where < erases the line", got, want)
		}
	})
}
