// Package demo shows the whole chain with nothing installed: the real daemon, and
// fakes of a firewall and of an ntfy server on loopback that no configuration can
// reach. It leaves nothing behind.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

//go:embed demo.log
var attack string

// Options are what a demo is shown with.
type Options struct {
	Out     io.Writer
	Version string
	Clean   func(text string, limit int) string // makes text from a log fit for a terminal
	Story   func(web.Why)                       // tells the story of an address to Out
}

// A show is a demo under way: everything in it is real but the firewall and the
// ntfy server.
type show struct {
	Options
	dir      string
	firewall *opnsensetest.Firewall
	ntfy     *ntfytest.Server
	log      *os.File
	client   *web.Client
	arrived  atomic.Int64 // when the firewall was last told to add something, in Unix nanoseconds
	ended    chan error
}

const (
	token = "tk_demodemodemodemodemodemodemo"
	topic = "intruder_alerts"
)

var attacker, forged = netip.MustParsePrefix("203.0.113.26/32"), netip.MustParsePrefix("198.51.100.77/32")

// Run plays the demo, which takes about 20 s.
func Run(ctx context.Context, o Options) error {
	if err := run(ctx, o); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

func run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, 28*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "edgeban-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &show{Options: o, dir: dir, ended: make(chan error, 1)}
	c, err := s.stage(ctx)
	if err != nil {
		return err
	}
	defer s.log.Close()
	defer s.firewall.Close()
	running, stop := context.WithCancel(ctx)
	go func() {
		s.ended <- daemon.Run(running, daemon.Options{
			Config: c, Log: slog.New(slog.DiscardHandler), Version: o.Version, Look: 2 * time.Second,
		})
	}()
	err = s.play(ctx)
	stop()
	if ended := <-s.ended; err == nil {
		err = ended
	}
	if err != nil {
		return err
	}
	s.say("\nThat was the whole chain. README.md has the ten lines for your own firewall.")
	return nil
}

func (s *show) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// stage builds the scene: a firewall, a phone, a log and the configuration.
func (s *show) stage(ctx context.Context) (config.Config, error) {
	s.firewall = opnsensetest.New(opnsensetest.Options{Latency: true, OnAdd: func(string, netip.Prefix) { s.arrived.Store(time.Now().UnixNano()) }})
	url, err := s.firewall.ListenTLS()
	if err != nil {
		return config.Config{}, err
	}
	pin, err := s.firewall.Pin()
	if err != nil {
		return config.Config{}, err
	}
	s.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{token: {}}, Write: []string{"*"}}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return config.Config{}, err
	}
	srv := &http.Server{Handler: s.ntfy, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	go func() { _ = srv.Serve(l) }() // ends with ctx

	if s.log, err = os.OpenFile(filepath.Join(s.dir, "dovecot.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return config.Config{}, err
	}
	yaml := fmt.Sprintf(`state: state
targets:
  - opnsense: {url: %s, pin: "%s", key: %s, secret: %s, alias: %s}
notify:
  - ntfy: {url: http://%s, topic: %s, token: %s}
jails:
  dovecot: {logpath: dovecot.log, bantime: 12s, increment: false}
`, url, pin, opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName, l.Addr(), topic, token)
	path := filepath.Join(s.dir, "edgeban.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(path)
	if err != nil {
		return c, err
	}
	s.client = web.NewClient(c.Socket)
	s.say("A firewall (a fake OPNsense at %s), a phone (a fake ntfy) and a mail server's log.", url)
	s.say("The configuration, secrets left out:\n")
	for line := range strings.Lines(yaml) {
		line = strings.NewReplacer(opnsensetest.Key, "<secret>", opnsensetest.Secret, "<secret>", token, "<secret>").Replace(line)
		fmt.Fprintf(s.Out, "    %s", line)
	}
	return c, nil
}

// play is the story, in five acts.
func (s *show) play(ctx context.Context) error {
	if err := s.until(ctx, "the daemon is up", func() bool {
		st, err := s.client.Status(ctx)
		return err == nil && len(st.Targets) == 1 && !st.Targets[0].Looked.IsZero()
	}); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.attack, s.phone, s.reboot, s.expiry, s.why} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) attack(ctx context.Context) error {
	s.say("\n1. The log grows: a login, a typo, a forged line, an attack.\n")
	var last time.Time
	for line := range strings.Lines(attack) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(120 * time.Millisecond):
		}
		line = time.Now().Format("Jan _2 15:04:05 ") + line
		last = time.Now()
		if _, err := s.log.WriteString(line); err != nil {
			return err
		}
		s.say("    %s", s.Clean(strings.TrimSpace(line), 74))
	}
	if err := s.until(ctx, "the ban arrives", func() bool { return s.holds(attacker) }); err != nil {
		return err
	}
	s.say("\n   203.0.113.26 is in the firewall's alias; the call came %.1f ms after the last line.", float64(s.arrived.Load()-last.UnixNano())/1e6)
	if got := s.firewall.Entries(opnsensetest.AliasName); len(got) != 1 {
		return fmt.Errorf("the alias holds %v, want the attacker alone", got)
	}
	s.say("   198.51.100.77, which the forged line names, is not; nor is alice, who mistyped.")
	return nil
}

