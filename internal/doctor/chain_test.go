package doctor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/doctor"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

const (
	alias      = "edgeban"
	ourRule    = "11111111-1111-4111-8111-111111111111"
	allowIMAP  = "22222222-2222-4222-8222-222222222222"
	adminKey   = "the-key-of-the-admin"
	ownKey     = "the-key-of-edgeban"
	keySecret  = "a-secret-that-is-long"
	ntfyToken  = "tk_0123456789abcdefghijklmnopqrs"
	moreTables = "other"
)

// A chain is everything from a log line to a firewall and a phone, and holds.
type chain struct {
	t        *testing.T
	dir      string
	now      time.Time
	c        config.Config
	wall     *opnsensetest.Firewall
	between  *between
	srv      *httptest.Server
	ntfy     *ntfytest.Server
	networks []netip.Prefix
	status   *web.Status // of the daemon; nil if none runs
	notify   bool
	noKey    bool // nobody gives the key that may look at rules
}

// between is what stands between edgeban and the firewall.
type between struct {
	wall      http.Handler
	off       atomic.Int64 // seconds that the firewall's clock is wrong by
	strips    atomic.Bool  // a proxy takes the key out
	swallows  atomic.Bool  // deletions are answered, and not done
	otherSite atomic.Bool  // something else answers
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(time.Duration(b.off.Load())*time.Second).UTC().Format(http.TimeFormat))
	switch {
	case b.otherSite.Load():
		fmt.Fprint(w, "<html>a printer</html>")
		return
	case b.swallows.Load() && strings.Contains(r.URL.Path, "/delete/"):
		fmt.Fprint(w, `{"status":"done"}`)
		return
	case b.strips.Load():
		r.Header.Del("Authorization")
	}
	b.wall.ServeHTTP(w, r)
}

// newChain returns a chain without a fault.
func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{t: t, dir: t.TempDir(), now: time.Now(), networks: []netip.Prefix{netip.MustParsePrefix("192.168.77.10/24")}}
	c.wall = opnsensetest.New(opnsensetest.Options{
		TableLimit: 1000,
		Aliases:    []opnsensetest.Alias{{Name: alias, Counters: true}, {Name: moreTables}},
		Users: []opnsensetest.User{
			{Name: "edgeban", Key: ownKey, Secret: keySecret, Privileges: []string{opnsensetest.Tables, opnsensetest.AliasView, opnsensetest.ShowStates}},
			{Name: "admin", Key: adminKey, Secret: keySecret, Privileges: []string{opnsensetest.Tables, opnsensetest.AliasEdit, opnsensetest.FilterAPI, opnsensetest.Dashboard}},
		},
	})
	c.rule(nil)
	c.wall.AddRule(opnsensetest.Rule{UUID: allowIMAP, Fields: map[string]string{"action": "pass", "interface": "wan", "ipprotocol": "inet46", "protocol": "TCP", "destination_port": "993", "sequence": "10", "description": "IMAP"}})
	c.wall.Apply()
	c.between = &between{wall: c.wall}
	c.srv = httptest.NewUnstartedServer(c.between)
	c.srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	c.srv.StartTLS()
	t.Cleanup(c.srv.Close)
	c.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{ntfyToken: {}}, Write: []string{"*"}}}})
	phone := httptest.NewServer(c.ntfy)
	t.Cleanup(phone.Close)

	c.c = config.Default()
	c.c.Path, c.c.State = "edgeban.yaml", filepath.Join(c.dir, "state")
	c.c.Targets = []config.Target{{Name: "edge", OPNsense: &config.OPNsense{
		URL: c.srv.URL, Pin: c.pin(), Key: config.NewSecret(ownKey), Secret: config.NewSecret(keySecret), Alias: alias, States: true, Timeout: 5 * time.Second,
	}}}
	c.c.Notify = []config.Notifier{{Name: "ntfy", On: []string{"ban"}, Ntfy: &config.Ntfy{URL: phone.URL, Topic: "alerts", Token: config.NewSecret(ntfyToken)}}}
	c.c.Jails = []config.Jail{c.jail("dovecot", "mail.log")}
	c.write("mail.log", failures("203.0.113.5", c.now))
	return c
}

