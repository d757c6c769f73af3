package node

import "testing"

func TestSlipsAreRecognised(t *testing.T) {
	known := []string{"maxretry", "findtime", "bantime", "bantime.factor", "ignoreip", "logpath", "url", "on"}
	for word, want := range map[string]string{
		"maxretyr": "maxretry", "max-retry": "maxretry", "MaxRetry": "maxretry", "maxretries": "maxretry", "find_time": "findtime", "bantim": "bantime",
		"bantime.facter": "bantime.factor", "log_path": "logpath", "ulr": "url", "uri": "url", "no": "on",
		"password": "", "x": "", "": "", "action": "", "iptables-multiport-with-a-very-long-name-of-an-action": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestDistanceCountsSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
