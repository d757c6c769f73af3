// Package notify tells people what the outbox holds, through one notifier each.
//
// A Delivery paces, groups and tries again; a notifier such as Ntfy words the
// notices and sends one message. The package never decides who is banned, never
// blocks anything but itself, and keeps nothing that the outbox does not hold.
//
// Text from logs is hostile: it is cleaned and cut before it enters a message.
package notify

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	maxBatch = 1000            // notices in one message
	keep     = 24 * time.Hour  // how old a notice may grow while nothing can be told
	linger   = 3 * time.Second // for what is being sent when the daemon stops
	firstTry = time.Second     // the shortest and
	lastTry  = 5 * time.Minute // the longest wait after an error that passes
	patience = 2 * time.Second // how long a message waits for the proof of a ban, and
	glance   = patience / 20   // how often it looks
	strikes  = 3               // single notices refused in a row before whole batches are dropped
)

// Options says how to deliver.
type Options struct {
	On    []string      // the kinds to tell, as config.Notifier has them; empty for all
	Jails []string      // of what is told but for trouble; empty for all
	Every time.Duration // the least time between two messages; 5 s if 0
	Log   *slog.Logger  // nil for none

	// Banned returns the jails by which a subject was banned last: an unban is
	// about the entry of a target and names none. It is asked only where Jails are
	// given; nil for none.
	Banned func(ctx context.Context, subject netip.Prefix) []string

	// Prove writes into the notice of a ban who is seen to hold it. It reports
	// whether nobody else is to be expected within seconds; nil for nobody.
	Prove func(ctx context.Context, n *edgeban.Notice) (settled bool)

	// Free reports whether no target holds a subject any more; nil where that is not
	// known. Each target that lets it go gives a notice.
	Free func(ctx context.Context, subject netip.Prefix) bool

	// Place returns where an inside subject is; nil where that is not known.
	Place func(ctx context.Context, subject netip.Prefix) Place
}

// A Place is what helps people to find an attacker in their own networks.
type Place struct {
	Zone, Host string   // may be empty
	Look       string   // what to look at; empty for the usual words
	Targets    []string // that are to hold it; empty for none
}

// placed adds to the notices of inside subjects where these are.
func (o Options) placed(ctx context.Context, ns []edgeban.Notice) []edgeban.Notice {
	if o.Place == nil {
		return ns
	}
	for i, n := range ns {
		if n.Kind == edgeban.NoticeInside {
			p := o.Place(ctx, n.Subject)
			ns[i].Zone, ns[i].Host, ns[i].Look, ns[i].Doors = p.Zone, p.Host, p.Look, strings.Join(p.Targets, ", ")
		}
	}
	return ns
}

// A Delivery tells one notifier what the outbox holds, at least once: the first
// notice at once, and whatever comes within Every of a message in one digest.
//
// An error of the notifier is read as edgeban says: one that passes is tried
// again, more and more slowly or when RetryAfter says; one marked Permanent is
// about the notices themselves, which are halved until the culprit is found and
// dropped; one marked both is about the configuration, and tried again then,
// for a person may have mended it. While nothing can be told, notices wait for a
// day. What was dropped is counted in the next message.
type Delivery struct {
	outbox   edgeban.Outbox
	name     string
	notifier edgeban.Notifier
	opt      Options

	mu     sync.Mutex
	status Status

	// Only Run touches these.
	limit   int         // how many notices to take
	told    edgeban.Seq // told already, even if the outbox could not write it down
	tries   int         // errors in a row
	refused int         // notices dropped in a row because they were refused
	said    slog.Level  // how loudly the present failure was logged
	echoes  echoes
}

// A Status is how a delivery fares.
type Status struct {
	Name      string
	Told      time.Time // when a message was last taken; zero for never
	Since     time.Time // since when the notifier cannot be reached or will not have us; zero if it does
	Err       string    // what is wrong; empty for nothing
	Permanent bool      // a person must act
	Lost      int       // notices dropped since the last message that was taken
}

// NewDelivery returns the delivery of o through n, which the outbox knows as name.
func NewDelivery(o edgeban.Outbox, name string, n edgeban.Notifier, opt Options) *Delivery {
	if opt.Every == 0 {
		opt.Every = 5 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Log = opt.Log.With("notifier", name)
	return &Delivery{
		outbox: o, name: name, notifier: n, opt: opt,
		status: Status{Name: name},
		limit:  maxBatch,
		echoes: echoes{},
	}
}

// Status returns how the delivery fares. It may be called at any time.
func (d *Delivery) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// Run delivers until ctx is done, and then returns nil. A message that is being
// sent at that moment gets 3 s more; what is pending stays in the outbox.
func (d *Delivery) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		sleep(ctx, d.step(ctx))
	}
	return nil
}

