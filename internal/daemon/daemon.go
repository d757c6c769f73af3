// Package daemon puts the parts together and runs them. It is the only package
// that knows them all, and the only one that starts goroutines for them.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon/ports"
	"github.com/edgeban/edgeban/internal/daemon/wall"
	"github.com/edgeban/edgeban/internal/leak/lookout"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/store/lease"
	"github.com/edgeban/edgeban/internal/store/sqlite"
	"github.com/edgeban/edgeban/internal/systemd"
	"github.com/edgeban/edgeban/internal/web"
	"github.com/edgeban/edgeban/internal/zone"
)

// Options are what a daemon is started with.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string
	Stdin   io.Reader

	// Reload asks for the configuration to be read again, which Load does.
	Reload <-chan os.Signal
	Load   func() (config.Config, error)

	// Transport carries the calls to firewalls and notifiers; nil for the network.
	Transport http.RoundTripper

	// Listen opens the ports that targets are served on; nil for the network.
	Listen func(addr string) (ports.Listener, error)

	// Look is the time between two looks at a target when nothing happens; 50 s
	// if 0, so that a rebooted firewall is equal again within a minute.
	Look time.Duration

	// Now is the wall clock; nil for the system's.
	Now func() time.Time

	// HostName returns the name that the resolver gives an address, or ""; nil for
	// the system's.
	HostName func(ctx context.Context, a netip.Addr) string

	// Networks returns the networks that this host has an address in; nil for the
	// system's.
	Networks func() ([]netip.Prefix, error)
}

// A daemon outlives its generations: what is here survives a reload.
type daemon struct {
	Options
	store   *sqlite.Store
	clock   *wall.Clock
	started time.Time
	ports   ports.Ports
	senders senders
	stdin   *source.Stdin // one for all generations: its lines cannot be asked for again
	leaks   *lookout.Lookout
	ladder  *zone.Ladder // the targets that hold bans which leak at others
	current atomic.Pointer[generation]

	mu   sync.Mutex
	told map[string]time.Time // troubles, and when they were told last
}

// Run runs the daemon until ctx is done, and returns nil then. What was decided
// is durable at any moment: stopping is not different from being killed.
func Run(ctx context.Context, o Options) error {
	d, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer d.close()
	return d.run(ctx)
}

// start makes a daemon that runs nothing yet.
func start(ctx context.Context, o Options) (*daemon, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Look == 0 {
		o.Look = 50 * time.Second
	}
	if o.Networks == nil {
		o.Networks = interfaces
	}
	if o.HostName == nil {
		o.HostName = hostName
	}
	store, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	d := &daemon{Options: o, store: store, started: o.Now(), stdin: source.NewStdin(o.Stdin), told: map[string]time.Time{}}
	d.ports.Open = o.Listen
	d.leaks = newLookout(d)
	d.ladder = d.steps(context.WithoutCancel(ctx))
	_, newest, err := store.Head(context.WithoutCancel(ctx)) // to be stopped while starting is no error
	if err != nil {
		d.close()
		return nil, fmt.Errorf("ledger: %w", err)
	}
	d.clock = wall.New(o.Now, newest)
	gen, err := d.build(o.Config)
	if err != nil {
		d.close()
		return nil, err
	}
	for _, addr := range gen.addresses() { // who asks waits for its answer from now on
		if err := d.ports.Reserve(addr); err != nil {
			d.close()
			return nil, err
		}
	}
	gen.protect(ctx)
	d.current.Store(gen)
	d.senders.keep(gen.syslogs)
	return d, nil
}

// close lets go of what start took.
func (d *daemon) close() {
	d.ports.Keep(nil)
	d.senders.keep(nil)
	d.stdin.Close()
	d.store.Close()
}

func (d *daemon) run(ctx context.Context) error {
	gen := d.current.Load()
	g, ctx := errgroup.WithContext(ctx)
	if err := d.serve(ctx, g); err != nil {
		return err
	}
	g.Go(func() error { return d.housekeep(ctx) })
	g.Go(func() error { return d.lookOut(ctx) })
	g.Go(func() error { return d.generations(ctx, gen) })
	d.Log.Info("edgeban runs", "version", d.Version, "config", d.Config.Path, "state", d.Config.State, "jails", len(gen.c.Jails), "targets", len(gen.c.Targets))
	defer d.Log.Info("edgeban ends; bans stay")
	return g.Wait()
}

// dying is how long a daemon that was killed may take to let go of the ledger.
const dying = 5 * time.Second

