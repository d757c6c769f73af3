package cli

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output and testdata/*.golden")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"edgeban": func() {
			e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, root: os.Getenv("EDGEBAN_TEST_ROOT")}
			os.Exit(e.main(os.Args[1:]))
		},
	})
}

// TestScripts runs the commands as their user does, in processes of their own.
// Each block of a script begins with the sentence that it proves.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: stage,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expandFiles, "exits": exitWith, "until": untilMatch, "attack": writeAttack,
			"columns": holdColumns, "hup": hangUp, "firewall": askFirewall, "acme": writeACME, "told": waitTold,
		},
	})
}

const ntfyToken = "tk_0123456789abcdefghijklmnopqrs"

// A script has a firewall and an ntfy server on loopback, two free ports, and a
// system of its own under $WORK/root.
func stage(env *testscript.Env) error {
	wall := opnsensetest.New(opnsensetest.Options{})
	url, err := wall.ListenTLS()
	if err != nil {
		return err
	}
	env.Defer(func() { wall.Close() })
	const setupKey = "the-key-of-the-setup"
	wall.PutUser(opnsensetest.User{Name: "setup", Key: setupKey, Secret: opnsensetest.Secret, Privileges: []string{
		opnsensetest.AliasEdit, opnsensetest.FilterAPI, opnsensetest.Tables, opnsensetest.Dashboard,
	}})
	pin, err := wall.Pin()
	if err != nil {
		return err
	}
	phone := ntfytest.New(ntfytest.Options{
		Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{ntfyToken: {}}, Write: []string{"*"}}},
	})
	ntfy := httptest.NewServer(phone)
	env.Defer(ntfy.Close)
	for _, name := range []string{"FEED", "HEALTH"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv(name, l.Addr().String())
		l.Close()
	}
	env.Values["firewall"], env.Values["phone"] = wall, phone
	for name, value := range map[string]string{
		"EDGEBAN_TEST_ROOT": env.WorkDir + "/root", "HOME": env.WorkDir + "/home", "TZ": "UTC",
		"FIREWALL": url, "PIN": pin, "ALIAS": opnsensetest.AliasName, "KEY": opnsensetest.Key, "SETUPKEY": setupKey, "SECRET": opnsensetest.Secret,
		"NTFY": ntfy.URL, "TOKEN": ntfyToken,
		"GORACE": "atexit_sleep_ms=0", // a second for each command otherwise
	} {
		env.Setenv(name, value)
	}
	return nil
}

// expandFiles: expand FILE... puts the environment into files.
func expandFiles(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// exitWith: exits CODE COMMAND... runs a command that must end with this code.
func exitWith(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// untilMatch: until PATTERN COMMAND... runs a command until what it prints matches.
func untilMatch(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // the daemon may not be there yet
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no match for %s in 30 s", args[0])
		}
	}
}

// writeAttack: attack FILE ADDRESS TIMES USER writes failed logins to a log of Dovecot. The
// user is written as in a Go string.
func writeAttack(ts *testscript.TestScript, _ bool, args []string) {
	times, err := strconv.Atoi(args[2])
	ts.Check(err)
	user, err := strconv.Unquote(`"` + args[3] + `"`)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer f.Close()
	for i := range times {
		_, err = fmt.Fprintf(f, "%s auth: Info: passwd-file(%s,%s,<%s-%d>): Password mismatch\n",
			time.Now().UTC().Format(time.Stamp), user, args[1], args[1], i)
		ts.Check(err)
	}
}

// holdColumns: columns N holds every line on stdout to N columns.
func holdColumns(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if got := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); got > n {
			ts.Fatalf("%d columns, want %d at most: %s", got, n, line)
		}
	}
}

// hangUp: hup asks what runs in the background to read its configuration again.
func hangUp(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGHUP))
	}
}

// askFirewall: firewall insert ADDRESS does what another administrator would; firewall has
// ADDRESS waits until the firewall has it, or with ! until it has not.
func askFirewall(ts *testscript.TestScript, neg bool, args []string) {
	wall := ts.Value("firewall").(*opnsensetest.Firewall)
	if args[0] == "insert" {
		wall.Insert(opnsensetest.AliasName, args[1])
		return
	}
	p := netip.MustParsePrefix(args[1])
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if slices.Contains(wall.Entries(opnsensetest.AliasName), p) != neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after 30 s the firewall has %v", wall.Entries(opnsensetest.AliasName))
		}
	}
}
