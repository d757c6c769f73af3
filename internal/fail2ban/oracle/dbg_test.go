package oracle

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestDbg(t *testing.T) {
	p := oracle(t)
	inc := os.Getenv("INC") != ""
	for _, f := range strings.Fields(os.Getenv("SEEDS")) {
		seed, _ := strconv.ParseUint(f, 10, 64)
		dir := t.TempDir()
		sc := play(seed, inc, zurich(t))
		sc.write(t, dir)
		got, bantime := sc.ours(t, dir)
		want := sc.theirs(t, p, dir)
		why := firstDifference(sc, got, want, bantime)
		lines := strings.Split(why, "\n")
		t.Log(f, lines[0])
		for _, l := range lines[max(1, len(lines)-14):] {
			t.Log("   ", l)
		}
		if g := os.Getenv("GREP"); g != "" { for n, l := range sc.lines { if strings.Contains(l.text, g) { t.Logf("   # %d %.2f %s", n, float64(l.at.UnixMilli())/1000, l.text) } } }
		conf := strings.ReplaceAll(sc.jailLocal, "\nenabled = true\nbackend = polling\n", " ")
		t.Log(strings.ReplaceAll(conf, "\n", "; "))
	}
}
