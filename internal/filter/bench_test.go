package filter

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
)

// mixed makes a mail log of about 256 KiB of which every nth line fails.
func mixed(nth int) []byte {
	var b bytes.Buffer
	for n := 0; b.Len() < 256<<10; n++ {
		if n%nth == 0 {
			fmt.Fprintf(&b, "Nov 22 11:%02d:%02d imap dovecot: auth: passwd-file(alice@example.com,203.0.113.%d,<AnnOFtxgb4vLAH%d>): Password mismatch\n", n/60%60, n%60, n%250, n)
			continue
		}
		fmt.Fprintf(&b, "Nov 22 11:%02d:%02d mail postfix/smtpd[%d]: connect from unknown[203.0.113.%d] and some more words that say nothing\n", n/60%60, n%60, n%1000, n%250)
	}
	return b.Bytes()
}

func BenchmarkScan(b *testing.B) {
	for _, bb := range []struct {
		name   string
		filter string
		text   []byte
	}{
		{"dovecot/10%", "dovecot", mixed(10)},
		{"dovecot/1%", "dovecot", mixed(100)},
		{"postfix/none", "postfix", mixed(10)},
		{"traefik/captured", "traefik", bytes.Repeat(readCaptured(b, "traefik-access.pp.log"), 20)},
		{"postfix/captured", "postfix", bytes.Repeat(readCaptured(b, "postfix.pp.log"), 6)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := filterOf(b, bb.filter).Scanner(Options{Jail: "bench", Zone: time.UTC})
			c := edgeban.Chunk{Stream: "bench", Text: bb.text, Read: captured}
			b.SetBytes(int64(len(bb.text)))
			b.ReportAllocs()
			matches := 0
			for b.Loop() {
				for range s.Scan(c) {
					matches++
				}
			}
			lines := bytes.Count(bb.text, newline)
			b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds()/1e6, "Ml/s")
			b.ReportMetric(float64(matches)/float64(lines*b.N)*100, "%match")
		})
	}
}
