package fail2ban

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	banaction = `banaction = opnsense[firewall="192.168.123.1",key="top_key",secret="top_secret", alias="fail2ban_blocklist"]` + "\n"
	andNtfy   = "action = %(action_)s\n  " + `ntfy[ntfyurl="https://ntfy.domain.com",ntfytopic="intruder_alerts",ntfytoken="secret_token",ntfypriority="max"]` + "\n"
)

func firewallOf(t *testing.T, r Result) config.OPNsense {
	t.Helper()
	if len(r.Config.Targets) != 1 || r.Config.Targets[0].OPNsense == nil {
		t.Fatalf("got targets %+v, want one firewall; notes: %v", r.Config.Targets, r.Notes)
	}
	return *r.Config.Targets[0].OPNsense
}

func TestTheLinesThatPeoplePublishWorkAsTheyStand(t *testing.T) {
	r := local(t, "[DEFAULT]\n"+banaction+andNtfy+"[sshd]\nenabled = true\n[web]\nenabled = true\n")
	quiet(t, r)
	o := firewallOf(t, r)
	if o.URL != "https://192.168.123.1" || o.Key.Reveal() != "top_key" || o.Secret.Reveal() != "top_secret" || o.Alias != "fail2ban_blocklist" || o.Insecure || o.Timeout != 30*time.Second {
		t.Errorf("got %+v", o)
	}
	for _, j := range r.Config.Jails {
		if !slices.Equal(j.Targets, []string{"opnsense"}) {
			t.Errorf("%s: got targets %v", j.Name, j.Targets)
		}
	}
	if len(r.Config.Notify) != 1 {
		t.Fatalf("got %v", r.Config.Notify)
	}
	n := r.Config.Notify[0]
	if n.Name != "ntfy" || n.Jails != nil || !slices.Equal(n.On, []string{"ban", "inside", "leak", "trouble"}) ||
		n.Ntfy.URL != "https://ntfy.domain.com" || n.Ntfy.Topic != "intruder_alerts" || n.Ntfy.Token.Reveal() != "secret_token" || n.Ntfy.Priority != 5 {
		t.Errorf("got %+v %+v", n, n.Ntfy)
	}
}

