package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An Env is what a configuration may refer to outside of its file.
type Env struct {
	ReadFile  func(path string) ([]byte, error)
	LookupEnv func(name string) (string, bool)
	UID       int // who reads, for problems with a file's permissions
}

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
	r := &reader{file: name, env: env}
	c := Default()
	c.Path = name
	if root, ok := r.document(data); ok {
		r.config(&c, root)
	}
	if len(r.problems) > 0 {
		return Config{}, r.problems.sorted()
	}
	return c, nil
}

// config reads the top of the file. What is read later depends on what is read
// before: a jail on the defaults, the budget and the targets.
func (r *reader) config(c *Config, root value) {
	base := NewJail("")
	root.mapping([]field{
		{"state", into(&c.State, value.file), ""},
		{"socket", into(&c.Socket, socket), ""},
		{"listen", into(&c.Listen, as(address)), ""},
		{"targets", func(v value) { readTargets(&c.Targets, v) }, ""},
		{"notify", func(v value) { readNotifiers(&c.Notify, v) }, ""},
		{"never", each(&c.Never, value.words, as(host)), ""},
		{"budget", func(v value) {
			readBudget(&c.Budget, v)
			base.IPv6Prefix = max(base.IPv6Prefix, c.Budget.IPv6)
		}, ""},
		{"forget", into(&c.Forget, span(day, longest)), ""},
		{"defaults", func(v value) { readDefaults(&base, v, c.Budget) }, ""},
		{"jails", func(v value) { c.Jails = readJails(v, base, c) }, ""},
	})
	if c.State != "" && c.Socket == "" {
		c.Socket = filepath.Join(c.State, SocketName)
	}
}

// socket reads the path of a unix socket, which the kernel cuts at 107 bytes.
func socket(v value) (string, bool) {
	const longest = 107
	path, ok := v.file()
	if ok && len(path) > longest {
		v.wrong("%s is %d bytes long; the path of a socket has %d at most", quote(path), len(path), longest)
		return "", false
	}
	return path, ok
}

func readBudget(b *Budget, v value) {
	v.mapping([]field{
		{"per_minute", into(&b.PerMinute, whole(1, 100_000)), ""},
		{"entries", into(&b.Entries, whole(1, 10_000_000)), ""},
		{"ipv4", into(&b.IPv4, whole(8, 32)), ""},
		{"ipv6", into(&b.IPv6, whole(16, 128)), ""},
	})
}