func (s *show) phone(ctx context.Context) error {
	if err := s.until(ctx, "the phone buzzes", func() bool { return len(s.ntfy.Messages(topic)) > 0 }); err != nil {
		return err
	}
	m := s.ntfy.Messages(topic)[0]
	s.say("\n2. The phone buzzes:\n\n    %s\n    %s", s.Clean(m.Title, 200), s.Clean(m.Message, 200))
	return nil
}

func (s *show) reboot(ctx context.Context) error {
	if err := s.until(ctx, "the ban is proven", func() bool {
		bans, err := s.client.Bans(ctx)
		return err == nil && len(bans) == 1 && len(bans[0].Held) == 1 && !bans[0].Held[0].Held.IsZero()
	}); err != nil {
		return err
	}
	s.say("\n   The firewall was asked, and lists it: held.")
	s.firewall.Reboot()
	if s.holds(attacker) {
		return errors.New("the firewall kept its table over a reboot")
	}
	began := time.Now()
	s.say("\n3. The firewall reboots and forgets its table.")
	if err := s.until(ctx, "the table heals", func() bool { return s.holds(attacker) }); err != nil {
		return err
	}
	s.say("   Healed after %.1f s, by the comparison that also does the normal work\n   (every 2 s here, every 50 s in earnest).", time.Since(began).Seconds())
	return nil
}

func (s *show) expiry(ctx context.Context) error {
	s.say("\n4. The ban of 12 s ends. Nobody tells the firewall to unban: it is no longer wanted.")
	if err := s.until(ctx, "the ban ends", func() bool { return !s.holds(attacker) }); err != nil {
		return err
	}
	s.say("   203.0.113.26 is out of the alias.")
	return s.until(ctx, "the second message", func() bool { return len(s.ntfy.Messages(topic)) > 1 })
}

func (s *show) why(ctx context.Context) error {
	m := s.ntfy.Messages(topic)
	s.say("   The phone: %s", s.Clean(m[len(m)-1].Title, 200))
	w, err := s.client.Why(ctx, attacker)
	if err != nil {
		return err
	}
	s.say("\n5. The story, as edgeban why tells it:\n")
	s.Story(w)
	if w, err = s.client.Why(ctx, forged); err != nil {
		return err
	}
	if len(w.Bans) > 0 {
		return errors.New("the forged address was banned")
	}
	return nil
}

func (s *show) holds(p netip.Prefix) bool {
	return slices.Contains(s.firewall.Entries(opnsensetest.AliasName), p)
}

// until waits for something that must happen.
func (s *show) until(ctx context.Context, what string, ok func() bool) error {
	for !ok() {
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the daemon ended before %s: %w", what, err)
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
