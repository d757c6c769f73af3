// Package netns runs programs apart from this machine: in network namespaces, and
// with a root file system and processes of their own, as a container engine would.
package netns

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Net is a network namespace.
type Net struct {
	name string
	fd   int
}

// Do runs f with the sockets and children that it makes inside n.
func (n *Net) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns %s: %w", n.name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// New makes a namespace, with what a switch and a router need.
func New(name string) (*Net, error) {
	if err := Command("ip", "netns", "add", name); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	n := &Net{name, fd}
	return n, n.Do(func() error {
		// A bridge is a switch, also where Docker has loaded what filters at bridges.
		for _, family := range []string{"iptables", "ip6tables"} {
			err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-"+family, []byte("0"), 0o644)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return errors.Join(
			Command("ip", "link", "set", "lo", "up"),
			os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644),
			// An address may be used at once.
			os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/accept_dad", []byte("0"), 0o644),
		)
	})
}

// IP runs lines of arguments of the command ip.
func (n *Net) IP(lines string) error {
	return n.Do(func() error { return feed(lines, "ip", "-batch", "-") })
}

// NFT runs a script of nftables.
func (n *Net) NFT(script string) error {
	return n.Do(func() error { return feed(script, "nft", "-f", "-") })
}

// Of returns the namespace that a process is in.
func Of(pid int) (*Net, error) {
	path := fmt.Sprintf("/proc/%d/ns/net", pid)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Net{path, fd}, nil
}

// Command runs a command; the error holds what it wrote.
func Command(name string, args ...string) error { return feed("", name, args...) }

// feed runs a command on an input; the error holds what it wrote.
func feed(in, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
