package value

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// Firewall returns the URL of a host, a host and a port, or a URL. The error does
// not repeat the text, which may hold a password.
func Firewall(s string) (string, error) {
	if !strings.Contains(s, "://") {
		if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && a.Is6() {
			s = "[" + a.String() + "]"
		}
		s = "https://" + s
	}
	u, err := config.FirewallURL(s)
	if err != nil && strings.HasPrefix(s, "http://") {
		return "", errors.New("it would send the key in clear; write a host such as 192.168.1.1, or https:// and a host")
	} else if err != nil {
		return "", errors.New("it is not the address of a firewall; write a host such as 192.168.1.1, or https:// and a host")
	}
	return u, nil
}

// Priority reads an ntfy priority, by its number or its name. None is the
// server's default.
func Priority(s string) (int, error) {
	names := []string{"min", "low", "default", "high", "max", "urgent"}
	n, err := strconv.Atoi(s)
	i := slices.Index(names, s)
	switch {
	case s == "":
		return 0, nil
	case err == nil && n >= 1 && n <= 5:
		return n, nil
	case i >= 0:
		return min(i+1, 5), nil
	}
	return 0, fmt.Errorf("ntfypriority: it is not a priority; write 1 to 5, or %s", strings.Join(names, ", "))
}
