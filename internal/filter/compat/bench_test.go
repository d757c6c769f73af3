package compat

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
)

var opts = filter.Options{Jail: "j", Zone: time.UTC}

// sshd is a filter of about the size and the ways of what people run for OpenSSH,
// in our own words: a head that is the session, and a dozen patterns of the rest.
var sshd = config.Rules{
	PrefRegex:   `^<F-MLFID>\s*(?:[-\w.]+\s+)??(?:[A-Za-z]+\.[a-z]+\s+)?sshd(?:-session|-auth)?(?:\([^)]*\))?\[\d{1,10}\]:\s+(?:\[tag \w+\]\s+)?</F-MLFID>(?:(?:debug\d|info|error|fatal): )*<F-CONTENT>\S.*</F-CONTENT>$`,
	DatePattern: []string{"{^LN-BEG}"},
	FailRegex: []string{
		`^(?:PAM|Keyboard-interactive): Authentication fail(?:ed|ure) for (?:illegal user )?<F-USER>\S*</F-USER> from <HOST>(?: via [\d.:a-f]+)?$`,
		`^Failed (?:none|password|keyboard-interactive/pam) for (?:invalid user )?<F-USER>(?:(?! from [\d:]).)*</F-USER> from <HOST>(?: port \d{1,5})?(?: ssh2?)?$`,
		`^<F-NOFAIL>Failed publickey</F-NOFAIL> for <F-USER>\S+</F-USER> from <HOST>(?: port \d{1,5})?(?: ssh2?)?(?:: \w+ \S+)?$`,
		`^(?:Invalid|Illegal) user <F-USER>.*?</F-USER> from <HOST>(?: port \d{1,5})?$`,
		`^User <F-USER>\S+</F-USER> from <HOST> is not in AllowUsers$`,
		`^User <F-USER>\S+</F-USER> is locked; nobody gets in`,
		`^ROOT LOGIN WAS REFUSED, coming FROM <HOST>`,
		`^pam_\w+\(sshd:\w+\): authentication failure(?:; [a-z]+=\S*)+? rhost=<HOST>(?: +user=<F-USER>\S*</F-USER>)?$`,
		`^error: too many tries of <F-USER>\S*</F-USER> from <HOST>(?: port \d{1,5})? \[preauth\]$`,
		`^<F-MLFFORGET><F-NOFAIL>(?:Connection closed by|Disconnected from)</F-NOFAIL></F-MLFFORGET>(?: user \S+)? <HOST>`,
		`^<F-MLFGAINED>Accepted</F-MLFGAINED> \S+ for <F-USER>\S+</F-USER> from <HOST> port`,
		`^Received <F-MLFFORGET>disconnect</F-MLFFORGET> from <HOST> port \d+:13: `,
	},
}

func BenchmarkScan(b *testing.B) {
	for _, bb := range []struct {
		name string
		line func(i int) string
	}{
		{"dull", func(i int) string {
			return fmt.Sprintf("host systemd[%d]: Started Session %d of user alice, and nothing else happened at all.", i, i)
		}},
		{"sshd", func(i int) string {
			return fmt.Sprintf("host sshd[%d]: Received disconnect from 192.0.2.7 port %d:11: disconnected by user", i, i)
		}},
		{"failures", func(i int) string {
			return fmt.Sprintf("host sshd[%d]: Failed password for root from 203.0.113.9 port %d ssh2", i, i)
		}},
		{"mixed", func(i int) string {
			if i%10 == 0 {
				return fmt.Sprintf("host sshd[%d]: Invalid user admin from 203.0.113.9 port %d", i, i)
			}
			return fmt.Sprintf("host cron[%d]: (root) CMD (run-parts --report /etc/cron.hourly)", i)
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var text bytes.Buffer
			for i := range 2000 {
				fmt.Fprintf(&text, "Nov 22 11:%02d:%02d %s\n", i/60%60, i%60, bb.line(i))
			}
			s := compiled(b, sshd).Scanner(opts)
			c := edgeban.Chunk{Stream: "bench", Text: text.Bytes(), Read: now}
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			matches := 0
			for b.Loop() {
				for range s.Scan(c) {
					matches++
				}
			}
			b.ReportMetric(float64(2000*b.N)/b.Elapsed().Seconds()/1e3, "klines/s")
			b.ReportMetric(float64(matches)/float64(2000*b.N)*100, "%match")
		})
	}
}
