package source

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestDbg(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	h := newHistory(t, seed)
	n := 15 + h.rnd.IntN(45)
	fmt.Println(h.file.c.Globs)
	for range n {
		was := h.lines
		h.one()
		fmt.Println("==", h.ops[len(h.ops)-1], "lines", was, h.lines, "rec", len(h.recorded), "excused", len(h.excused))
		h.dump()
	}
	h.finish()
	h.dump()
}

func (h *history) dump() {
	out, _ := exec.Command("sh", "-c", "cd "+h.dir+"; ls -li --time-style=full-iso; grep -o 'line [0-9]*' /dev/null log*").CombinedOutput()
	fmt.Println(string(out))
	if h.r != nil {
		for _, t := range h.r.tails {
			fmt.Printf("  tail %s %s ino %d off %d gone %v at %v\n", t.gen, t.path, t.id.ino, t.offset, t.gone, t.at)
		}
	}
	for k, v := range h.cursors {
		fmt.Println("  cur", k, v)
	}
}

func TestMany(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("FIRST"), 10, 64)
	n, _ := strconv.ParseUint(os.Getenv("N"), 10, 64)
	histories(t, first, first+n)
}
