package stage

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// An Edge is a firewall: the API is a fake OPNsense, and what it holds in its table
// is applied to a set of nftables, so that packets are dropped.
type Edge struct {
	net *netns.Net
	API *opnsensetest.Firewall
	url string

	mu   sync.Mutex
	nft  io.Writer // of a process that reads commands
	held []netip.Prefix
	ever []netip.Prefix // all that was ever in the table
}

// Alias is the one that holds bans.
const Alias = "edgeban"

func newEdge(ctx context.Context, n *netns.Net, slow bool) (*Edge, error) {
	e := &Edge{net: n}
	cmd := exec.CommandContext(ctx, "nft", "-i")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	e.nft = in
	if err := n.Do(cmd.Start); err != nil {
		return nil, err
	}
	e.API = opnsensetest.New(opnsensetest.Options{
		Latency: slow,
		Aliases: []opnsensetest.Alias{{Name: Alias}},
		Rules: []opnsensetest.Rule{{Fields: map[string]string{
			"action": "block", "direction": "in", "ipprotocol": "inet46", "source_net": Alias, "description": "bans",
		}}},
		OnAdd: func(_ string, p netip.Prefix) { e.add(p) },
	})
	if err := e.listen(); err != nil {
		return nil, err
	}
	go e.follow(ctx) // ends with ctx
	return e, nil
}

func (e *Edge) listen() error {
	return e.net.Do(func() (err error) {
		e.url, err = e.API.ListenTLSAt(edgeLAN + ":443")
		return err
	})
}

// follow removes from the set what is no longer in the table. What is new is there
// already: it is added before the API answers, as pfctl does.
func (e *Edge) follow(ctx context.Context) {
	for ctx.Err() == nil {
		e.sync()
		time.Sleep(50 * time.Millisecond)
	}
}

func (e *Edge) sync() {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.API.Entries(Alias)
	for _, p := range e.held {
		if !slices.Contains(now, p) {
			e.tell("delete", p)
		}
	}
	for _, p := range now {
		if !slices.Contains(e.held, p) {
			e.tell("add", p)
		}
	}
	e.held = now
}

func (e *Edge) add(p netip.Prefix) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.ever, p) {
		e.ever = append(e.ever, p)
	}
	if !slices.Contains(e.held, p) {
		e.tell("add", p)
		e.held = append(e.held, p)
	}
}

func (e *Edge) tell(verb string, p netip.Prefix) {
	set := "banned4"
	if p.Addr().Is6() {
		set = "banned6"
	}
	fmt.Fprintf(e.nft, "%s element inet edge %s { %s }\n", verb, set, p)
}

// Holds reports whether the firewall's table contains an address.
func (e *Edge) Holds(a netip.Addr) bool {
	return slices.ContainsFunc(e.API.Entries(Alias), func(p netip.Prefix) bool { return p.Contains(a) })
}

// Ever reports whether the firewall's table has contained an address, at any moment.
func (e *Edge) Ever(a netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.ever, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Down stops the API, as a reboot does.
func (e *Edge) Down() error { return e.API.Close() }

// Up ends a reboot: the table is empty, and the API answers again.
func (e *Edge) Up() error {
	e.API.Reboot()
	e.sync()
	return e.listen()
}

// Dropped returns how many packets of banned addresses were dropped so far.
func (e *Edge) Dropped() (text string, err error) {
	err = e.net.Do(func() error {
		out, err := exec.Command("nft", "list", "chain", "inet", "edge", "bans").Output()
		text = strings.TrimSpace(string(out))
		return err
	})
	return text, err
}
