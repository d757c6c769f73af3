package oracle
import ("testing";"os";"strconv";"strings")
func TestDbgBoth(t *testing.T) {
	p := oracle(t)
	inc := os.Getenv("INC") != ""
	seed, _ := strconv.ParseUint(os.Getenv("SEEDS"), 10, 64)
	dir := t.TempDir()
	sc := play(seed, inc, zurich(t))
	sc.write(t, dir)
	got, _ := sc.ours(t, dir)
	for _, b := range got { if strings.Contains(b.IP, os.Getenv("IP")) { t.Log("ours  ", b) } }
	for _, b := range sc.theirs(t, p, dir) { if strings.Contains(b.IP, os.Getenv("IP")) { t.Log("theirs", b) } }
	if os.Getenv("CONF") != "" { t.Log(sc.jailLocal) }
}
