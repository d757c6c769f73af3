package sqlite_test

import (
	"math/rand/v2"
	"testing"

	"github.com/edgeban/edgeban/internal/store/storetest"
)

func play(t testing.TB, script []byte) {
	storetest.Play(t, func(t testing.TB, dir string) storetest.Store { return open(t, dir) }, script)
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte("records, bans, lifts and restarts in no order at all"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 2000 {
			play(t, script)
		}
	})
}

func TestAnyOrderOfCallsAgreesWithTheModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 50+r.IntN(600))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		if play(t, script); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