// step delivers one batch and returns how long to wait before the next.
func (d *Delivery) step(ctx context.Context) time.Duration {
	batch, err := d.outbox.Pending(ctx, d.name, d.limit)
	if d.free(ctx, batch) {
		batch, err = d.outbox.Pending(ctx, d.name, d.limit)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		return d.failed(err)
	case len(batch) == 0:
		return d.opt.Every
	}
	began := time.Now()
	wanted := d.wanted(ctx, batch)
	if len(wanted) == 0 {
		return d.silent(ctx, batch)
	}
	if n := d.stale(batch, began); n > 0 {
		d.opt.Log.Error("notices dropped, they could not be told for a day", "count", len(d.wanted(ctx, batch[:n])))
		return d.drop(ctx, batch[:n])
	}

	d.prove(ctx, wanted)
	late, cancel := outlive(ctx, linger)
	defer cancel()
	if err := d.notifier.Notify(late, d.withLost(d.opt.placed(late, wanted), began)); err != nil {
		if ctx.Err() != nil {
			return 0 // it was the end of the daemon, not of the notifier
		}
		if _, again := edgeban.RetryDelay(err); edgeban.IsPermanent(err) && !again {
			return d.refuse(late, batch, err)
		}
		d.since(began)
		return d.failed(err)
	}
	d.well(began)
	d.echoes.told(wanted)
	// What was told must not be told again because the daemon stops just now.
	if wait := d.through(late, batch); wait > 0 {
		return wait
	}
	return time.Until(began.Add(d.opt.Every))
}

// prove waits a moment for the proof that bans are held: mostly that is there within
// a second. A message must not wait for more.
func (d *Delivery) prove(ctx context.Context, ns []edgeban.Notice) {
	if d.opt.Prove == nil {
		return
	}
	for start := time.Now(); ; sleep(ctx, glance) {
		settled := true
		for i := range ns {
			if ns[i].Kind == edgeban.NoticeBan || ns[i].Kind == edgeban.NoticeInside {
				settled = d.opt.Prove(ctx, &ns[i]) && settled
			}
		}
		if settled || time.Since(start) >= patience || ctx.Err() != nil {
			return
		}
	}
}

// free waits a moment until all targets have let go whom one of them has: that is one
// message. It reports whether more notices may have come meanwhile.
func (d *Delivery) free(ctx context.Context, batch []edgeban.Notice) (waited bool) {
	if d.opt.Free == nil {
		return false
	}
	held := func(n edgeban.Notice) bool {
		return n.Kind == edgeban.NoticeUnban && n.ID > d.told && d.opt.tell(ctx, n) && !d.opt.Free(ctx, n.Subject)
	}
	for start := time.Now(); slices.ContainsFunc(batch, held) && time.Since(start) < patience && ctx.Err() == nil; sleep(ctx, glance) {
		waited = true
	}
	return waited
}

// wanted returns what of batch is to be told and was not.
func (d *Delivery) wanted(ctx context.Context, batch []edgeban.Notice) []edgeban.Notice {
	var ns []edgeban.Notice
	for _, n := range batch {
		if n.Kind == edgeban.NoticeUnban {
			delete(d.echoes, n.Subject)
		}
		if n.ID > d.told && d.opt.tell(ctx, n) && !d.echoes.has(n) {
			ns = append(ns, n)
		}
	}
	return ns
}

// tell reports whether n is of a kind and of a jail that are asked for. Trouble
// is everybody's.
func (o Options) tell(ctx context.Context, n edgeban.Notice) bool {
	switch {
	case len(o.On) > 0 && !slices.Contains(o.On, string(n.Kind)):
		return false
	case n.Kind == edgeban.NoticeTrouble || len(o.Jails) == 0:
		return true
	case n.Jail == "" && o.Banned != nil:
		return slices.ContainsFunc(o.Banned(ctx, n.Subject), func(jail string) bool { return slices.Contains(o.Jails, jail) })
	}
	return slices.Contains(o.Jails, n.Jail)
}

