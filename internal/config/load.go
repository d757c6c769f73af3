package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeban/edgeban/internal/config/node"
)

// What walking the file needs and gives, in the words of package node.
type (
	// An Env is what a configuration may refer to outside of its file.
	Env = node.Env
	// A Problem is one thing that is wrong with a configuration.
	Problem = node.Problem
	// Problems is everything that is wrong, in the order of the file.
	Problems = node.Problems
)

// Load reads the configuration at path, with the secrets that it refers to. The
// error is Problems, or the reason why the file itself cannot be read.
func Load(path string) (Config, error) {
	env := Env{ReadFile: readFile, LookupEnv: os.LookupEnv, UID: os.Getuid()}
	data, err := env.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return Config{}, fmt.Errorf("configuration: %w for uid %d", err, env.UID)
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, data, env)
}

// readFile reads no more than what is enough to know that it is too much.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, 4<<20))
}

// Parse reads a configuration that came from the file called name; relative
// paths in it are relative to that file's folder. The error is Problems: all of
// them, in the order of the file, none of which holds a secret.
func Parse(name string, data []byte, env Env) (Config, error) {
	r := node.NewReader(name, env)
	c := Default()
	c.Path = name
	if root, ok := r.Document(data, "write at least a jail, such as jails: {sshd: {logpath: /var/log/auth.log}}"); ok {
		readConfig(&c, root)
	}
	if problems := r.Problems(); len(problems) > 0 {
		return Config{}, problems
	}
	return c, nil
}

// readConfig reads the top of the file. What is read later depends on what is read
// before: a jail on the defaults, the budget and the targets.
func readConfig(c *Config, root node.Value) {
	base := NewJail("")
	root.Mapping([]node.Field{
		node.Key("state", node.Into(&c.State, node.Value.File)),
		node.Key("socket", node.Into(&c.Socket, socket)),
		node.Key("listen", node.Into(&c.Listen, node.As(address))),
		node.Key("targets", func(v node.Value) { readTargets(&c.Targets, v) }),
		node.Key("zones", func(v node.Value) { readZones(v, c) }),
		node.Key("notify", func(v node.Value) { readNotifiers(&c.Notify, v) }),
		node.Key("sources", func(v node.Value) { readSources(&c.Sources, v) }),
		node.Key("never", node.FromEnv(node.Each(&c.Never, node.Value.Words, node.As(Host)))),
		node.Key("budget", func(v node.Value) {
			readBudget(&c.Budget, v)
			base.IPv6Prefix = max(base.IPv6Prefix, c.Budget.IPv6)
		}),
		node.Key("forget", node.Into(&c.Forget, span(day, LongestTime))),
		node.Key("leak_grace", node.Into(&c.Grace, span(10*time.Second, day))),
		node.Key("defaults", func(v node.Value) { readDefaults(&base, v, c.Budget) }),
		node.Key("fail2ban", node.Into(&c.Fail2ban, folder)),
		node.Key("jails", func(v node.Value) { c.Jails = readJails(v, base, c) }),
	})
	jails, _ := root.Get("jails")
	switch {
	case c.Fail2ban == "" && c.Jails != nil:
		if notify, ok := root.Get("notify"); ok {
			checkJails(notify, jails.Keys())
		}
	case c.Fail2ban != "" && c.Jails == nil:
		c.Jails = []Jail{} // they are there, and not to be found
	}
	if c.State != "" && c.Socket == "" {
		c.Socket = filepath.Join(c.State, SocketName)
	}
}

// folder reads the path of a folder like /etc/fail2ban.
func folder(v node.Value) (string, bool) {
	path, ok := v.File()
	if ext := filepath.Ext(path); ok && (ext == ".conf" || ext == ".local") {
		v.Wrong("%s is a file; write the folder that holds jail.conf, such as /etc/fail2ban", node.Quote(path))
		return "", false
	}
	return path, ok
}

// socket reads the path of a unix socket, which the kernel cuts at 107 bytes.
func socket(v node.Value) (string, bool) {
	const longest = 107
	path, ok := v.File()
	if ok && len(path) > longest {
		v.Wrong("%s is %d bytes long; the path of a socket has %d at most", node.Quote(path), len(path), longest)
		return "", false
	}
	return path, ok
}

func readBudget(b *Budget, v node.Value) {
	v.Mapping([]node.Field{
		node.Key("per_minute", node.Into(&b.PerMinute, node.Whole(1, 100_000))),
		node.Key("entries", node.Into(&b.Entries, node.Whole(1, 10_000_000))),
		node.Key("ipv4", node.Into(&b.IPv4, node.Whole(8, 32))),
		node.Key("ipv6", node.Into(&b.IPv6, node.Whole(16, 128))),
	})
}
