package prepare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
)

// ReadKey reads an API key from a file as OPNsense lets it be downloaded, or with -
// from stdin. A key is never an argument: everybody can read those.
func ReadKey(path string, stdin io.Reader) (key, secret config.Secret, err error) {
	const most = 64 << 10
	in, name := stdin, "the standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return key, secret, err
		}
		defer f.Close()
		in, name = f, path
	}
	text, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return key, secret, err
	}
	if key, secret = config.ParseKey(string(text)); key.Empty() {
		return key, secret, fmt.Errorf("%s: it must have a line key=... and a line secret=..., as the file has that OPNsense lets you download", name)
	}
	return key, secret, nil
}

func readToken(path string) (config.Secret, error) {
	text, err := os.ReadFile(path)
	token := strings.TrimSpace(string(text))
	if err == nil && (token == "" || strings.ContainsAny(token, " \t\r\n")) {
		err = fmt.Errorf("%s: it must hold one word, the token", path)
	}
	return config.NewSecret(token), err
}

// key reads the temporary key, from its file or by asking.
func (f *Firewall) key(ctx context.Context) (key, secret config.Secret, err error) {
	if f.KeyFile != "" {
		return ReadKey(f.KeyFile, f.lines)
	}
	if !f.talks() {
		return key, secret, errors.New("no key; write --apikey and the file that OPNsense let you download, or - for standard input (System > Access > Users: of a user with the privileges Firewall: Alias: Edit, " +
			"Firewall: Rules [new] (before 26.1: Firewall: Automation: Filter), Diagnostics: PF Table IP addresses and Lobby: Dashboard; it is needed for this alone)")
	}
	f.say("A temporary API key is needed, of a user with the privileges Firewall: Alias: Edit,")
	f.say("Firewall: Rules [new] (before 26.1: Firewall: Automation: Filter), Diagnostics: PF Table IP addresses")
	f.say("and Lobby: Dashboard. It is not kept.")
	k, err := f.hidden(ctx, "key: ")
	if err != nil {
		return key, secret, err
	}
	s, err := f.hidden(ctx, "secret: ")
	if err != nil {
		return key, secret, err
	}
	if k == "" || s == "" {
		return key, secret, errors.New("no key was given")
	}
	return config.NewSecret(k), config.NewSecret(s), nil
}

// talks reports whether a person can be asked.
func (f *Firewall) talks() bool { return term.Interactive(f.Stdin) }

// ask asks for yes or no.
func (f *Firewall) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprint(f.Stdout, question+" [y/N] ")
	answer, err := f.line(ctx)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// hidden asks for what is not to be seen on the screen.
func (f *Firewall) hidden(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(f.Stdout, prompt)
	show, err := term.Hide(f.Stdin)
	if err != nil {
		return "", fmt.Errorf("the terminal cannot hide what is typed (%w); write --apikey FILE", err)
	}
	text, err := f.line(ctx)
	show()
	fmt.Fprintln(f.Stdout)
	return text, err
}

// line reads what a person types, up to the end of the line or of ctx.
func (f *Firewall) line(ctx context.Context) (string, error) {
	type typed struct {
		text string
		err  error
	}
	got := make(chan typed, 1)
	go func() { // ends with the line, or with the process
		text, err := f.lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		got <- typed{strings.TrimSpace(text), err}
	}()
	select {
	case t := <-got:
		return t.text, t.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
