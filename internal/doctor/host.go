package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/web"
	"github.com/edgeban/edgeban/internal/zone"
)

// A Daemon answers for the one that runs.
type Daemon func(ctx context.Context) (web.Status, error)

// host looks at what the configuration says as a whole, at the state, and at the
// daemon if one runs, whose status it returns.
func (e *exam) host(ctx context.Context) (st web.Status, running bool) {
	e.jailsRun()
	st, running = e.daemon(ctx)
	e.state(running)
	if running {
		e.troubles(st)
	}
	for _, t := range e.Config.Targets {
		if t.Feed != nil {
			e.feed(ctx, t, running)
		}
	}
	e.enforced()
	return st, running
}

// jailsRun looks for jails that are enabled and cannot run.
func (e *exam) jailsRun() {
	for _, b := range e.Config.Broken {
		e.link("jail "+b.Jail, "configuration").broken("mend what is named; edgeban check reads it again", "it does not run: %s", b.Why)
	}
	l := e.link("host", "configuration")
	if len(e.Config.Jails) == 0 {
		l.broken("write jails: and what each reads, such as {sshd: {logpath: /var/log/auth.log}}", "no jail runs")
		return
	}
	from := e.Config.Path
	if from == "" {
		from = "nothing configured"
	}
	l.good("%s: jails: %d, targets: %d, notifiers: %d", from, len(e.Config.Jails), len(e.Config.Targets), len(e.Config.Notify))
}

// daemon asks whether one runs. That none does breaks nothing yet: a doctor may be
// asked before the first start.
func (e *exam) daemon(ctx context.Context) (st web.Status, running bool) {
	l := e.link("host", "daemon")
	if e.Daemon == nil {
		l.untried("its socket is not known")
		return st, false
	}
	st, err := e.Daemon(ctx)
	if err != nil {
		l.untried("none answers: %v", err)
		return st, false
	}
	l.good("it runs since %s", st.Started.Local().Format(time.DateTime))
	return st, true
}

// troubles tells what the daemon complains of.
func (e *exam) troubles(st web.Status) {
	l := e.link("host", "troubles")
	if len(st.Troubles) == 0 {
		l.good("the daemon complains of nothing")
	}
	for _, text := range st.Troubles {
		l.warn("see what is said of that part here; a trouble that is mended leaves edgeban status by itself", "the daemon says: %s", text)
	}
}

// state looks at the folder of the ledger. Nothing is written to it.
func (e *exam) state(running bool) {
	l := e.link("host", "state")
	dir := e.Config.State
	if running {
		l.good("the daemon has it")
		return
	}
	for place := dir; ; place = filepath.Dir(place) {
		info, err := os.Stat(place)
		if os.IsNotExist(err) && place != filepath.Dir(place) {
			continue // it will be made
		}
		switch {
		case err != nil:
			l.broken("name another folder as state:, or mount a volume there", "%v", err)
		case !info.IsDir():
			l.broken("name a folder as state:", "%s is no folder", place)
		case syscall.Access(place, 2) != nil:
			l.broken(fmt.Sprintf("chown %d %s, or name a folder that it may write to as state:", os.Geteuid(), place), "%s may not be written by uid %d: every ban would be forgotten", place, os.Geteuid())
		default:
			l.good("%s can be written", dir)
		}
		return
	}
}

// feed asks whether the list is served. It asks in a way that does not count as a
// fetch: whether a firewall pulls it is for the status to say.
func (e *exam) feed(ctx context.Context, t config.Target, running bool) {
	l := e.link("target "+t.Name, "served")
	if !running {
		l.untried("the daemon serves it, and none answers")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+here(t.Feed.Listen)+"/bans.txt", nil)
	if err != nil {
		l.broken("correct listen:", "%s is no address", t.Feed.Listen)
		return
	}
	if !t.Feed.Token.Empty() {
		req.Header.Set("Authorization", "Bearer "+t.Feed.Token.Reveal())
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		l.broken("kill -HUP the daemon if listen: was changed, or free the port", "nothing answers at %s, and the daemon runs", t.Feed.Listen)
		return
	}
	res.Body.Close()
	switch res.StatusCode {
	case http.StatusMethodNotAllowed: // what a feed says to whoever may read it, and posts
		l.good("http://%s/bans.txt", t.Feed.Listen)
	case http.StatusUnauthorized, http.StatusForbidden:
		l.broken("kill -HUP the daemon: it runs with another token than the configuration has", "it refuses the configured token (%d)", res.StatusCode)
	default:
		l.broken("name a free port as listen:", "what answers at %s is no list of edgeban's (%d)", t.Feed.Listen, res.StatusCode)
	}
}

// here returns where a listener on every address is reached from its own host.
func here(listen string) string {
	for _, all := range []string{"0.0.0.0:", "[::]:", ":"} {
		if port, ok := strings.CutPrefix(listen, all); ok {
			return "127.0.0.1:" + port
		}
	}
	return listen
}

// enforced asks whether bans lead anywhere.
func (e *exam) enforced() {
	l := e.link("host", "enforcement")
	for _, t := range e.Config.Targets {
		if t.Feed == nil || !t.Feed.StandIn {
			l.good("bans go to target %s", t.Name)
			return
		}
	}
	l.broken("edgeban setup opnsense https://FIREWALL prepares one, and prints what to write", "no target is named: bans are only listed, and hold nowhere")
}

// protected finds what is never banned.
func (e *exam) protected(ctx context.Context) {
	f := &never.Finder{Never: slices.Concat(e.Config.Never, zone.Protected(e.Config.Zones, never.PrivateWords())), Hosts: e.Config.Hosts()}
	e.list = f.Find(ctx)
	problems := f.Problems()
	for _, j := range e.Config.Jails {
		own := never.NewIgnore(j.IgnoreIP, nil)
		own.Find(ctx)
		for _, p := range own.Problems() {
			problems = append(problems, "jail "+j.Name+": "+p)
		}
	}
	for _, p := range problems {
		e.link("host", "never").warn("correct the word, or write the address in its place", "%s", p)
	}
	if len(problems) == 0 {
		e.link("host", "never").good("this host, its gateways and resolvers, what it talks to, and never: are protected")
	}
}

// networks returns the networks that this host has an address in.
func (e *exam) networks() ([]netip.Prefix, error) {
	if e.Networks != nil {
		return e.Networks()
	}
	return networks()
}
