package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// ledger makes a ledger with some of everything.
func ledger(t *testing.T) (path string) {
	t.Helper()
	b := &bench{T: t, path: filepath.Join(t.TempDir(), "edgeban.db")}
	b.open()
	for i := range 20 {
		b.must(b.Record(t.Context(), batch(20*i, 20, "1")))
		b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: banOf(i)}))
	}
	b.must(b.Close())
	return b.path
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"half of it":           func(b []byte) []byte { return b[:len(b)/2] },
		"half a page less":     func(b []byte) []byte { return b[:len(b)-2048] },
		"ten bytes":            func(b []byte) []byte { return b[:10] },
		"a header":             func(b []byte) []byte { return b[:100] },
		"nothing":              func(b []byte) []byte { return nil },
		"another header":       func(b []byte) []byte { return append([]byte("not a database, "), b[16:]...) },
		"text":                 func(b []byte) []byte { return bytes.Repeat([]byte("an edgeban ledger\n"), 1000) },
		"zeros":                func(b []byte) []byte { return make([]byte, len(b)) },
		"zeros in the middle":  func(b []byte) []byte { clear(b[8192 : len(b)/2]); return b },
		"pages in a new order": func(b []byte) []byte { return append(append(b[:8192:8192], b[16384:]...), b[8192:16384]...) },
		"no schema":            func(b []byte) []byte { clear(b[100:4096]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := ledger(t)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			broken := damage(bytes.Clone(whole))
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			lostAndFound(t, path, broken)
		})
	}
}

// One row that cannot be read, such as an address that is none, must not cost the bans
// in all others, nor end a daemon that meets it later.
func TestARowThatCannotBeReadCostsNoOther(t *testing.T) {
	for name, subject := range map[string]string{
		"no address":        "x'6e6f7420616e2061646472657373'",
		"more bits":         "x'04c000020777'",
		"another family":    "x'06c000020720'",
		"not its network":   "x'04c000020718'",
		"nothing":           "x''",
		"of another length": "x'04c0000220'",
	} {
		t.Run(name, func(t *testing.T) {
			path := ledger(t)
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			for _, insert := range []string{
				`insert into ban select seq + 1000, jail, ` + subject + `, since, until, failures, nth, cause, node, reason, lifted, addr from ban order by seq desc limit 1`,
				`insert into held values (5000, 'edge', ` + subject + `, 1, 1, null, 0, 0)`,
			} {
				if _, err := db.ExecContext(t.Context(), insert); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			b := &bench{T: t, path: path, o: Options{Now: noon, Log: slog.New(slog.NewTextHandler(&said, nil))}}
			for range 3 {
				b.open()
				_, lost := b.Lost()
				b.want("lost, so that nothing is removed", lost, true)
				bans, err := b.Standing(t.Context(), noon)
				b.must(err)
				b.want("bans", len(slices.Collect(bans)), 20)
				b.events()
				b.must(b.Close())
			}
			b.want("said", strings.Count(said.String(), "level=ERROR"), 1)
			b.want("rows", strings.Contains(said.String(), "rows=2"), true)
			if _, err := os.Stat(path + ".damaged-20300102T120000Z"); err != nil {
				t.Errorf("what was there is not kept: %v", err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v; want 0600", fi.Mode(), err)
			}
		})
	}
}

func TestLedgerThatIsGoneIsNotAFirstDay(t *testing.T) {
	path := ledger(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lostAndFound(t, path, nil)
}

// lostAndFound wants a new ledger that says that it is one until it is told not
// to, and the old one beside it.
func lostAndFound(t *testing.T, path string, broken []byte) {
	t.Helper()
	var said bytes.Buffer
	b := &bench{T: t, path: path, o: Options{Now: noon, Log: slog.New(slog.NewTextHandler(&said, nil))}}
	b.open()
	for range 3 {
		since, lost := b.Lost()
		b.want("lost", lost, true)
		b.want("since", since, noon)
		b.must(b.Close())
		b.o.Now = noon.Add(time.Hour)
		b.open()
	}
	b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: banOf(99)}))
	b.want("events", b.events(), 1)
	b.want("said", strings.Count(said.String(), "level=ERROR"), 1)
	aside := path + ".damaged-20300102T120000Z"
	if kept, err := os.ReadFile(aside); broken != nil && (err != nil || !bytes.Equal(kept, broken)) {
		t.Errorf("%s: %d bytes, %v; want the %d that were there", aside, len(kept), err, len(broken))
	}
	b.must(b.Found(t.Context()))
	for range 2 {
		_, lost := b.Lost()
		b.want("lost after adoption", lost, false)
		b.must(b.Close())
		b.open()
	}
	b.must(b.Close())
}

func TestNewLedgerIsNotLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder %20?x#y=1", "edgeban.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, path: path}
	for range 2 {
		b.open()
		_, lost := b.Lost()
		b.want("lost", lost, false)
		b.must(b.Close())
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestSecondDamageDoesNotOverwriteTheFirst keeps both files when it happens twice in a second.
func TestSecondDamageDoesNotOverwriteTheFirst(t *testing.T) {
	path := ledger(t)
	for _, text := range []string{"the first", "the second"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for suffix, want := range map[string]string{"": "the first", "-2": "the second"} {
		if got, err := os.ReadFile(path + ".damaged-20300102T120000Z" + suffix); err != nil || string(got) != want {
			t.Errorf("set aside: %q, %v, want %q", got, err, want)
		}
	}
}

// TestDamageWhileRunningStopsNothing writes over the file under the store, and
// takes the cache away that would hide it for a while.
func TestDamageWhileRunningStopsNothing(t *testing.T) {
	b := &bench{T: t, path: ledger(t)}
	b.open()
	fi, err := os.Stat(b.path)
	b.must(err)
	f, err := os.OpenFile(b.path, os.O_WRONLY, 0)
	b.must(err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(fi.Size())), 0)
	b.must(errors.Join(err, f.Close()))
	b.pragma("shrink_memory")

	b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: banOf(500)}))
	b.must(b.Record(t.Context(), batch(9000, 100, "2")))
	bans, err := b.Standing(t.Context(), noon)
	b.must(err)
	b.want("standing", len(slices.Collect(bans)), 21)
	if err := b.Trouble(); err == nil || !strings.Contains(err.Error(), "restart edgeban") {
		t.Errorf("trouble: %v, want one that names the way out", err)
	}
	if err := b.Close(); err == nil {
		t.Error("close: no error, although what was written last is lost")
	}
	b.o.Now = noon
	b.open()
	_, lost := b.Lost()
	b.want("lost", lost, true)
	b.must(b.Close())
}

func TestTwoProcessesCannotHaveOneLedger(t *testing.T) {
	b := &bench{T: t, path: ledger(t)}
	b.open()
	_, err := Open(b.path, Options{})
	if err == nil || !strings.Contains(err.Error(), "another edgeban (pid ") || !strings.Contains(err.Error(), b.path) {
		t.Errorf("second open: %v, want who uses it", err)
	}
	b.must(b.Close())
	b.open()
	b.must(b.Close())
}

func TestDatabaseOfSomebodyElseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fail2ban.sqlite3")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `create table bans (ip text)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "something else") || !edgeban.IsPermanent(err) {
		t.Errorf("open: %v, want that it is something else", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Error("it was changed")
	}
}

func TestFolderThatIsNotThereIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "edgeban.db")
	if _, err := Open(path, Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("open: %v, want %v", err, fs.ErrNotExist)
	}
}