func openStore(ctx context.Context, o Options) (*sqlite.Store, error) {
	if err := os.MkdirAll(o.Config.State, 0o700); err != nil {
		return nil, fmt.Errorf("state: %w; mount a volume there that uid %d may write, or set state: to such a folder", err, os.Getuid())
	}
	for began := time.Now(); ; {
		store, err := sqlite.Open(filepath.Join(o.Config.State, "ledger.db"), sqlite.Options{Log: o.Log, Now: o.Now()})
		switch {
		case err == nil:
			return store, nil
		case !errors.Is(err, lease.ErrTaken) || time.Since(began) > dying:
			return nil, fmt.Errorf("state: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("state: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// generations runs one generation after the other: a reload ends the present one
// and starts the next from the same ledger. A configuration that cannot be built
// is refused, and the present one goes on.
func (d *daemon) generations(ctx context.Context, gen *generation) error {
	for {
		ran := make(chan error, 1)
		gctx, stop := context.WithCancel(ctx)
		go func() { ran <- gen.run(gctx) }()
		systemd.Notify("READY=1\nSTATUS=" + gen.summary())
		next, err := d.await(ctx, ran)
		systemd.Notify(map[bool]string{true: "RELOADING=1", false: "STOPPING=1"}[next != nil])
		stop()
		if next == nil {
			return err
		}
		if err := <-ran; err != nil {
			return err
		}
		gen = next
		d.current.Store(gen)
		d.ports.Keep(gen.addresses())
		d.senders.keep(gen.syslogs)
		d.Log.Info("reloaded", "config", gen.c.Path, "jails", len(gen.c.Jails), "targets", len(gen.c.Targets))
	}
}

// await waits for the end of the present generation, or for the next one. What
// takes long to prepare is prepared while the present one goes on.
func (d *daemon) await(ctx context.Context, ran <-chan error) (*generation, error) {
	type prepared struct {
		*generation
		err error
	}
	var next chan prepared
	for again := false; ; {
		if again && next == nil {
			again, next = false, make(chan prepared, 1)
			go func(to chan<- prepared) { // ends by itself; nobody waits for it at a stop
				g, err := d.reload(ctx)
				to <- prepared{g, err}
			}(next)
		}
		select {
		case err := <-ran:
			return nil, err
		case <-ctx.Done():
			return nil, <-ran
		case <-d.Reload:
			again = true
		case p := <-next:
			if next = nil; again { // the file was read before it was changed once more
				continue
			}
			if p.err == nil {
				return p.generation, nil
			}
			why := brief(p.err)
			d.Log.Error("reload refused, the present configuration goes on", "err", why)
			d.current.Load().trouble(ctx, "reload", "The new configuration was refused, the old one goes on: "+why)
		}
	}
}

// brief says the first problem of a configuration, and how many there are.
func brief(err error) string {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok || len(problems) < 2 {
		return err.Error()
	}
	return fmt.Sprintf("%s (and %d more: edgeban check tells all)", problems[0].Error(), len(problems)-1)
}

// reload prepares the next generation: only what it takes over is left to do.
func (d *daemon) reload(ctx context.Context) (*generation, error) {
	c, err := d.Load()
	if err != nil {
		return nil, err
	}
	if text := d.current.Load().lost(c); text != "" {
		return nil, errors.New(text)
	}
	if c.State != d.Config.State || c.Socket != d.Config.Socket || c.Listen != d.Config.Listen {
		d.Log.Warn("state, socket and listen change at the next start only", "config", c.Path)
	}
	g, err := d.build(c)
	if err != nil {
		return nil, err
	}
	for _, addr := range g.addresses() {
		if err := d.ports.Reserve(addr); err != nil {
			d.ports.Keep(d.current.Load().addresses())
			return nil, err
		}
	}
	g.remember(d.current.Load())
	g.protect(ctx)
	return g, nil
}

// serve opens the socket of the commands and the health endpoint.
func (d *daemon) serve(ctx context.Context, g *errgroup.Group) error {
	backend := api{d}
	if d.Config.Socket != "" {
		l, err := listenUnix(d.Config.Socket)
		if err != nil {
			return err
		}
		g.Go(func() error { return web.Serve(ctx, l, web.Handler(backend, d.Log)) })
	}
	if d.Config.Listen != "" {
		l, err := net.Listen("tcp", d.Config.Listen)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		g.Go(func() error { return web.Serve(ctx, l, web.Health(backend)) })
	}
	return nil
}

// listenUnix opens a socket that only its owner may use. The ledger's lock says
// that no other daemon uses the file that is there.
func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("socket: %s is there and is no socket; set socket: to another path", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
	}
	own := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); e != nil { // before it has a name: nobody can be quicker
			return e
		}
		return err
	}}
	l, err := own.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w; set socket: to a path that uid %d may create", err, os.Getuid())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	return l, nil
}
