// Package certflag reads the flags of edgeban certs. Secrets are in files that they
// name.
package certflag

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/certs"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/notify"
)

// Flags is what a command line says.
type Flags struct {
	Notify bool // people are to be told, through the notifiers of the configuration

	o                     certs.Options
	doveadm, hook         string
	doveadmKey, hookToken string
}

// Add adds the flags to a command's.
func (f *Flags) Add(fs *flag.FlagSet) {
	f.o.Group = -1
	fs.StringVar(&f.o.File, "acme", "", "`FILE`, the acme.json of Traefik")
	fs.StringVar(&f.o.Dir, "to", "", "`DIR` to write to, as DIR/NAME/combined.pem")
	fs.Func("cert", "`CERT`: [NAME=][RESOLVER/]DOMAIN, once or more; else all", f.want)
	fs.Func("group", "`GID` that may read the keys", f.group)
	fs.Func("warn", "`TIME` before expiry to warn; else half of Traefik's", f.warn)
	fs.StringVar(&f.doveadm, "doveadm", "", "`URL` of doveadm's HTTP API, to reload Dovecot")
	fs.StringVar(&f.doveadmKey, "doveadm-key", "", "`FILE` with the doveadm_api_key")
	fs.Func("touch", "`FILE` to write to after a change", f.touch)
	fs.StringVar(&f.hook, "hook", "", "`URL` to POST to after a change")
	fs.StringVar(&f.hookToken, "hook-token", "", "`FILE` with a Bearer token for it")
	fs.BoolVar(&f.Notify, "notify", false, "tell about expiry through notify: of the configuration")
}

func (f *Flags) want(s string) error {
	w, err := certs.ParseWant(s)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(f.o.Wants, func(have certs.Want) bool { return have.Name == w.Name }) {
		return fmt.Errorf("%s is there already; give one of them another name: NAME=%s", w.Name, w)
	}
	f.o.Wants = append(f.o.Wants, w)
	return nil
}

func (f *Flags) group(s string) error {
	n, err := fmt.Sscanf(s+"\n", "%d\n", &f.o.Group)
	if n != 1 || err != nil || f.o.Group < 0 {
		return errors.New("write the number of a group; getent group NAME prints it")
	}
	return nil
}

func (f *Flags) warn(s string) (err error) {
	if f.o.Warn, err = config.ParseDuration(s); err == nil && (f.o.Warn <= 0 || f.o.Warn == config.Forever) {
		err = errors.New("write a time such as 14d")
	}
	return err
}

func (f *Flags) touch(s string) error {
	f.o.Reloads = append(f.o.Reloads, certs.Touch(s))
	return nil
}

// Options returns what is to be done. The error says which flag to write.
func (f *Flags) Options(log *slog.Logger) (certs.Options, error) {
	o := f.o
	o.Log = log
	switch {
	case o.File == "":
		return o, errors.New("write --acme and the path of Traefik's acme.json")
	case o.Dir == "":
		return o, errors.New("write --to and the folder for the certificates")
	case (f.doveadm == "") != (f.doveadmKey == ""):
		return o, errors.New("--doveadm URL and --doveadm-key FILE go together")
	case f.hookToken != "" && f.hook == "":
		return o, errors.New("--hook-token FILE needs a --hook URL")
	}
	if f.doveadm != "" {
		server, err := config.ServerURL(f.doveadm)
		if err != nil {
			return o, fmt.Errorf("--doveadm %w", err)
		}
		key, err := secret(f.doveadmKey)
		if err != nil {
			return o, fmt.Errorf("--doveadm-key: %w", err)
		}
		o.Reloads = append(o.Reloads, certs.NewDoveadm(server, key, nil))
	}
	if f.hook == "" {
		return o, nil
	}
	if u, err := url.Parse(f.hook); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return o, errors.New("--hook is not a URL; write https:// and a host")
	}
	var token config.Secret
	if f.hookToken != "" {
		var err error
		if token, err = secret(f.hookToken); err != nil {
			return o, fmt.Errorf("--hook-token: %w", err)
		}
	}
	o.Reloads = append(o.Reloads, certs.NewHook(f.hook, token, nil))
	return o, nil
}

// secret reads a secret of one line.
func secret(path string) (config.Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return config.Secret{}, err
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 || bytes.ContainsAny(text, "\r\n") {
		return config.Secret{}, fmt.Errorf("%s must hold the secret in one line", path)
	}
	return config.NewSecret(string(text)), nil
}

// Teller returns what tells people through the notifiers that take troubles; nil
// where there is none.
func Teller(notifiers []config.Notifier) func(ctx context.Context, text string) error {
	var all []edgeban.Notifier
	for _, c := range notifiers {
		if slices.Contains(c.On, string(edgeban.NoticeTrouble)) {
			all = append(all, notify.NewNtfy(*c.Ntfy, nil))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context, text string) error {
		notice := edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: time.Now(), Text: text, Target: "certificates"}
		var errs []error
		for _, n := range all {
			errs = append(errs, n.Notify(ctx, []edgeban.Notice{notice}))
		}
		return errors.Join(errs...)
	}
}
