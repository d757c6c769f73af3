package never

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"
)

// recall reads what names resolved to before a restart: the owner's address must
// be protected even if the resolver is away when the daemon starts.
func (f *Finder) recall() {
	if f.Memory == "" || f.names != nil {
		return
	}
	f.names = map[string]*name{}
	b, err := os.ReadFile(f.Memory)
	if err != nil {
		return // the first start
	}
	var kept map[string][]netip.Addr
	if json.Unmarshal(b, &kept) != nil {
		return // it is written anew after the first answer
	}
	for host, addrs := range kept {
		n := &name{addrs: map[netip.Addr]time.Time{}}
		for _, a := range usable(addrs) {
			n.addrs[a] = time.Time{}
		}
		f.names[host] = n
	}
	f.written = string(b)
}

// remember writes down what names resolve to, if that has changed. A disk that
// refuses costs no more than this memory.
func (f *Finder) remember() {
	if f.Memory == "" {
		return
	}
	kept := map[string][]netip.Addr{}
	for host, n := range f.names {
		if addrs := slices.SortedFunc(maps.Keys(n.addrs), netip.Addr.Compare); len(addrs) > 0 {
			kept[host] = addrs
		}
	}
	b, err := json.Marshal(kept)
	if err != nil || string(b) == f.written || (len(kept) == 0 && f.written == "") {
		return
	}
	aside := f.Memory + ".new"
	if os.WriteFile(aside, b, 0o600) == nil && os.Rename(aside, f.Memory) == nil {
		f.written = string(b)
	}
}
