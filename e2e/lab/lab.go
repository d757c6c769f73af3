package main

import (
	"bytes"
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

	services map[string]Service
	engine   *Engine // with Docker only
	env      []string

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
	for _, step := range []func(context.Context) error{l.mounts, l.network, l.servers, l.prepare, l.ready} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// path returns one in the folder of what the lab writes.
func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.out}, parts...)...)
}

// mounts makes this namespace's /proc, and folders. What programs write of their own
// is kept in memory.
func (l *Lab) mounts(context.Context) error {
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"),
	)
	for _, dir := range []string{"logs", "certs/mail", "state", "traefik", "config"} {
		err = errors.Join(err, os.MkdirAll(l.path(dir), 0o755))
	}
	return errors.Join(err, os.Mkdir("/run/lab", 0o755), os.Chown(l.path("state"), 65532, 65532))
}

func (l *Lab) network(ctx context.Context) (err error) {
	if l.nets, err = wire(l.docker == ""); err != nil {
		return err
	}
	if l.edge, err = newEdge(ctx, l.nets["edge"], l.latency); err != nil {
		return err
	}
	l.sink, err = newSink(ctx, l.nets["host"])
	return err
}

// servers starts the fake ntfy, and a name server that knows no name.
func (l *Lab) servers(ctx context.Context) error {
	l.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{token: {}}, Write: []string{topic}}}})
	var listener net.Listener
	err := l.nets["edge"].Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", ntfyServer+":80")
		return err
	})
	if err != nil {
		return err
	}
	if err := l.resolver(ctx); err != nil {
		return err
	}
	server := &http.Server{Handler: l.ntfy, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(listener) }() // ends with ctx
	return nil
}

// resolver answers every question with NXDOMAIN: servers that look up who connects do
// not wait.
func (l *Lab) resolver(ctx context.Context) error {
	var conn net.PacketConn
	err := l.nets["edge"].Do(func() (err error) {
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

// prepare copies the project, and writes what a person would.
func (l *Lab) prepare(ctx context.Context) (err error) {
	if err := command("cp", "-r", l.deploy+"/.", l.path("config")); err != nil {
		return err
	}
	pin, err := l.edge.api.Pin()
	if err != nil {
		return err
	}
	l.env = []string{
		"MAIL_HOST=mail.example.org", "MAIL_DOMAINS=example.org", "NTFY_HOST=ntfy.example.org", "OPNSENSE_URL=" + l.edge.url,
		"OPNSENSE_PIN=" + pin, "OPNSENSE_ALIAS=" + alias, "NEVER=home.example.org 198.51.100.1", "NTFY_TOPIC=" + topic, "NTFY_TOKEN=" + token,
		"NTFY_PHONE_HASH=", "NTFY_EDGEBAN_HASH=",
	}
	if err := errors.Join(l.users(), l.secrets()); err != nil {
		return err
	}
	if l.docker == "" {
		return l.containers(ctx)
	}
	return l.compose(ctx)
}

// containers starts what deploy/mail starts, with the same files in the same places.
func (l *Lab) containers(ctx context.Context) error {
	if err := l.certificate(l.path("certs/mail")); err != nil {
		return err
	}
	logs, certs := Bind{l.path("logs"), "/var/log/mail", false}, Bind{l.path("certs"), "/certs", true}
	l.services = map[string]Service{
		"traefik": l.container("traefik", []string{"/traefik"},
			Bind{l.traefik, "/traefik", true}, Bind{l.path("config/traefik"), "/etc/traefik", true}, Bind{l.path("traefik"), "/acme", false}),
		"postfix": l.container("postfix", []string{"/entrypoint"},
			Bind{l.path("config/postfix"), "/config", true}, Bind{l.path("config/postfix/entrypoint"), "/entrypoint", true}, logs, certs),
		"dovecot": l.container("dovecot", []string{"/entrypoint"},
			Bind{l.path("config/dovecot"), "/config", true}, Bind{l.path("config/dovecot/entrypoint"), "/entrypoint", true}, logs, certs),
		"edgeban": l.container("edgeban", []string{
			"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "/edgeban", "run",
		}, Bind{l.edgeban, "/edgeban", true}, Bind{l.path("config/edgeban.yaml"), "/etc/edgeban/edgeban.yaml", true},
			Bind{l.path("config/secrets"), "/run/secrets", true}, Bind{l.path("logs"), "/logs", true}, Bind{l.path("state"), "/var/lib/edgeban", false}),
	}
	var errs []error
	for _, s := range l.services {
		errs = append(errs, s.Start())
	}
	return errors.Join(append(errs, l.look(ctx, l.path("logs"), l.path("state")))...)
}

// compose starts the project as it is, but for ntfy, which is the fake, and certs:
// the certificate is there already.
func (l *Lab) compose(ctx context.Context) (err error) {
	if l.engine, err = newEngine(ctx, l.nets["host"], l.docker, l.path("config"), l.path("dockerd.out")); err != nil {
		return err
	}
	lab := "services:\n  edgeban: {extra_hosts: [\"ntfy:" + ntfyServer + "\"]}\n"
	if err := errors.Join(
		os.WriteFile(l.path("config/.env"), []byte(strings.Join(l.env, "\n")+"\n"), 0o600),
		os.WriteFile(l.path("config/lab.yaml"), []byte(lab), 0o644)); err != nil {
		return err
	}
	names := []string{"traefik", "postfix", "dovecot", "edgeban"}
	// A lab before this one may have left something: its networks went with it.
	if err := l.engine.compose("down", "--volumes", "--remove-orphans"); err != nil {
		return err
	}
	if err := l.engine.compose(append([]string{"up", "--no-start", "--no-build"}, names...)...); err != nil {
		return err
	}
	certs := filepath.Join(l.engine.volume("certs"), "mail")
	if err := errors.Join(os.MkdirAll(certs, 0o755), l.certificate(certs), l.look(ctx, l.engine.volume("logs"), l.engine.volume("bans"))); err != nil {
		return err
	}
	l.services = map[string]Service{}
	for _, name := range names {
		l.services[name] = &dockerService{l.engine, name}
	}
	return l.engine.compose(append([]string{"up", "--detach", "--no-build"}, names...)...)
}

// look follows the logs, and asks the edgeban whose state is in a folder.
func (l *Lab) look(ctx context.Context, logs, state string) (err error) {
	l.api = web.NewClient(filepath.Join(state, "edgeban.sock"))
	l.logs, err = followLogs(ctx, logs)
	return err
}

func (l *Lab) container(name string, args []string, binds ...Bind) *Container {
	return &Container{
		Name: name, Net: l.nets[name], Args: args, Env: l.env, Binds: binds, Dir: "/run/lab/" + name, Out: l.path(name + ".out"),
		Hosts: "127.0.0.1 localhost\n172.30.0.2 traefik\n172.30.0.3 postfix\n172.30.0.4 dovecot\n" + ntfyServer + " ntfy\n198.51.100.1 home.example.org\n",
	}
}

// certificate writes a self-signed one, as edgeban certs writes Traefik's.
func (l *Lab) certificate(dir string) error {
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
	return os.WriteFile(filepath.Join(dir, "combined.pem"), text, 0o600)
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
	file := l.path("config/secrets/opnsense_apikey.txt")
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
	for name, s := range l.services {
		if !s.Running() {
			errs = append(errs, fmt.Errorf("%s has ended; see %s", name, s.Log()))
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
func (l *Lab) reload() error { return l.services["edgeban"].Signal(syscall.SIGHUP) }
