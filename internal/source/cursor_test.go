package source

import (
	"os"
	"strings"
	"testing"
	"time"
)

func FuzzCursor(f *testing.F) {
	f.Add("1:0123456789abcdef:4096:fe00:42:1795371371780:e94bb149606ce2c8c340fe35dd723c63")
	f.Add("2:x")
	f.Add("1:0123456789abcdef:-1:0:0:0:")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil {
			return
		}
		if got := c.String(); got != s {
			t.Errorf("%q was read and is written as %q", s, got)
		}
		if again, err := parseCursor(c.String()); err != nil || again != c {
			t.Errorf("got %+v, %v, want %+v", again, err, c)
		}
	})
}

func TestUnreadableCursorLosesNothing(t *testing.T) {
	for _, damage := range []func(string) string{
		func(s string) string { return "9" + s[1:] },
		func(s string) string { return s[:len(s)/2] },
		func(s string) string { return "" },
		func(s string) string { return strings.Replace(s, s[2:18], "0123456789abcdef", 1) },
	} {
		inBubble(t, []string{"mail.log"}, func(d *daemon) {
			write(t, "mail.log", "one")
			d.start()
			d.want("one")
			d.stop()
			var stream string
			for stream = range d.cursors {
				d.cursors[stream] = damage(d.cursors[stream])
			}
			d.start()
			d.wantError(stream, "from the start")
			for _, c := range d.chunks {
				if c.Live && len(c.Text) > 0 {
					t.Errorf("%q is live, want it read as old", c.Text)
				}
			}
			d.want("one")
			if _, kept := d.cursors[stream]; kept || len(d.cursors) != 1 {
				t.Errorf("the cursors are %v, want a new one in place of %s", d.cursors, stream)
			}
		})
	}
}

// A mount may come late: a cursor whose file is missing is kept for a while.
func TestCursorWaitsForItsFile(t *testing.T) {
	inBubble(t, []string{"logs/mail.log"}, func(d *daemon) {
		write(t, "logs/mail.log", "one")
		d.start()
		d.want("one")
		d.stop()
		rename(t, "logs", "away")
		d.start()
		d.want()
		write(t, "away/mail.log", "two")
		rename(t, "away", "logs")
		d.want("two")
		d.stop()
		rename(t, "logs", "away")
		must(t, os.Mkdir("logs", 0o755))
		d.c.Poll, d.c.Rescan = time.Hour, time.Hour
		d.start()
		d.pass(8 * 24 * time.Hour)
		if len(d.cursors) != 0 {
			t.Errorf("after a week the cursors are %v, want none", d.cursors)
		}
	})
}

// Cursors of origins that the configuration does not name now are left alone.
func TestCursorsOfOthersAreLeftAlone(t *testing.T) {
	inBubble(t, []string{"*.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		write(t, "auth.log", "two")
		d.start()
		d.want("two", "one")
		d.stop()
		d.c.Globs = []string{"auth.log"}
		must(t, os.Remove("mail.log"))
		d.start()
		d.want()
		if len(d.cursors) != 2 {
			t.Errorf("%d cursors are left, want 2", len(d.cursors))
		}
	})
}
