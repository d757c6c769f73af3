package value

import (
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// Host returns an address, a network, a name or file:PATH as config has them.
func Host(s string) (string, error) {
	if p, ok := strings.CutPrefix(s, "file:"); ok {
		if !path.IsAbs(p) {
			return "", fmt.Errorf("%s is not read; write file: and an absolute path", Quote(s))
		}
		return "file:" + path.Clean(p), nil
	}
	if addr, mask, ok := strings.Cut(s, "/"); ok {
		if m, err := netip.ParseAddr(mask); err == nil {
			p, err := masked(addr, m)
			return p.String(), err
		}
	}
	return config.Host(s)
}

// masked returns the network of an address and a mask such as 255.255.255.0.
func masked(addr string, mask netip.Addr) (netip.Prefix, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, err
	}
	bits := 0
	for _, b := range mask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	if p, err := a.Prefix(bits); err == nil && mask.BitLen() == a.BitLen() && netip.PrefixFrom(allOnes(mask), bits).Masked().Addr() == mask {
		return p, nil
	}
	return netip.Prefix{}, fmt.Errorf("%s is no mask", mask)
}

// allOnes returns the last address of a's family.
func allOnes(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	var all [16]byte
	for i := range all {
		all[i] = 255
	}
	return netip.AddrFrom16(all)
}