// through writes down that batch needs no telling any more. It returns how long
// to wait if the outbox could not take it.
func (d *Delivery) through(ctx context.Context, batch []edgeban.Notice) time.Duration {
	last := batch[len(batch)-1].ID
	d.told = max(d.told, last)
	if err := d.outbox.Told(ctx, d.name, last); err != nil && ctx.Err() == nil {
		return d.failed(err)
	}
	return 0
}

// silent writes down a batch that holds nothing to tell.
func (d *Delivery) silent(ctx context.Context, batch []edgeban.Notice) time.Duration {
	wait := d.through(ctx, batch)
	if now := d.Status(); wait == 0 && now.Since.IsZero() {
		d.well(now.Told) // if anything was wrong, it was the outbox
	}
	return wait
}

// stale counts the notices at the head of batch that have waited too long.
func (d *Delivery) stale(batch []edgeban.Notice, now time.Time) int {
	if since := d.Status().Since; since.IsZero() || now.Sub(since) < keep {
		return 0 // an old notice of a log that is being caught up with is news
	}
	fresh := slices.IndexFunc(batch, func(n edgeban.Notice) bool { return now.Sub(n.Time) < keep })
	if fresh < 0 {
		return len(batch)
	}
	return fresh
}

// refuse deals with a batch that the notifier will never take: half of it may
// pass. A notifier that refuses everything must not cost a message per notice.
func (d *Delivery) refuse(ctx context.Context, batch []edgeban.Notice, err error) time.Duration {
	wait := d.failed(err)
	if len(d.wanted(ctx, batch)) > 1 && d.refused < strikes {
		d.limit = max(1, len(batch)/2)
		return wait
	}
	d.opt.Log.Error("notices dropped, they were refused", "count", len(d.wanted(ctx, batch)), "err", err)
	if d.refused++; d.refused >= strikes {
		d.limit = maxBatch
	}
	return max(wait, d.drop(ctx, batch))
}

// drop gives batch up, and remembers to say so.
func (d *Delivery) drop(ctx context.Context, batch []edgeban.Notice) time.Duration {
	n := len(d.wanted(ctx, batch))
	d.mu.Lock()
	d.status.Lost += n
	d.mu.Unlock()
	return d.through(ctx, batch)
}

// withLost adds to ns that others were dropped.
func (d *Delivery) withLost(ns []edgeban.Notice, now time.Time) []edgeban.Notice {
	lost := d.Status().Lost
	if lost == 0 {
		return ns
	}
	return append(ns, edgeban.Notice{
		Kind: edgeban.NoticeTrouble, Time: now, Target: d.name,
		Text: plural(lost, "earlier notice") + " could not be told and were dropped; the log of edgeban says why",
	})
}

// well takes note that nothing is wrong, and when a message was last taken.
func (d *Delivery) well(told time.Time) {
	if d.said != 0 {
		d.opt.Log.Info("notices are told again")
	}
	d.tries, d.refused, d.said = 0, 0, 0
	d.limit = min(2*d.limit, maxBatch)
	d.mu.Lock()
	defer d.mu.Unlock()
	lost := d.status.Lost
	if told != d.status.Told {
		lost = 0 // the message said so
	}
	d.status = Status{Name: d.name, Told: told, Lost: lost}
}

// since takes note that a try at t failed for a reason that keeps all others waiting.
func (d *Delivery) since(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Since.IsZero() {
		d.status.Since = t
	}
}

// failed takes note of err, says it once, and returns how long to wait.
func (d *Delivery) failed(err error) time.Duration {
	delay, asked := edgeban.RetryDelay(err)
	permanent := edgeban.IsPermanent(err)

	d.mu.Lock()
	d.status.Err, d.status.Permanent = err.Error(), permanent
	d.mu.Unlock()

	level := slog.LevelWarn
	if permanent && asked {
		level = slog.LevelError
	}
	if level > d.said {
		d.said = level
		d.opt.Log.Log(context.Background(), level, "notices cannot be told", "err", err)
	}
	if asked {
		return min(max(delay, d.opt.Every), keep)
	}
	if permanent {
		return d.opt.Every
	}
	d.tries++
	return backoff(d.tries)
}

// backoff returns the wait after the nth error in a row: it doubles, and a random
// half keeps several daemons from knocking together.
func backoff(n int) time.Duration {
	d := lastTry
	if n < 10 {
		d = min(firstTry<<n, lastTry)
	}
	return d/2 + rand.N(d/2)
}

// outlive returns a context that ends d after ctx does.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(late, d)
		cancel()
	})
	return late, func() { stop(); cancel() }
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
