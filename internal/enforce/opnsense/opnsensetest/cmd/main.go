// Command cmd is a fake OPNsense firewall to try things at by hand:
//
//	go run ./internal/enforce/opnsense/opnsensetest/cmd
//
// It serves the API over TLS on the loopback, writes two API keys to files and
// prints how to reach it. Then it takes commands, one a line, from standard input
// or by POST at its control address: a reboot, a packet, a fault. It blocks
// nothing but the packets that it is asked about.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	listen, control, dir, version string
	latency, ready, verify        bool
	perCall                       time.Duration
	limit                         int
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("cmd", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "where the API is served")
	flags.StringVar(&s.control, "control", "127.0.0.1:0", "where commands are taken by POST")
	flags.StringVar(&s.dir, "dir", "", "where keys and certificate are written; a new directory if empty")
	flags.StringVar(&s.version, "version", opnsensetest.DefaultVersion, "the release to be, 25.1 to 26.7.x")
	flags.BoolVar(&s.latency, "latency", true, "answer as slowly as a real firewall was recorded to")
	flags.DurationVar(&s.perCall, "per-call", 0, "what each call takes under the lock, in place of what was recorded")
	flags.IntVar(&s.limit, "table-limit", 1_000_000, "entries of all tables together")
	flags.BoolVar(&s.ready, "ready", false, "have the alias and a block rule already, as after a setup")
	flags.BoolVar(&s.verify, "verify-urls", false, "check the certificates that url tables are fetched from")
	if err := flags.Parse(args); err != nil {
		return err
	}
	k, err := newKeys(s.dir)
	if err != nil {
		return err
	}
	f := newFirewall(s, k)
	defer f.Close()
	if err := serve(ctx, f, s, k, out); err != nil {
		return err
	}
	go everyMinute(ctx, f)      // ends with ctx
	go console(ctx, f, in, out) // ends with its input or the process
	<-ctx.Done()
	return nil
}

func newFirewall(s settings, k keys) *opnsensetest.Firewall {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: !s.verify} // as the product's setting has it
	f := opnsensetest.New(opnsensetest.Options{
		Version: s.version, Latency: s.latency, PerCall: s.perCall, TableLimit: s.limit, Fetch: transport, Fresh: true,
		Users: []opnsensetest.User{k.setup, k.edgeban},
	})
	if s.ready {
		f.AddRule(opnsensetest.Rule{Fields: map[string]string{
			"action": "block", "direction": "in", "ipprotocol": "inet46", "source_net": opnsensetest.AliasName, "description": "bans",
		}})
	} else {
		f.RemoveAlias(opnsensetest.AliasName)
	}
	f.Reconfigure()
	return f
}

// keys are the two users and where their keys are.
type keys struct {
	dir            string
	setup, edgeban opnsensetest.User
}

// newKeys writes each key twice: as the product lets people download it, and for
// curl -K, so that neither needs a secret among its arguments.
func newKeys(dir string) (k keys, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "opnsense-")
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return keys{}, err
	}
	k = keys{dir: dir, setup: newUser("setup", opnsensetest.All), edgeban: newUser("edgeban", opnsensetest.Tables, opnsensetest.ShowStates, opnsensetest.AliasView)}
	for _, u := range []opnsensetest.User{k.setup, k.edgeban} {
		err = errors.Join(err,
			os.WriteFile(filepath.Join(dir, u.Name+".txt"), []byte("key="+u.Key+"\nsecret="+u.Secret+"\n"), 0o600),
			os.WriteFile(filepath.Join(dir, u.Name+".curl"), []byte(`user = "`+u.Key+":"+u.Secret+"\"\n"), 0o600))
	}
	return k, err
}

func newUser(name string, privileges ...string) opnsensetest.User {
	random := func() string {
		b := make([]byte, 60)
		_, _ = rand.Read(b) // never fails
		return base64.StdEncoding.EncodeToString(b)
	}
	return opnsensetest.User{Name: name, Key: random(), Secret: random(), Privileges: privileges}
}

// serve listens, and says where and how to go on.
func serve(ctx context.Context, f *opnsensetest.Firewall, s settings, k keys, out io.Writer) error {
	url, err := f.ListenTLSAt(s.listen)
	if err != nil {
		return err
	}
	pin, err := f.Pin()
	if err != nil {
		return err
	}
	ca, err := f.CA()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(k.dir, "ca.pem"), ca, 0o600); err != nil {
		return err
	}
	control, err := serveControl(ctx, f, s.control)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `OPNsense %[1]s (a fake) at %[2]s
pin:      %[3]s
CA:       %[4]s/ca.pem
keys:     %[4]s/setup.txt    may do all
          %[4]s/edgeban.txt  %[6]v
control:  %[5]s

  curl --cacert %[4]s/ca.pem -K %[4]s/edgeban.curl %[2]s/api/firewall/alias_util/aliases
  curl --cacert %[4]s/ca.pem -K %[4]s/setup.curl %[2]s/api/firewall/filter/search_rule --json '{"show_all":"1"}'
  curl -d 'packet 203.0.113.5 wan' %[5]s

Commands, here or there; help lists them.
`, s.version, url, pin, k.dir, control, k.edgeban.Privileges)
	return nil
}

func serveControl(ctx context.Context, f *opnsensetest.Firewall, addr string) (url string, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if r.Method != http.MethodPost {
			http.Error(w, "POST a command", http.StatusMethodNotAllowed)
			return
		}
		answer, err := execute(f, string(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, answer)
	})}
	go func() { _ = server.Serve(l) }() // ends with ctx
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + l.Addr().String(), nil
}

func everyMinute(ctx context.Context, f *opnsensetest.Firewall) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case <-minute.C:
			f.Refresh()
		case <-ctx.Done():
			return
		}
	}
}

func console(ctx context.Context, f *opnsensetest.Firewall, in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	for ctx.Err() == nil && lines.Scan() {
		answer, err := execute(f, lines.Text())
		if err != nil {
			answer = err.Error() + "\n"
		}
		fmt.Fprint(out, answer)
	}
}
