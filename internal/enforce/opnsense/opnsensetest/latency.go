package opnsensetest

import (
	"net/http"
	"strings"
	"time"
)

// badLogin is how long the product takes to refuse a key or a secret.
const badLogin = 2 * time.Second

// cost is how long a call takes, as recorded on an idle machine with two cores:
// medians, with straight lines between the sizes that were measured.
func (f *Firewall) cost(c *call) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.o.PerCall > 0 {
		return f.o.PerCall
	}
	host, lines := false, 0
	if len(c.params) > 0 {
		a := f.sys.Conf.Alias(c.params[0])
		host = a != nil && a.InConfiguration()
	}
	for _, a := range f.sys.Conf.Aliases {
		lines += len(a.Content)
	}
	var d time.Duration
	switch action := c.req.Path; {
	case strings.Contains(action, "/add/") && host:
		return 29*time.Millisecond + writing(lines)
	case strings.Contains(action, "/delete/") && host:
		return 55*time.Millisecond + writing(lines)
	case strings.Contains(action, "/delete/"):
		d = 39 * time.Millisecond
	case strings.Contains(action, "/list/"), strings.HasSuffix(action, "/aliases"):
		d = 36 * time.Millisecond
	case strings.HasSuffix(action, "/reconfigure"): // 0.5 s to 8 s, with the rules and every table
		return 500*time.Millisecond + time.Duration(lines)*75*time.Microsecond
	case strings.HasSuffix(action, "/filter/apply"):
		return 500 * time.Millisecond
	case strings.Contains(action, "/set_item/"):
		return 29*time.Millisecond + writing(lines)
	default:
		d = 14 * time.Millisecond
	}
	// Every call parses config.xml: 14 ms became 72 ms with 100,000 lines in it.
	return d + time.Duration(lines)*580*time.Nanosecond
}

// writing is what n lines of content add to a call that writes config.xml:
// 29 ms more at 10,000, 360 ms at 50,000, 760 ms at 100,000.
func writing(n int) time.Duration {
	small := min(n, 10_000)
	return time.Duration(small)*2900*time.Nanosecond + time.Duration(n-small)*8200*time.Nanosecond
}

// pause waits, or until nobody waits for the answer any more.
func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
