package source

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestRenameLosesNothing(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		d.start()
		d.want("one")
		write(t, "mail.log", "two")
		rename(t, "mail.log", "mail.log.1")
		write(t, "mail.log", "four")
		write(t, "mail.log.1", "three") // by a writer that has not reopened
		d.want("two", "three", "four")
		for _, c := range d.chunks {
			if c.Origin != "mail.log" {
				t.Errorf("a rotated file has the origin %q, want mail.log", c.Origin)
			}
		}
	})
}

// A writer that never reopens, and writes seldom, is followed for as long as a
// name leads to its file.
func TestOldFileIsReadForLong(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		d.start()
		rename(t, "mail.log", "mail.log.1")
		write(t, "mail.log", "two")
		d.want("one", "two")
		d.pass(time.Hour)
		write(t, "mail.log.1", "three")
		d.want("three")
		d.stop()
		write(t, "mail.log.1", "four")
		d.start()
		d.want("four")
	})
}

func TestStreamEndsWhenItsFileIsGone(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		d.start()
		d.want("one")
		rename(t, "mail.log", "mail.log.1")
		write(t, "mail.log", "two")
		d.want("two")
		held, err := os.OpenFile("mail.log.1", os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		must(t, os.Remove("mail.log.1"))
		d.pass(30 * time.Second)
		_, err = held.WriteString("three\nfour")
		must(t, err)
		must(t, held.Close())
		d.want("three")
		if len(d.cursors) != 2 {
			t.Errorf("a minute has not passed: %d cursors, want 2", len(d.cursors))
		}
		d.pass(70 * time.Second)
		last := d.chunks[len(d.chunks)-1]
		if !last.End || last.Origin != "mail.log" {
			t.Errorf("the last chunk is %+v, want the end of the stream", last)
		}
		d.want("four")
		if len(d.cursors) != 1 {
			t.Errorf("%d cursors, want that of the new file only", len(d.cursors))
		}
	})
}

func TestCopytruncateLosesNothing(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", numbered(0, 100)...)
		d.start()
		d.want(numbered(0, 100)...)
		write(t, "mail.log", numbered(100, 3)...) // not read yet
		copyTruncate(t, "mail.log", "mail.log.1")
		write(t, "mail.log", numbered(103, 2)...)
		d.want(numbered(100, 5)...)
	})
}

// Between two looks the file is longer than it was again: only its content tells.
func TestTruncatedFileThatRegrewIsNew(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", numbered(0, 100)...)
		d.start()
		d.want(numbered(0, 100)...)
		must(t, os.Truncate("mail.log", 0))
		write(t, "mail.log", numbered(500, 300)...)
		d.want(numbered(500, 300)...)
		d.stop()
		must(t, os.Truncate("mail.log", 0))
		write(t, "mail.log", numbered(900, 400)...)
		d.start()
		d.want(numbered(900, 400)...)
	})
}

func TestRecreatedFileIsNewAlthoughItsInodeIsNot(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one", "two")
		d.start()
		d.want("one", "two")
		must(t, os.Remove("mail.log"))
		write(t, "mail.log", "three", "four", "five")
		d.want("three", "four", "five")
		d.stop() // nobody holds the inode now
		must(t, os.Remove("mail.log"))
		write(t, "mail.log", "six", "seven and much more")
		d.start()
		d.want("six", "seven and much more")
	})
}

func TestSeveralRotationsBetweenTwoLooks(t *testing.T) {
	for _, down := range []bool{false, true} {
		inBubble(t, []string{"mail.log"}, func(d *daemon) {
			write(t, "mail.log.1", "written before anybody looked")
			must(t, os.Chtimes("mail.log.1", time.Time{}, time.Unix(1, 0)))
			write(t, "mail.log", "one")
			d.start()
			d.want("one")
			if down {
				d.stop()
			}
			write(t, "mail.log", "two")
			for _, line := range []string{"three", "four", "five"} {
				os.Rename("mail.log.2", "mail.log.3")
				os.Rename("mail.log.1", "mail.log.2")
				rename(t, "mail.log", "mail.log.1")
				write(t, "mail.log", line)
			}
			if down {
				d.start()
			}
			d.pass(11 * time.Second)
			got := strings.Join(d.lines(), " ")
			for _, line := range []string{"two", "three", "four", "five"} {
				if strings.Count(got, line) != 1 {
					t.Errorf("down %v: got %q, want %q in it once", down, got, line)
				}
			}
		})
	}
}

