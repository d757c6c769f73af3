package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// Whatever the file holds, the answer is Problems with places or a Config that
// the rest may trust blindly.
func FuzzParse(f *testing.F) {
	seeds := 0
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s (%v)", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
			if len(data) > 0 {
				seeds++
			}
		}
	}
	for _, doc := range places {
		f.Add([]byte(strings.Replace(doc, "HOLE", word, 1)))
	}
	if seeds < 100 {
		f.Fatalf("%d seeds, want 100 or more", seeds)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("/etc/edgeban/edgeban.yaml", data, furnished())
		if err == nil {
			within(t, c)
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("got %v, want problems", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.File == "" || p.Text == "" || strings.ContainsAny(p.Error(), "\n\x1b") {
				t.Errorf("a problem without place or in several lines: %q", p.Error())
			}
			if text := p.Error(); strings.Contains(text, "the+") || strings.Contains(text, "the password") {
				t.Errorf("a problem holds a secret: %q", text)
			}
		}
		if !slices.IsSortedFunc(problems, func(a, b Problem) int { return a.Line - b.Line }) {
			t.Errorf("not in the order of the file: %v", problems)
		}
	})
}

// within holds a Config to what its comments promise.
func within(t *testing.T, c Config) {
	t.Helper()
	must := func(ok bool, what string, got any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %#v", what, got)
		}
	}
	isName := func(s string) bool {
		_, err := JailName(s)
		return err == nil
	}
	names := map[string]bool{}
	for _, target := range c.Targets {
		must(isName(target.Name) && !names[target.Name], "target's name", target.Name)
		names[target.Name] = true
		kinds := 0
		for _, is := range []bool{target.OPNsense != nil, target.Feed != nil, target.Traefik != nil, target.Dovecot != nil, target.Postfix != nil} {
			if is {
				kinds++
			}
		}
		must(kinds == 1, "target of one kind", target)
		if x := target.Traefik; x != nil {
			must((x.File == "") != (x.Listen == "") && len(x.TCP)+len(x.TLS)+len(x.HTTP)+len(x.HTTPS) > 0, "Traefik", *x)
			for _, p := range slices.Concat(x.TCP, x.TLS, x.HTTP, x.HTTPS) {
				must(isName(p), "entry point", p)
			}
		}
		if x := target.Dovecot; x != nil {
			must(x.Listen != "" && !x.Token.Empty(), "Dovecot", *x)
		}
		if o := target.OPNsense; o != nil {
			must(o.URL != "" && !o.Key.Empty() && !o.Secret.Empty() && aliasRule.MatchString(o.Alias) && o.Timeout > 0, "OPNsense", *o)
			must(!o.Insecure || o.Pin == "" && o.CA == "", "insecure", *o)
			must(o.Pin == "" || len(o.Pin) == len("sha256:")+64, "pin", o.Pin)
		}
		if feed := target.Feed; feed != nil {
			must(feed.Listen != "", "feed", *feed)
			h, _, _ := strings.Cut(feed.Listen, ":")
			must(h == "127.0.0.1" || !feed.Token.Empty() || len(feed.Allow) > 0 || isLoopback(strings.Trim(feed.Listen[:strings.LastIndexByte(feed.Listen, ':')], "[]")), "guarded feed", *feed)
		}
	}
	for _, n := range c.Notify {
		must(isName(n.Name) && len(n.On) > 0 && n.Ntfy != nil, "notifier", n)
		for _, on := range n.On {
			must(slices.Contains([]edgeban.NoticeKind{edgeban.NoticeBan, edgeban.NoticeUnban, edgeban.NoticeInside, edgeban.NoticeLeak, edgeban.NoticeTrouble}, edgeban.NoticeKind(on)), "on", on)
		}
		must(topicRule.MatchString(n.Ntfy.Topic) && n.Ntfy.URL != "" && n.Ntfy.Priority >= 0 && n.Ntfy.Priority <= 5, "ntfy", *n.Ntfy)
	}
	for _, h := range slices.Concat(c.Never, c.Hosts()) {
		p, err := netip.ParsePrefix(h)
		must(h != "" && (err != nil || p == p.Masked() && p.Bits() > 0), "host", h)
	}
	b := c.Budget
	must(b.PerMinute > 0 && b.Entries > 0 && b.IPv4 >= 8 && b.IPv4 <= 32 && b.IPv6 >= 16 && b.IPv6 <= 128, "budget", b)
	must(c.Grace >= 10*time.Second && c.Grace <= day, "grace", c.Grace)
	must(c.Forget >= day && c.Forget <= LongestTime, "forget", c.Forget)
	must(c.Fail2ban == "" || c.Jails != nil, "jails beside fail2ban's", c.Jails)
	jails := map[string]bool{}
	for _, j := range c.Jails {
		must(isName(j.Name) && !jails[j.Name] && (j.Filter == "") == (j.Rules != nil), "jail's name", j)
		jails[j.Name] = true
		must((j.Filter == Recidive) == j.OverBans(), "jail's logs", j)
		must(j.MaxRetry > 0 && j.FindTime >= time.Second && j.FindTime <= LongestTime, "jail's window", j)
		must(j.BanTime == Forever || j.BanTime >= time.Second && j.BanTime <= LongestTime, "jail's bantime", j)
		if r := j.Rules; r != nil {
			must(len(r.FailRegex) > 0 && r.MaxLines > 0 && r.MaxLines <= MaxLines && r.LogEncoding != "", "rules", *r)
			must(r.UseDNS == Yes || r.UseDNS == Warn || r.UseDNS == No || r.UseDNS == Raw, "usedns", r.UseDNS)
			for _, s := range slices.Concat([]string{r.PrefRegex + "x"}, r.FailRegex, r.IgnoreRegex, r.DatePattern, r.JournalMatch) {
				must(s != "" && !strings.ContainsAny(s, "\n\r\x00"), "pattern", s)
			}
		}
		i := j.Increment
		must(i.Formula == "" || i.Multipliers == nil, "formula and multipliers", i)
		must(i.Factor > 0 && i.Factor <= 1000 && i.MaxTime >= 0 && i.MaxTime <= LongestTime && (i.MaxTime == 0 || i.MaxTime >= j.BanTime) && i.RandomTime >= 0 && i.RandomTime <= LongestTime, "jail's increment", i)
		must(!slices.ContainsFunc(i.Multipliers, func(n int) bool { return n < 1 }), "multipliers", i)
		must(j.Count == Window || j.Count == Rate, "count", j.Count)
		must(j.IPv6Prefix >= max(32, b.IPv6) && j.IPv6Prefix <= 128, "ipv6", j)
		must(!slices.ContainsFunc(j.Targets, func(s string) bool { return !names[s] }), "targets", j)
	}
}
