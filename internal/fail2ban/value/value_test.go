package value

import (
	"strings"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"600": 600 * time.Second, "10m": 10 * time.Minute, "1d12h": 36 * time.Hour, "1d12h30m": 36*time.Hour + 30*time.Minute,
		"5min 30s": 330 * time.Second, "1.5h": 90 * time.Minute, "1h-10m": 50 * time.Minute, "2*60": 2 * time.Minute, "-1": -time.Second,
		"1mo": 2629800 * time.Second, "1year": 31557600 * time.Second, "2 WEEKS": 14 * 24 * time.Hour, " 3 dd ": 72 * time.Hour,
		"(1h + 10) * 2": 7220 * time.Second, "7200/2": time.Hour, "1h30": 3630 * time.Second, "10m # as a comment": 10 * time.Minute,
	} {
		if got, err := Time(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "soon", "m", "1x", "1h-", "*2", "(1", "1)", "1/0", "1e9", "__import__('os')", strings.Repeat("9", 190), strings.Repeat("(", 100), strings.Repeat("-", 100) + "1"} {
		if got, err := Time(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestFirewalls(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.1.1": "https://192.168.1.1", "FW.example": "https://fw.example", "fw:8443": "https://fw:8443", "2001:db8::1": "https://[2001:db8::1]",
		"[2001:db8::1]": "https://[2001:db8::1]", "https://fw/": "https://fw", "http://127.0.0.1:8080": "http://127.0.0.1:8080",
	} {
		if got, err := Firewall(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"http://192.168.1.1", "root:hunter2@fw", "https://root:hunter2@fw", "fw/api?hunter2", "fw:0", "a b", "ftp://fw", ":443", "https://"} {
		if got, err := Firewall(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %q, %v, want an error without the password", text, got, err)
		}
	}
}

func TestAWordIsTakenForAnotherOnlyWhereASlipMadeIt(t *testing.T) {
	known := []string{"enabled", "ignoreip", "maxretry", "findtime", "bantime", "bantime.increment", "bantime.rndtime", "logpath", "banaction", "mode", "action", "opnsense"}
	for word, want := range map[string]string{
		"ignorip": "ignoreip", "maxretries": "maxretry", "fintime": "findtime", "enable": "enabled", "logpaths": "logpath", "bantme": "bantime",
		"max_retry": "maxretry", "bantime_increment": "bantime.increment", "moed": "mode", "OPNsense": "opnsense", "opnsens": "opnsense",
		"bantime": "bantime", "port": "", "protocol": "", "chain": "", "destemail": "", "mta": "", "action_mw": "", "ports": "", "rndtime": "bantime.rndtime", "": "",
		strings.Repeat("bantime", 100): "",
	} {
		if got := Near(word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
