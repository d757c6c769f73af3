package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func verdict(r Result) string {
	if r.Err != nil {
		return "FAILED: " + r.Err.Error()
	}
	return strings.Join(append([]string{string(r.Want)}, r.Notes...), "; ")
}

// report prints the table, and fails if a verdict does.
func report(out io.Writer, results []Result, took time.Duration) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\tbanned\tfailures\tms to the drop\tverdict")
	var times []time.Duration
	failed := 0
	for _, r := range results {
		subject, ms := "–", "–"
		if r.Subject.IsValid() {
			subject = r.Subject.String()
		}
		if r.Latency != 0 {
			ms = fmt.Sprintf("%.1f", float64(r.Latency)/1e6)
			if !r.Alone {
				times = append(times, r.Latency)
			}
		}
		if r.Err != nil {
			failed++
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.Name, subject, r.Failures, ms, verdict(r))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(times) > 0 {
		slices.Sort(times)
		fmt.Fprintf(out, "\nfrom the deciding line to the first packet that was dropped, where nothing was restarted: median %.1f ms, worst %.1f ms (%d bans)\n",
			float64(times[len(times)/2])/1e6, float64(times[len(times)-1])/1e6, len(times))
	}
	fmt.Fprintf(out, "%d scenarios in %.0f s, %d failed\n", len(results), took.Seconds(), failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d scenarios failed", failed, len(results))
	}
	return nil
}
