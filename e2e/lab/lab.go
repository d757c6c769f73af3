package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

// Attackers have the addresses 203.0.113.N and 2001:db8:113:N::a.
const firstAttacker, lastAttacker = 10, 120

// A Lab is the small internet, up and running.
type Lab struct {
	settings
	nets nets
	edge *Edge
	ntfy *ntfytest.Server
	logs *Logs
	sink *Sink
	api  *web.Client // of edgeban

	traefik, postfix, dovecot, edgeban *Container

	attackers atomic.Int32
}

const (
	topic    = "intruder_alerts"
	token    = "tk_thisisonlythelabthisisonlythel"
	user     = "alice@example.org"
	password = "the right password"
)

func build(ctx context.Context, s settings) (*Lab, error) {
	l := &Lab{settings: s}
	l.attackers.Store(firstAttacker - 1)
	for _, step := range []func(context.Context) error{l.mounts, l.network, l.servers, l.containers, l.ready} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// path returns one in the folder of what the lab writes.
func (l *Lab) path(parts ...string) string { return filepath.Join(append([]string{l.out}, parts...)...) }

// mounts makes this namespace's /proc, and folders. What programs write of their own
// is kept in memory.
func (l *Lab) mounts(context.Context) error {
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"),
	)
	for _, dir := range []string{"logs", "certs/mail", "secrets", "state", "traefik", "config"} {
		err = errors.Join(err, os.MkdirAll(l.path(dir), 0o755))
	}
	return errors.Join(err, os.Mkdir("/run/lab", 0o755), os.Chown(l.path("state"), 65532, 65532))
}

func (l *Lab) network(ctx context.Context) (err error) {
	if l.nets, err = wire(); err != nil {
		return err
	}
	if l.edge, err = newEdge(ctx, l.nets["edge"], l.latency); err != nil {
		return err
	}
	if l.logs, err = followLogs(ctx, l.path("logs")); err != nil {
		return err
	}
	l.sink, err = newSink(ctx, l.nets["host"])
	return err
}

// servers starts the fake ntfy.
func (l *Lab) servers(ctx context.Context) error {
	l.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{token: {}}, Write: []string{topic}}}})
	var listener net.Listener
	err := l.nets["ntfy"].Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "172.30.0.6:80")
		return err
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: l.ntfy, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(listener) }() // ends with ctx
	return nil
}

// containers starts what deploy/mail starts, with the same files in the same places.
func (l *Lab) containers(context.Context) error {
	if err := errors.Join(l.certificate(), l.users(), l.secrets()); err != nil {
		return err
	}
	pin, err := l.edge.api.Pin()
	if err != nil {
		return err
	}
	if err := command("cp", "-r", l.deploy+"/.", l.path("config")); err != nil {
		return err
	}
	logs, certs := Bind{l.path("logs"), "/var/log/mail", false}, Bind{l.path("certs"), "/certs", true}
	l.traefik = l.container("traefik", []string{"/traefik"}, []string{"MAIL_HOST=mail.example.org", "NTFY_HOST=ntfy.example.org"},
		Bind{l.settings.traefik, "/traefik", true}, Bind{l.path("config/traefik"), "/etc/traefik", true}, Bind{l.path("traefik"), "/acme", false})
	l.postfix = l.container("postfix", []string{"/entrypoint"}, []string{"MAIL_HOST=mail.example.org", "MAIL_DOMAINS=example.org"},
		Bind{l.path("config/postfix"), "/config", true}, Bind{l.path("config/postfix/entrypoint"), "/entrypoint", true}, logs, certs)
	l.dovecot = l.container("dovecot", []string{"/entrypoint"}, nil,
		Bind{l.path("config/dovecot"), "/config", true}, Bind{l.path("config/dovecot/entrypoint"), "/entrypoint", true}, logs, certs)
	l.edgeban = l.container("edgeban", []string{
		"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "/edgeban", "run",
	}, []string{
		"OPNSENSE_URL=" + l.edge.url, "OPNSENSE_PIN=" + pin, "OPNSENSE_ALIAS=" + alias, "NEVER=home.example.org 198.51.100.1", "NTFY_TOPIC=" + topic, "NTFY_TOKEN=" + token,
	}, Bind{l.settings.edgeban, "/edgeban", true}, Bind{l.path("config/edgeban.yaml"), "/etc/edgeban/edgeban.yaml", true},
		Bind{l.path("secrets"), "/run/secrets", true}, Bind{l.path("logs"), "/logs", true}, Bind{l.path("state"), "/var/lib/edgeban", false})
	l.api = web.NewClient(l.path("state", "edgeban.sock"))
	return errors.Join(l.dovecot.Start(), l.postfix.Start(), l.traefik.Start(), l.edgeban.Start())
}