func TestRotationWhileDownIsRead(t *testing.T) {
	for _, name := range []string{"mail.log.1", "mail.log-20261122", "mail-20261122.log", "somewhere else"} {
		inBubble(t, []string{"mail.log"}, func(d *daemon) {
			write(t, "mail.log", "one")
			d.start()
			d.want("one")
			d.stop()
			write(t, "mail.log", "two")
			rename(t, "mail.log", name)
			write(t, "mail.log", "three")
			d.start()
			d.want("two", "three")
			d.stop()
			d.start()
			d.want()
		})
	}
}

func TestCopytruncateWhileDownIsRead(t *testing.T) {
	inBubble(t, []string{"mail.log"}, func(d *daemon) {
		write(t, "mail.log", "one")
		d.start()
		d.want("one")
		d.stop()
		write(t, "mail.log", "two")
		copyTruncate(t, "mail.log", "mail.log.1")
		write(t, "mail.log", "three")
		d.start()
		d.want("two", "three")
	})
}

func TestCompressedFilesAreNeverRead(t *testing.T) {
	inBubble(t, []string{"*"}, func(d *daemon) {
		write(t, "mail.log", "one")
		write(t, "old.log.2.gz", "compressed")
		d.start()
		d.want("one")
		rename(t, "mail.log", "mail.log.1")
		write(t, "mail.log", "two")
		d.want("two")
		write(t, "mail.log.1.gz", "compressed")
		must(t, os.Remove("mail.log.1"))
		d.want()
		d.stop()
		d.start()
		d.want()
	})
}

// The globs match what the old file is called: it is the same stream, also after
// a start, and also if it is a copy.
func TestGlobThatMatchesRotatedFilesReadsNothingTwice(t *testing.T) {
	for _, turn := range []func(*testing.T, string, string){rename, copyTruncate} {
		inBubble(t, []string{"mail*"}, func(d *daemon) {
			write(t, "mail.log", "one")
			d.start()
			d.want("one")
			for _, line := range []string{"two", "three", "four"} { // the same content again would be the same file
				turn(t, "mail.log", "mail.log.1")
				write(t, "mail.log", line)
				d.want(line)
				d.stop()
				d.start()
				d.want()
				rename(t, "mail.log.1", "mail-20261122.log")
				d.want()
				must(t, os.Remove("mail-20261122.log"))
			}
		})
	}
}

// While a log is copied the copy looks like a new file.
func TestCopyInProgressIsNotReadTwice(t *testing.T) {
	inBubble(t, []string{"mail*"}, func(d *daemon) {
		lines := numbered(0, 100)
		write(t, "mail.log", lines...)
		d.start()
		d.want(lines...)
		write(t, "mail.log.1", lines[:40]...)
		d.want()
		write(t, "mail.log.1", lines[40:]...)
		d.want()
		must(t, os.Truncate("mail.log", 0))
		write(t, "mail.log", "next")
		d.want("next")
		d.pass(2 * time.Minute)
		write(t, "mail.log.1", "by somebody else")
		d.want("by somebody else")
	})
}

func TestLinkThatIsSwitchedIsARotation(t *testing.T) {
	inBubble(t, []string{"logs/current"}, func(d *daemon) {
		write(t, "data/a.log", "one")
		must(t, os.Mkdir("logs", 0o755))
		must(t, os.Symlink("../data/a.log", "logs/current"))
		d.start()
		d.want("one")
		write(t, "data/a.log", "two")
		write(t, "data/b.log", "three")
		must(t, os.Symlink("../data/b.log", "logs/next"))
		rename(t, "logs/next", "logs/current")
		d.want("two", "three")
		write(t, "data/a.log", "four")
		d.want("four")
		d.stop()
		d.start()
		d.want()
	})
}

func TestRotatedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"mail.log.1": true, "mail.log-20261122": true, "mail-20261122.log": true, "mail.1.log": true, "mail.log.old": true, "mail.log~": true,
		"mail.log": false, "mail.log.d": false, "mail-auth.log": false, "mailer.log": false, "mail.err": false, "auth.log.1": false,
	} {
		if got := rotatedName("mail.log", name); got != want {
			t.Errorf("%s is a rotated mail.log: got %v, want %v", name, got, want)
		}
	}
}
