package source

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/source/whole"
)

func TestHalfLineWaitsForItsEnd(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one", "tw"+half)
		d.start()
		d.want("one")
		d.stop()
		d.start()
		d.want()
		write(t, "mail.log", "o", "three")
		d.want("two", "three")
	})
}

func TestHalfLineIsYieldedWhenItsFileIsGivenUp(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one", "two"+half)
		d.start()
		rename(t, "mail.log", "mail.log.1")
		d.want("one")
		d.pass(time.Minute)
		last := d.chunks[len(d.chunks)-1]
		if last.Base != 4 || string(last.Text) != "two\n" {
			t.Errorf("the last chunk is %q at %d, want two at 4", last.Text, last.Base)
		}
		d.want("two")
		d.stop()
		d.start()
		d.want()
	})
}

func TestLongLinesAreSkippedAndCounted(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one", long, "two", long[1:], strings.Repeat(long, 20), long, "three")
		d.start()
		d.want("one", "two", long[1:], "three")
		write(t, "mail.log", "four", strings.Repeat(long, 9)+half)
		d.want("four")
		if got := d.file.Status()[0].Long; got != 3 {
			t.Errorf("counted %d long lines, want 3", got)
		}
		d.stop() // within the long line
		d.start()
		d.want()
		write(t, "mail.log", "x", "five")
		d.want("five")
		if got := d.file.Status()[0].Long; got != 1 {
			t.Errorf("counted %d long lines after the start, want 1", got)
		}
		write(t, "mail.log", long+half)
		d.want()
		must(t, os.Truncate("mail.log", 0))
		write(t, "mail.log", "six")
		d.want("six")
	})
}

func TestChunksNameTheirLinesForEver(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	lines := []string{"one", long, "two", "three", long, "four"}
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", lines...)
		d.start()
		d.pass(time.Second)
		data, err := os.ReadFile("mail.log")
		must(t, err)
		for _, c := range d.chunks {
			if got := data[c.Base : c.Base+int64(len(c.Text))]; !bytes.Equal(got, c.Text) {
				t.Errorf("the file has %.40q at %d, the chunk says %.40q", got, c.Base, c.Text)
			}
			if len(c.Text) > whole.MaxText {
				t.Errorf("a chunk has %d bytes, want at most %d", len(c.Text), whole.MaxText)
			}
		}
	})
}

// A writer that does not append leaves a hole where copytruncate cut.
func TestHoleAfterCopytruncateHidesNoLine(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		for _, size := range []int{100, 10 * MaxLine} {
			w, err := os.Create("mail.log")
			must(t, err)
			_, err = w.WriteString(strings.Repeat("y", size-1) + "\n")
			must(t, err)
			if d.file == nil {
				d.start()
			}
			d.pass(11 * time.Second)
			d.lines()
			must(t, os.Truncate("mail.log", 0))
			_, err = w.WriteString("two\nthree\n")
			must(t, err)
			must(t, w.Close())
			d.pass(11 * time.Second)
			got := d.lines()
			for i := range got {
				got[i] = strings.Trim(got[i], "\x00")
			}
			if want := []string{"two", "three"}; !slices.Equal(got, want) {
				t.Errorf("after a hole of %d bytes: got %.100q, want %q", size, got, want)
			}
		}
	})
}

func TestBytesAreLeftAsTheyAre(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		lines := []string{"windows\r", "\xff\xfe latin \xe9", "", "\x00nul\x00", "\x1b[31mred"}
		write(t, "mail.log", lines...)
		d.start()
		d.want(lines...)
	})
}
