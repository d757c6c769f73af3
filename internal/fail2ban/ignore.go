package fail2ban

import (
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
)

// readIgnore reads what else spares somebody.
func (j *jail) readIgnore() error {
	t, ok, err := j.get("ignoreself")
	if err != nil {
		return err
	}
	if ok && !isTrue(t.String()) {
		j.note(Warning, t.Place(), "ignoreself = false: edgeban never bans the addresses of its own machine; nothing changes that")
	}
	if t, ok, err = j.get("ignorecommand"); err == nil && ok && t.String() != "" {
		err = wrong(t.Place(), "ignorecommand: edgeban runs no command, and will not ban whom the command would spare; write ignorecommand = with nothing behind it into the jail, and the addresses into ignoreip")
	}
	return err
}

// readIgnoreIP reads the addresses that are not banned.
func (j *jail) readIgnoreIP() error {
	t, _, err := j.get("ignoreip")
	if err != nil {
		return err
	}
	for _, line := range t.Lines() {
		for word := range strings.FieldsFuncSeq(line.String(), func(r rune) bool { return r == ' ' || r == ',' }) {
			if word = strings.TrimFunc(word, ini.IsSpace); word == "" {
				continue
			}
			j.resolved.IgnoreIP = append(j.resolved.IgnoreIP, word)
			host, err := ignored(word)
			switch {
			case strings.HasSuffix(word, "/0") || strings.HasSuffix(host, "/0"):
				return wrong(line.At(0), "ignoreip: %s is every address, and the jail would ban nobody; write a narrower network", show(word))
			case err != nil:
				j.note(Warning, line.At(0), "ignoreip: %v", err)
			default:
				j.out.IgnoreIP = append(j.out.IgnoreIP, host)
			}
		}
	}
	return nil
}

// ignored returns an address, a network, a name or file:PATH as config has them.
func ignored(s string) (string, error) {
	if p, ok := strings.CutPrefix(s, "file:"); ok {
		if !path.IsAbs(p) {
			return "", fmt.Errorf("%s is not read; write file: and an absolute path", show(s))
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
