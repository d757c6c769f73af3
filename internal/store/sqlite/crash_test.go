package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// The tests here run the test binary again, as a child that is killed or whose
// files may not grow. What it does is in the variable, the path is its value.
const (
	crashVar  = "EDGEBAN_TEST_CRASH"
	refuseVar = "EDGEBAN_TEST_REFUSE"
)

func TestMain(m *testing.M) {
	var err error
	switch crash, refuse := os.Getenv(crashVar), os.Getenv(refuseVar); {
	case crash != "":
		err = recordForever(crash)
	case refuse != "":
		err = outgrow(refuse)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, variable, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// recordForever prints what the ledger says it has kept: the ID of each match,
// and each ban's cause.
func recordForever(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	seq, _, err := s.Head(ctx)
	if err != nil {
		return err
	}
	from := "" // the first is not read on from anything that is known
	for i := int(seq) * 10; ; i += 5 {
		b := batch(i, 5, fmt.Sprint(i))
		b.From, from = from, b.To
		if err := s.Record(ctx, b); err != nil {
			return err
		}
		fmt.Printf("match %d %d %d %d %d\ncursor %d\n", i, i+1, i+2, i+3, i+4, i)
		if i%25 == 0 {
			if err := s.Impose(ctx, edgeban.Verdict{Ban: banOf(i), Notices: []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon}}}); err != nil {
				return err
			}
			fmt.Printf("ban %d\n", i+1)
		}
	}
}

func TestKilledNeverForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgeban.db")
	kept := map[string]bool{}
	for range 20 {
		var cursor string
		cmd := child(t, crashVar, path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 5 + rand.IntN(200)
		for s := bufio.NewScanner(out); s.Scan(); {
			kind, rest, _ := strings.Cut(s.Text(), " ")
			switch kind {
			case "cursor":
				cursor = rest
			case "match", "ban":
				for _, id := range strings.Fields(rest) {
					kept[kind+id] = true
				}
			}
			// Killed by what it has done rather than by a clock, but wherever
			// it is by then: it goes on while the signal is on its way.
			if lines--; lines == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		checkKept(t, path, kept, cursor)
	}
	if len(kept) < 500 {
		t.Errorf("only %d facts were kept in 20 lives: the test tests nothing", len(kept))
	}
}

// checkKept wants everything that was acknowledged, once and in order.
func checkKept(t *testing.T, path string, kept map[string]bool, cursor string) {
	t.Helper()
	b := &bench{T: t, path: path}
	b.open()
	head, _, err := b.Head(t.Context())
	b.must(err)
	found := map[string]bool{}
	last := edgeban.Seq(0)
	for e, err := range edgeban.Each(b.Watch(t.Context(), 0)) {
		b.must(err)
		if e.Seq != last+1 {
			t.Fatalf("place %d after %d", e.Seq, last)
		}
		last = e.Seq
		id := ""
		switch f := e.Fact.(type) {
		case edgeban.Match:
			id = "match" + f.ID
		case edgeban.Ban:
			id = fmt.Sprintf("ban%d", f.Cause)
		}
		if found[id] {
			t.Errorf("%s is there twice", id)
		}
		found[id] = true
		if e.Seq == head {
			break
		}
	}
	for id := range kept {
		if !found[id] {
			t.Errorf("%s was kept and then forgotten", id)
		}
	}
	var at, want int
	_, _ = fmt.Sscan(b.cursor(), &at)
	_, _ = fmt.Sscan(cursor, &want)
	if at < want {
		t.Errorf("cursor %d, want %d or later", at, want)
	}
	b.must(b.Close())
}

// TestKernelThatRefusesStopsNothing lets no file grow beyond what is there, as
// a full disk or a quota does: the kernel refuses to write, whoever asks.
func TestKernelThatRefusesStopsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgeban.db")
	if out, err := child(t, refuseVar, path).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := &bench{T: t, path: path}
	b.open()
	b.want("events when the disk is back", b.events(), 1001)
	b.want("cursor", b.cursor(), "1000")
	b.must(b.Close())
}

func outgrow(path string) error {
	signal.Ignore(syscall.SIGXFSZ) // what the kernel says besides EFBIG
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	tight := before
	tight.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &tight); err != nil {
		return err
	}
	for i := 0; i < 1000; i += 10 {
		if err := s.Record(ctx, batch(i, 10, fmt.Sprint(i+10))); err != nil {
			return err
		}
	}
	if err := s.Impose(ctx, edgeban.Verdict{Ban: banOf(1)}); err != nil {
		return err
	}
	if s.Trouble() == nil {
		return fmt.Errorf("no trouble, although no file may grow beyond %d bytes", tight.Cur)
	}
	saved, err := s.Cursors(ctx, "mail")
	if err != nil || saved["a"] == "1000" || saved["a"] == "" {
		return fmt.Errorf("cursor %q while the disk refuses, %w", saved["a"], err)
	}
	bans, err := s.Standing(ctx, noon)
	if err != nil {
		return err
	}
	if bans := slices.Collect(bans); len(bans) != 1 {
		return fmt.Errorf("standing: %v, want one", bans)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.Trouble() != nil && time.Now().Before(deadline) {
		syscall.Nanosleep(&syscall.Timespec{Nsec: 10e6}, nil) // a child lives in real time
	}
	return s.Close()
}
