package never

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// routeGateway is RTF_GATEWAY of <linux/route.h>: the route leads through a router.
const routeGateway = 0x2

// hostNames are what container engines write into /etc/hosts for the machine
// that the container runs on. Its own traffic comes from there.
var hostNames = []string{"host.docker.internal", "gateway.docker.internal", "host.containers.internal"}

// host adds what this host itself is and leans on: its addresses, its gateways,
// its resolvers, and the machine under the container.
func (f *Finder) host(l *look) {
	own, err := f.interfaces()
	if err != nil {
		l.problem("interfaces", "this host's own addresses are not known: "+err.Error())
		own = f.own
	}
	f.own = own
	for _, name := range slices.Sorted(maps.Keys(own)) {
		for _, a := range own[name] {
			l.protect(a, "an own address of this host ("+name+")", Own)
		}
	}
	l.lines(f.Root, "proc/net/route", func(fields []string) { gateway4(l, fields) })
	l.lines(f.Root, "proc/net/ipv6_route", func(fields []string) { gateway6(l, fields) })
	l.lines(f.Root, "etc/resolv.conf", func(fields []string) {
		if len(fields) > 1 && fields[0] == "nameserver" {
			a, _ := netip.ParseAddr(fields[1])
			l.protect(a, "resolver in /etc/resolv.conf", Stranger)
		}
	})
	l.lines(f.Root, "etc/hosts", func(fields []string) {
		if i := slices.IndexFunc(fields, func(s string) bool { return slices.Contains(hostNames, s) }); i > 0 {
			a, _ := netip.ParseAddr(fields[0])
			l.protect(a, "the machine under this container ("+fields[i]+")", Gateway)
		}
	})
}

// gateway4 reads a line of /proc/net/route: Iface Destination Gateway Flags ...
// The gateway is hexadecimal in the byte order of the machine.
func gateway4(l *look, fields []string) {
	if len(fields) < 4 {
		return
	}
	gateway, err := strconv.ParseUint(fields[2], 16, 32)
	flags, err2 := strconv.ParseUint(fields[3], 16, 32)
	if err != nil || err2 != nil || flags&routeGateway == 0 {
		return
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(gateway))
	l.protect(netip.AddrFrom4(b), "a gateway of this host ("+fields[0]+")", Gateway)
}

// gateway6 reads a line of /proc/net/ipv6_route: destination, its length, source,
// its length, next hop, metric, two counts, flags, interface.
func gateway6(l *look, fields []string) {
	if len(fields) < 10 {
		return
	}
	hop, err := hex.DecodeString(fields[4])
	flags, err2 := strconv.ParseUint(fields[8], 16, 32)
	if err != nil || err2 != nil || flags&routeGateway == 0 {
		return
	}
	a, _ := netip.AddrFromSlice(hop)
	l.protect(a, "a gateway of this host ("+fields[9]+")", Gateway)
}

// lines gives the words of each line of a file of the system to f. That a system
// has no such file is normal.
func (l *look) lines(root, path string, f func(fields []string)) {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.problem(path, "/"+path+" cannot be read: "+unwrapPath(err).Error())
		}
		return
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		f(strings.Fields(line))
	}
}

// interfaces returns the addresses of each network interface.
func (f *Finder) interfaces() (map[string][]netip.Addr, error) {
	if f.Interfaces != nil {
		return f.Interfaces()
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	own := make(map[string][]netip.Addr)
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			// An interface's network is not ours alone: attackers may live in it.
			if n, ok := a.(*net.IPNet); ok {
				addr, _ := netip.AddrFromSlice(n.IP)
				own[i.Name] = append(own[i.Name], addr)
			}
		}
	}
	return own, nil
}