func TestWhatAnActionIsGivenIsWhatFail2banWouldGive(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":              "[DEFAULT]\n" + banaction + "[sshd]\nenabled = true\n",
		"action.d/opnsense.conf":  "[Definition]\nactionban = curl <ip>\n[Init]\nallow_insecure = true\nkey =\n",
		"action.d/opnsense.local": "[Init]\nkey = unused\n",
	})
	got := map[string]string{}
	for k, v := range r.Resolved()[0].Actions[0].Params {
		got[k] = v.Reveal()
	}
	want := map[string]string{
		"firewall": "192.168.123.1", "key": "top_key", "secret": "top_secret", "alias": "fail2ban_blocklist", "port": "ssh", "protocol": "tcp",
		"chain": "<known/chain>", "name": "sshd", "actname": "opnsense", "allow_insecure": "true",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestActionsOfSeveralNamesHaveNamesOfTheirOwn(t *testing.T) {
	r := local(t, "[sshd]\nenabled = true\naction = iptables[name=sshd-2]\n  iptables[name=other]\n  iptables[actname=mine]\n")
	var got []string
	for _, a := range r.Resolved()[0].Actions {
		got = append(got, a.Params["actname"].Reveal())
	}
	if want := []string{"iptables-2", "iptables-other", "mine"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSecretsOfTheActionsOwnFileWork(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":              "[DEFAULT]\nbanaction = opnsense\n[sshd]\nenabled = true\n",
		"action.d/opnsense.conf":  "[Definition]\nactionban = curl <ip>\n[Init]\nfirewall =\nkey =\nsecret =\nalias =\nallow_insecure = true\n",
		"action.d/opnsense.local": "[Init]\nfirewall = fw.example:8443\nkey = k\nsecret = 100%%\nalias = bl_<name>\n",
	})
	if o := firewallOf(t, r); o.URL != "https://fw.example:8443" || o.Secret.Reveal() != "100%" || o.Alias != "bl_sshd" || o.Insecure {
		t.Errorf("got %+v", o)
	}
	n := has(t, r, Warning, "allow_insecure is true by default only")
	if n.File != "/f2b/action.d/opnsense.conf" || n.Line != 8 || !strings.Contains(n.Text, `edgeban pin https://fw.example:8443`) {
		t.Errorf("got %v", n)
	}
}

func TestWhoeverSaysInsecureGetsItAndIsTold(t *testing.T) {
	r := local(t, "[DEFAULT]\n"+strings.Replace(banaction, "]", ",allow_insecure=true]", 1)+"[sshd]\nenabled = true\n")
	if !firewallOf(t, r).Insecure {
		t.Error("got a firewall that is verified, want what the user said")
	}
	has(t, r, Warning, "/f2b/jail.local:2: jail sshd: allow_insecure = true: whoever answers")

	pinned := strings.Replace(banaction, "]", ",allow_insecure=true,pin=\"sha256:"+strings.Repeat("AB:", 31)+"ab\"]", 1)
	r = local(t, "[DEFAULT]\n"+pinned+"[sshd]\nenabled = true\n")
	quiet(t, r)
	if o := firewallOf(t, r); o.Insecure || o.Pin != "sha256:"+strings.Repeat("ab", 32) {
		t.Errorf("got %+v, want a pinned firewall", o)
	}
}

func TestTheOtherNamingFamilyWorksToo(t *testing.T) {
	r := local(t, "[DEFAULT]\nbanaction = opnsense-alias[osaddress=\"[2001:db8::1]:8443\", oskey=k, ossecret=s, osalias=bl]\n[sshd]\nenabled = true\n")
	if o := firewallOf(t, r); o.URL != "https://[2001:db8::1]:8443" || o.Alias != "bl" || o.Insecure {
		t.Errorf("got %+v", o)
	}
	has(t, r, Warning, "pin=")
}

func TestAnActionThatIsIncompleteLeavesTheJailAlone(t *testing.T) {
	quiet := []string{"sendmail-whois", "smtp.py[password=hunter2]", "other.py", "cloudflare[cftoken=hunter2]", "abuseipdb[abuseipdb_apikey=hunter2]", "web", ""} // of no firewall
	for action, want := range map[string]string{
		"opnsense": "action opnsense: has no firewall and no key and no secret and no alias",
		`opnsense[firewall=fw,key=hunter2,secret="",alias=a]`:                          "has no secret; write it in the action's brackets",
		`opnsense[firewall="fw",key=hunter2,secret="hunter2",alias="hunter2-x y"]`:     "because of alias: ",
		`opnsense[firewall="a hunter2",key=hunter2,secret=hunter2,alias=a]`:            "because of firewall: ",
		`opnsense[firewall="fw",key=hunter2,secret=hunter2,alias=a,pin=hunter2]`:       "because of pin: ",
		`opnsense[firewall="fw",key=hunter2,secret=hunter2,alias=a,ca_file=/no/where]`: "because of ca_file: ",
		`ntfy[ntfytopic="a b"]`:                  "because of ntfytopic: ",
		`ntfy[ntfyurl="https://u:hunter2@host"]`: "because of ntfyurl: ",
		`ntfy[ntfypriority=hunter2]`:             "because of ntfypriority: ",
		"nosuch":                                 "action nosuch: there is no action.d/nosuch.conf",
		"sendmail-whois":                         "edgeban sends no mail",
		"smtp.py[password=hunter2]":              "edgeban sends no mail",
		"other.py":                               "is a program in Python",
		"cloudflare[cftoken=hunter2]":            "is not told of the bans; edgeban serves the list",
		"abuseipdb[abuseipdb_apikey=hunter2]":    "edgeban reports to nobody",
		"web":                                    "action web: runs commands",
		"%(nosuch)s":                             "action: option action of [sshd]: %(nosuch)s is not defined",
		"":                                       "has no action",
		`ntfy[nftytopic=a]`:                      `knows no option "nftytopic"`,
		"iptables-multiport\n   nosuch[x=\"a\n b\"]": "/f2b/jail.local:4: jail sshd: action nosuch",
	} {
		r := all(t, map[string]string{"jail.local": "[sshd]\nenabled = true\naction = " + action + "\n", "action.d/web.conf": "[Definition]\nactionban = x\n"})
		only(t, r)
		level := Problem
		if slices.Contains(quiet, action) {
			level = Warning
		}
		n := has(t, r, level, want)
		if n.File == "" || n.Jail != "sshd" {
			t.Errorf("%s: got a note without a place: %v", action, n)
		}
		for _, n := range r.Notes {
			if strings.Contains(n.String(), "hunter2") {
				t.Errorf("%s: a secret is told: %v", action, n)
			}
		}
		if len(r.Config.Targets) != 1 || r.Config.Targets[0].Feed == nil {
			t.Errorf("%s: got targets %v, want the usual feed", action, r.Config.Targets)
		}
	}
}

func TestAFileOfAnActionThatIsWrittenWrongLeavesTheJailAlone(t *testing.T) {
	r := all(t, map[string]string{"jail.local": "[sshd]\nenabled = true\n", "action.d/iptables-multiport.local": "[Init]\na=1\na=2\n"})
	only(t, r)
	has(t, r, Warning, "/f2b/action.d/iptables-multiport.local:3: jail sshd: action iptables-multiport: option a")
}

func TestTargetsAndTopicsAreToldApart(t *testing.T) {
	r := local(t, "[DEFAULT]\n"+banaction+`
[sshd]
enabled = true
action = %(action_)s
  opnsense[firewall=192.168.123.1, key=top_key, secret=top_secret, alias=second]
  ntfy[ntfytopic=a]
[web]
enabled = true
action = %(action_)s
  ntfy[ntfytopic=b, ntfyurl=http://ntfy.lan:80]
[recidive]
enabled = true
action = iptables
  ntfy[ntfytopic=a]
`)
	quiet(t, r)
	var got []string
	for _, j := range r.Config.Jails {
		got = append(got, j.Name+":"+strings.Join(j.Targets, "+"))
	}
	for _, c := range r.Config.Targets {
		got = append(got, c.Name+"="+c.OPNsense.Alias)
	}
	for _, n := range r.Config.Notify {
		got = append(got, fmt.Sprintf("%s=%s %s %d %v", n.Name, n.Ntfy.URL, n.Ntfy.Topic, n.Ntfy.Priority, n.Jails))
	}
	want := []string{
		"sshd:opnsense+opnsense-2", "web:opnsense", "recidive:", "opnsense=fail2ban_blocklist", "opnsense-2=second",
		"ntfy=https://ntfy.sh a 0 [sshd recidive]", "ntfy-2=http://ntfy.lan:80 b 0 [web]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestOneAliasHasOneKey(t *testing.T) {
	r := local(t, "[DEFAULT]\n"+banaction+"[sshd]\nenabled=true\n[web]\nenabled=true\nbanaction = opnsense[firewall=192.168.123.1,key=other,secret=other,alias=fail2ban_blocklist]\n")
	if o := firewallOf(t, r); o.Key.Reveal() != "top_key" {
		t.Error("got the second key, want the first")
	}
	has(t, r, Warning, "/f2b/jail.local:7: jail web: names an alias that another jail names too")
}

func TestTrustingWhoeverAnswersOverridesNobodysPin(t *testing.T) {
	pin := "sha256:" + strings.Repeat("ab", 32)
	for _, order := range [][2]string{{`allow_insecure=true`, `pin="` + pin + `"`}, {`pin="` + pin + `"`, `allow_insecure=true`}} {
		text := "[DEFAULT]\nenabled = true\n"
		for i, more := range order {
			text += fmt.Sprintf("[%s]\nbanaction = opnsense[firewall=192.168.123.1,key=k,secret=s,alias=a,%s]\n", []string{"sshd", "web"}[i], more)
		}
		if o := firewallOf(t, local(t, text)); o.Insecure || o.Pin != pin {
			t.Errorf("%q: got insecure %v and pin %q, want the pin", order, o.Insecure, o.Pin)
		}
	}
}

func TestACertificateFileThatIsNoneHangsNobody(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, "/dev/zero", "/proc/kmsg", filepath.Join(dir, "none")} {
		dir := onDisk(t, map[string]string{"jail.local": "[sshd]\nenabled = true\nlogpath = /tmp/x.log\nfilter =\nfailregex = ^x <HOST>\naction = opnsense[firewall=fw,key=k,secret=s,alias=a,ca_file=" + name + "]\n"})
		r, err := Read(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		only(t, r)
		has(t, r, Problem, "ca_file")
	}
}

func TestABrokenJailConfiguresNothing(t *testing.T) {
	r := local(t, "[sshd]\nenabled = true\n"+banaction+andNtfy+"bantime = soon\n[web]\nenabled = true\n")
	if len(r.Config.Notify) != 0 || r.Config.Targets[0].Feed == nil {
		t.Errorf("got %v and %v of a jail that is left out", r.Config.Targets, r.Config.Notify)
	}
}

func TestCertificatesMustBeThere(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"fw.pem":     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"jail.local": "[sshd]\nenabled = true\n" + strings.Replace(banaction, "]", ",ca_file=fw.pem]", 1),
	}
	for name, text := range stock {
		files[name] = text
	}
	dir := onDisk(t, files)
	r, err := Read(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	quiet(t, r)
	if o := firewallOf(t, r); o.CA != dir+"/fw.pem" || o.Insecure {
		t.Errorf("got %+v", o)
	}
}