func (l *Lab) container(name string, args, env []string, binds ...Bind) *Container {
	return &Container{
		Name: name, Net: l.nets[name], Args: args, Env: env, Binds: binds, Dir: "/run/lab/" + name, Out: l.path(name + ".out"),
		Hosts: "127.0.0.1 localhost\n172.30.0.2 traefik\n172.30.0.3 postfix\n172.30.0.4 dovecot\n172.30.0.6 ntfy\n198.51.100.1 home.example.org\n",
	}
}

// certificate writes a self-signed one, as edgeban certs writes Traefik's.
func (l *Lab) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"}, DNSNames: []string{"mail.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	return os.WriteFile(l.path("certs/mail/combined.pem"), text, 0o600)
}

func (l *Lab) users() error {
	cmd := exec.Command("openssl", "passwd", "-6", "-stdin")
	cmd.Stdin = strings.NewReader(password + "\n")
	hash, err := cmd.Output()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.path("config/dovecot"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(l.path("config/dovecot/users"), fmt.Appendf(nil, "%s:{SHA512-CRYPT}%s", user, hash), 0o644)
}

func (l *Lab) secrets() error {
	file := l.path("secrets/opnsense_apikey.txt")
	return errors.Join(
		os.WriteFile(file, []byte("key="+opnsensetest.Key+"\nsecret="+opnsensetest.Secret+"\n"), 0o600),
		os.Chown(file, 65532, 65532))
}

// ready waits until a login works through every door, and edgeban has looked at the
// firewall.
func (l *Lab) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	friend := &Client{l.nets["inet"], netip.MustParseAddr("203.0.113.120"), edgeWAN}
	for _, door := range []Door{IMAPS, SMTPS, Submission} {
		var last error
		err := wait(ctx, func() bool {
			last = errors.Join(friend.login(ctx, door, password, true), l.alive())
			return last == nil
		})
		if err != nil {
			return fmt.Errorf("logging in at port %d: %w: %w", door, err, last)
		}
	}
	err := wait(ctx, func() bool {
		st, err := l.api.Status(ctx)
		return err == nil && len(st.Targets) == 1 && !st.Targets[0].Looked.IsZero() && st.Targets[0].Error == ""
	})
	if err != nil {
		return fmt.Errorf("edgeban's first look at the firewall: %w", err)
	}
	return nil
}

// alive says which container has ended.
func (l *Lab) alive() error {
	var errs []error
	for _, c := range []*Container{l.traefik, l.postfix, l.dovecot, l.edgeban} {
		if !c.Running() {
			errs = append(errs, fmt.Errorf("%s has ended; see %s", c.Name, c.Out))
		}
	}
	return errors.Join(errs...)
}

// login logs in once, and returns an error if that does not end as wanted.
func (c *Client) login(ctx context.Context, d Door, password string, want bool) error {
	s, err := c.Open(ctx, d, "")
	if err != nil {
		return err
	}
	defer s.Close()
	ok, err := s.Login(user, password)
	if err == nil && ok != want {
		err = fmt.Errorf("logged in: %t, want %t", ok, want)
	}
	return err
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

// within is wait with a limit of its own.
func within(ctx context.Context, d time.Duration, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return wait(ctx, so)
}

// reload has edgeban read its configuration again.
func (l *Lab) reload() error { return l.edgeban.cmd.Process.Signal(syscall.SIGHUP) }