func (c *chain) jail(name, log string) config.Jail {
	j := config.NewJail(name)
	j.LogPath, j.LogTimezone = []string{c.path(log)}, time.UTC
	return j
}

func (c *chain) path(name string) string { return filepath.Join(c.dir, name) }

func (c *chain) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// age says when a log was written to last.
func (c *chain) age(name string, d time.Duration) {
	c.t.Helper()
	if err := os.Chtimes(c.path(name), c.now.Add(-d), c.now.Add(-d)); err != nil {
		c.t.Fatal(err)
	}
}

// failures is a log of Dovecot with failures that happened now.
func failures(addr string, now time.Time) string {
	var b strings.Builder
	for i := range 5 {
		fmt.Fprintf(&b, "%s mx dovecot: auth: passwd-file(root,%s,<%s-%d>): Password mismatch\n", now.UTC().Format(time.Stamp), addr, addr, i)
	}
	return b.String()
}

// pin is the pin of the certificate that is served.
func (c *chain) pin() string {
	sum := sha256.Sum256(c.srv.Certificate().Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (c *chain) edge() *config.OPNsense { return c.c.Targets[0].OPNsense }

// rule saves the block rule, with some fields changed, and applies it.
func (c *chain) rule(change map[string]string) {
	fields := map[string]string{"action": "block", "interface": "wan", "direction": "in", "ipprotocol": "inet46", "source_net": alias, "description": "banned"}
	for name, value := range change {
		fields[name] = value
	}
	c.wall.AddRule(opnsensetest.Rule{UUID: ourRule, Fields: fields})
	c.wall.Apply()
}

// user gives edgeban's key these privileges.
func (c *chain) user(privileges ...string) {
	c.wall.PutUser(opnsensetest.User{Name: "edgeban", Key: ownKey, Secret: keySecret, Privileges: privileges})
}

func (c *chain) rightUser() {
	c.user(opnsensetest.Tables, opnsensetest.AliasView, opnsensetest.ShowStates)
}

// setup does what edgeban setup opnsense does.
func (c *chain) setup(w provision.Wish) {
	c.t.Helper()
	o := *c.edge()
	o.Key = config.NewSecret(adminKey)
	client, err := api.Dial(o)
	if err != nil {
		c.t.Fatal(err)
	}
	w.Alias = alias
	p, err := provision.New(c.t.Context(), client, w)
	if err == nil {
		err = p.Run(c.t.Context(), func(provision.Step) {})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chain) wan() { c.setup(provision.Wish{Interfaces: []string{"wan"}}) }

// examine asks the doctor.
func (c *chain) examine() []edgeban.Finding {
	c.t.Helper()
	key := config.NewSecret(adminKey)
	if c.noKey {
		key = config.Secret{}
	}
	o := doctor.Options{
		Config: c.c, Parts: doctor.Parts(c.c, key, config.NewSecret(keySecret)), Notify: c.notify, Now: time.Now(),
		Networks: func() ([]netip.Prefix, error) { return c.networks, nil },
	}
	if c.status != nil {
		o.Daemon = func(context.Context) (web.Status, error) { return *c.status, nil }
	}
	return doctor.Examine(c.t.Context(), o)
}

// bad returns what is not well.
func bad(found []edgeban.Finding) (all []edgeban.Finding) {
	for _, f := range found {
		if f.Grade >= edgeban.Warning {
			all = append(all, f)
		}
	}
	return all
}

func tell(found []edgeban.Finding) string {
	var b bytes.Buffer
	for _, f := range found {
		fmt.Fprintf(&b, "  %s | %s | %s | %s | %s\n", f.Part, f.Link, f.Grade, f.Evidence, f.Fix)
	}
	return b.String()
}
