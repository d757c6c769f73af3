package never

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	lookupTime  = 15 * time.Second // enough to ask a second server after a dead first one
	lookups     = 16               // at a time
	grace       = time.Hour        // an address that a name has left stays protected so long
	maxAnswers  = 64               // addresses of one answer
	maxKept     = 256              // addresses of one name, those it has left included
	retryNames  = 30 * time.Second
	watchFiles  = 5 * time.Second
	noSuchName  = "no such name"
	noAnswer    = "the resolver did not answer"
	emptyAnswer = "it has no address"
)

// A name is what is known of one name.
type name struct {
	addrs map[netip.Addr]time.Time // when to forget; zero for those of the last good answer
	err   string                   // why there was no good answer the last time
}

// learn takes an answer in. A name that moves is protected at both places for a
// while; one that does not resolve stays where it was.
func (n *name) learn(answer []netip.Addr, err error, now time.Time) {
	good := usable(answer)
	if n.err = reason(good, err); n.err == "" {
		for a, forget := range n.addrs {
			if forget.IsZero() {
				n.addrs[a] = now.Add(grace)
			}
		}
		for _, a := range good {
			n.addrs[a] = time.Time{}
		}
	}
	for a, forget := range n.addrs {
		if !forget.IsZero() && !now.Before(forget) {
			delete(n.addrs, a)
		}
	}
	for len(n.addrs) > maxKept {
		n.forgetOne()
	}
}

// forgetOne forgets the address that the name left first.
func (n *name) forgetOne() {
	var first netip.Addr
	for a, forget := range n.addrs {
		if at, ok := n.addrs[first]; !forget.IsZero() && (!ok || forget.Before(at)) {
			first = a
		}
	}
	delete(n.addrs, first)
}

// usable returns at most maxAnswers addresses. Resolvers that block names answer
// with the unspecified address: that is none.
func usable(answer []netip.Addr) []netip.Addr {
	good := make([]netip.Addr, 0, len(answer))
	for _, a := range answer {
		if a = a.Unmap().WithZone(""); a.IsValid() && !a.IsUnspecified() {
			good = append(good, a)
		}
	}
	slices.SortFunc(good, netip.Addr.Compare)
	return good[:min(len(good), maxAnswers)]
}

// reason says in words that stay the same from one look to the next why there is
// no good answer; empty if there is one.
func reason(good []netip.Addr, err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case err == nil && len(good) > 0:
		return ""
	case err == nil:
		return emptyAnswer
	case isDNS && dns.IsNotFound:
		return noSuchName
	case isDNS && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return noAnswer
	}
	return err.Error()
}

// resolve looks all names up, some at a time, and forgets those not asked for.
func (f *Finder) resolve(ctx context.Context, names []string) {
	known := make(map[string]*name, len(names))
	answers := make([][]netip.Addr, len(names))
	errs := make([]error, len(names))
	var asking sync.WaitGroup
	slots := make(chan struct{}, lookups)
	for i, host := range names {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, lookupTime)
			defer cancel()
			answers[i], errs[i] = f.lookup(ctx, host)
		})
	}
	asking.Wait()
	now := time.Now()
	for i, host := range names {
		n := f.names[host]
		if n == nil {
			n = &name{addrs: make(map[netip.Addr]time.Time)}
		}
		n.learn(answers[i], errs[i], now)
		known[host] = n
	}
	f.names = known
}

func (f *Finder) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if f.Resolver != nil {
		return f.Resolver(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
