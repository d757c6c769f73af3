// Package stage is the small internet in which scenarios are played: its networks and
// firewall, the servers of deploy/mail, edgeban, and a phone's ntfy.
package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeban/edgeban/e2e/lab/client"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

// A Stage is the small internet, up and running.
type Stage struct {
	Settings
	Nets Nets
	Edge *Edge
	Ntfy *ntfytest.Server
	Logs *Logs
	Sink *client.Sink
	API  *web.Client // of edgeban

	State string // the folder of edgeban's ledger

	Services map[string]Service
	Engine   *Engine // with Docker only
	env      []string

	attackers, inside atomic.Int32
}

// Settings are what is put up, and where.
type Settings struct {
	Edgeban, Traefik, Pebble string // what is run
	Deploy                   string // the folder deploy/mail
	Out                      string // where logs are left
	Docker                   string // the data of a Docker engine that has the images; none without
	Compose                  string // the command
	Latency                  bool   // the firewall answers as slowly as real ones were recorded to
}

// The topic of the messages, who reads it, and the one mailbox.
const (
	Topic    = "intruder_alerts"
	Phone    = "phone"
	User     = "alice@example.org"
	Password = "the right password"

	token = "tk_thisisonlythelabthisisonlythel"
)

// Build puts it up, in the namespaces of the present process, and returns when a login
// works through every door. It ends with ctx.
func Build(ctx context.Context, settings Settings) (*Stage, error) {
	s := &Stage{Settings: settings}
	s.attackers.Store(firstAttacker - 1)
	s.inside.Store(firstInside + 1)
	for _, step := range []func(context.Context) error{s.mounts, s.network, s.servers, s.prepare, s.ready} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// NextInside is NextAttacker inside.
func (s *Stage) NextInside() int { return int(s.inside.Add(-1)) }

// NextAttacker returns the N of an address that nobody has attacked from.
func (s *Stage) NextAttacker() int { return int(s.attackers.Add(1)) }

// Path returns one in the folder of what the lab writes.
func (s *Stage) Path(parts ...string) string {
	return filepath.Join(append([]string{s.Out}, parts...)...)
}

// mounts makes this namespace's /proc, and folders. What programs write of their own
// is kept in memory.
func (s *Stage) mounts(context.Context) error {
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"),
	)
	for _, dir := range []string{"logs", "weblogs", "certs", "state", "traefik", "deploy", "config"} {
		err = errors.Join(err, os.MkdirAll(s.Path(dir), 0o755))
	}
	return errors.Join(err, os.Mkdir("/run/lab", 0o755), os.Chown(s.Path("state"), 65532, 65532))
}

func (s *Stage) network(ctx context.Context) (err error) {
	if s.Nets, err = wire(s.Docker == ""); err != nil {
		return err
	}
	if s.Edge, err = newEdge(ctx, s.Nets["edge"], s.Latency); err != nil {
		return err
	}
	s.Sink, err = client.NewSink(ctx, s.Nets["host"])
	return err
}

// servers starts the fake ntfy, and a name server that knows no name.
func (s *Stage) servers(ctx context.Context) error {
	s.Ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{
		{Name: "edgeban", Tokens: map[string]time.Time{token: {}}, Write: []string{Topic}},
		{Name: Phone, Password: Password, Read: []string{Topic}},
	}})
	var listener net.Listener
	err := s.Nets["edge"].Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", ntfyServer+":80")
		return err
	})
	if err != nil {
		return err
	}
	if err := s.resolver(ctx); err != nil {
		return err
	}
	// Traefik says for whom it asks, as ntfy is told to believe it in deploy/mail.
	behindProxy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if of := r.Header.Get("X-Forwarded-For"); of != "" {
			r.RemoteAddr = net.JoinHostPort(of, "0")
		}
		s.Ntfy.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: behindProxy, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(listener) }() // ends with ctx
	return nil
}

// resolver answers every question with NXDOMAIN: servers that look up who connects do
// not wait.
func (s *Stage) resolver(ctx context.Context) error {
	var conn net.PacketConn
	err := s.Nets["edge"].Do(func() (err error) {
		conn, err = new(net.ListenConfig).ListenPacket(ctx, "udp", edgeLAN+":53")
		return err
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	go func() { // ends with ctx
		const header = 12
		for b := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			end := bytes.IndexByte(b[min(header, n):n], 0) // of the name
			if end < 0 || header+end+5 > n {
				continue
			}
			b[2], b[3] = b[2]|0x80, 0x83                // an answer: there is no such name
			copy(b[6:header], []byte{0, 0, 0, 0, 0, 0}) // and nothing else
			_, _ = conn.WriteTo(b[:header+end+5], from) // who asked may ask again
		}
	}()
	return nil
}

// look follows the logs, and asks the edgeban whose state is in a folder.
func (s *Stage) look(ctx context.Context, state string, logs ...string) (err error) {
	s.State, s.API = state, web.NewClient(filepath.Join(state, "edgeban.sock"))
	s.Logs, err = followLogs(ctx, logs)
	return err
}

// ready waits until a login works through every door, and edgeban has looked at the
// firewall. The page is asked for from inside: the edge does not forward its port.
func (s *Stage) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	outside := &client.Client{Net: s.Nets["inet"], From: netip.MustParseAddr("203.0.113.120"), Server: EdgeWAN}
	inside := &client.Client{Net: s.Nets["lan"], From: netip.MustParseAddr(LANPhone), Server: MailHost}
	for _, door := range append(client.Mail(), client.HTTPS) {
		friend, user := outside, User
		if door == client.HTTPS {
			friend, user = inside, Phone
		}
		var last error
		err := wait(ctx, func() bool {
			last = errors.Join(friend.Right(ctx, door, user, Password), s.alive())
			return last == nil
		})
		if err != nil {
			return fmt.Errorf("logging in at port %d: %w: %w", door, err, last)
		}
	}
	err := wait(ctx, func() bool {
		st, err := s.API.Status(ctx)
		return err == nil && len(st.Targets) > 0 && !slices.ContainsFunc(st.Targets, func(t web.Target) bool { return t.Looked.IsZero() || t.Error != "" })
	})
	if err != nil {
		return fmt.Errorf("edgeban's first look at its targets: %w", err)
	}
	return nil
}

// KeepMessages writes what a phone got beside the logs.
func (s *Stage) KeepMessages() error {
	f, err := os.Create(s.Path("messages.json"))
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, m := range s.Ntfy.Messages(Topic) {
		err = errors.Join(err, e.Encode(m))
	}
	return errors.Join(err, f.Close())
}

// alive says which container has ended.
func (s *Stage) alive() error {
	var errs []error
	for name, service := range s.Services {
		if !service.Running() {
			errs = append(errs, fmt.Errorf("%s has ended; see %s", name, service.Log()))
		}
	}
	return errors.Join(errs...)
}

// wait polls until something is so.
func wait(ctx context.Context, so func() bool) error {
	for !so() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Within is wait with a limit of its own.
func Within(ctx context.Context, d time.Duration, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return wait(ctx, so)
}

// Reload has edgeban read its configuration again.
func (s *Stage) Reload() error { return s.Services["edgeban"].Signal(syscall.SIGHUP) }
