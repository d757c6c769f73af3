package source

import (
	"strings"
	"testing"
)

func TestRestartShowsAgainWhatTheNextLinesReferTo(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one", "two")
		d.start()
		d.want("one", "two")
		if d.seen != "" {
			t.Errorf("at first sight %q was shown as seen, want nothing", d.seen)
		}
		d.stop()
		write(t, "mail.log", "three")
		d.start()
		d.want("three")
		if d.seen != "one\ntwo\n" {
			t.Errorf("shown again: %q, want the two lines before the restart", d.seen)
		}
	})
}

func TestWhatIsShownAgainIsBoundedAndWhole(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		line := strings.Repeat("x", 1000)
		var lines []string
		for range 200 {
			lines = append(lines, line)
		}
		write(t, "mail.log", lines...)
		d.start()
		d.want(lines...)
		d.stop()
		d.start()
		d.want()
		if n := len(d.seen); n > recallMax || n < recallMax-2000 || n%1001 != 0 {
			t.Errorf("%d bytes were shown again, want whole lines of nearly %d", n, recallMax)
		}
	})
}
