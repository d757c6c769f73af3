package fail2ban

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// A target is a firewall that a jail names.
type target struct {
	config.OPNsense
	at ini.Place
}

// opnsense reads the actions opnsense and opnsense-alias. What is missing leaves
// the action out, not the jail.
func (j *jail) opnsense(a *action) {
	names := [4]string{"firewall", "key", "secret", "alias"}
	if a.name == "opnsense-alias" {
		names = [4]string{"osaddress", "oskey", "ossecret", "osalias"}
	}
	j.unknown(a, append(names[:], "allow_insecure", "pin", "ca_file")...)
	var values [4]string
	var missing []string
	for i, k := range names {
		t, err := a.get(k)
		if err != nil {
			j.unused = append(j.unused, err)
			return
		}
		if values[i] = t.String(); values[i] == "" {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		j.unused = append(j.unused, wrong(a.at, "action %s: has no %s; write it in the action's brackets, or below [Init] in action.d/%[1]s.local", a.name, strings.Join(missing, " and no ")))
		return
	}
	o := config.OPNsense{Key: config.NewSecret(values[1]), Secret: config.NewSecret(values[2]), Alias: values[3], Timeout: 30 * time.Second}
	var err error
	option := names[0]
	if o.URL, err = value.Firewall(values[0]); err == nil {
		option = names[3]
		if _, e := config.AliasName(o.Alias); e != nil { // whose text may be a secret in the wrong place
			err = errors.New("it cannot be the name of an alias; OPNsense takes up to 31 letters, digits and _, beginning with a letter or one _")
		}
	}
	if err == nil {
		option, err = j.trust(a, &o)
	}
	if err != nil {
		j.unused = append(j.unused, wrong(a.at, "action %s: cannot be used, because of %s: %v", a.name, option, err))
		return
	}
	j.targets = append(j.targets, target{o, a.at})
}

// trust settles which certificate the firewall may show. With an error it names
// the option.
func (j *jail) trust(a *action, o *config.OPNsense) (string, error) {
	p, err := a.get("pin")
	if err == nil && p.String() != "" {
		if o.Pin, err = config.Pin(p.String()); err != nil {
			err = errors.New("it is not the SHA-256 of a certificate; write sha256: and its 64 hex digits, as `edgeban pin URL` prints them")
		}
	}
	if err != nil {
		return "pin", err
	}
	ca, err := a.get("ca_file")
	if err == nil && ca.String() != "" {
		o.CA, err = j.certificates(ca.String())
	}
	if err != nil {
		return "ca_file", err
	}
	if o.Pin != "" || o.CA != "" {
		return "", nil
	}
	how := fmt.Sprintf(`run "edgeban pin %s" and write pin="sha256:..." as it prints it in the action's brackets`, o.URL)
	t, err := a.get("allow_insecure")
	switch _, given := a.params["allow_insecure"]; {
	case err != nil:
		return "allow_insecure", err
	case t.String() == "" && a.blind():
		j.note(Warning, a.at, "action %s: edgeban looks at the firewall's certificate; if it signed that itself, %s", a.name, how)
	case t.String() == "":
	case t.String() != "true":
		if s := strings.ToLower(t.String()); s != "false" && s != "no" && s != "0" && s != "off" {
			j.note(Warning, t.Place(), "allow_insecure = %s: only the word true counts, and edgeban looks at the firewall's certificate; if it signed that itself, %s", value.Quote(t.String()), how)
		}
	case !given && path.Base(t.Place().File) == a.name+".conf":
		j.note(Warning, t.Place(), "allow_insecure is true by default only, and edgeban looks at the firewall's certificate all the same; if the firewall signed that itself, %s", how)
	default:
		o.Insecure = true
		j.note(Warning, t.Place(), "allow_insecure = true: whoever answers in the firewall's place gets its key; %s", how)
	}
	return "", nil
}

// blind reports whether fail2ban's action never looks at the certificate: the one
// of the other naming family does not, nor does any whose curl is told so.
func (a *action) blind() bool {
	ban, _, _ := a.doc.Get("Definition", "actionban", a.vars(final))
	return a.name == "opnsense-alias" || insecure.MatchString(ban.String())
}

var insecure = regexp.MustCompile(`\bcurl\b.*\s(?:--insecure|-[A-Za-z]*k[A-Za-z]*)(?:\s|$)`)

// certificates reads the path of a file of PEM certificates, and looks into it.
func (j *jail) certificates(name string) (string, error) {
	if !path.IsAbs(name) {
		name = path.Join(j.dir, name)
	}
	name = path.Clean(name)
	data, err := j.tree.Bytes(name)
	if err != nil || data == nil {
		return "", fmt.Errorf("%s is no file that can be read; put it there, and let this user read it", value.Quote(name))
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return "", fmt.Errorf("%s holds no certificate; it must have a part -----BEGIN CERTIFICATE-----", value.Quote(name))
	}
	return name, nil
}

// addTarget names the jail's target, which others may have named before.
func (j *jail) addTarget(t target) {
	c := &j.result.Config
	for _, old := range c.Targets {
		o := old.OPNsense
		if o == nil || o.URL != t.URL || o.Alias != t.Alias {
			continue
		}
		if o.Key.Reveal() != t.Key.Reveal() || o.Secret.Reveal() != t.Secret.Reveal() || o.Pin != t.Pin || o.CA != t.CA || o.Insecure != t.Insecure {
			j.result.Notes = append(j.result.Notes, Note{
				File: t.at.File, Line: t.at.Line, Jail: j.name, Level: Warning,
				Text: "names an alias that another jail names too, with another key or certificate; the first key is taken, and the stricter look at the certificate; write the same in both",
			})
		}
		if o.Insecure && !t.Insecure {
			o.Insecure, o.Pin, o.CA = false, t.Pin, t.CA
		}
		j.out.Targets = appendNew(j.out.Targets, old.Name)
		return
	}
	if !j.native {
		j.native, c.Targets = true, nil // those that the tree names, in place of the usual one
	}
	name := "opnsense"
	if n := len(c.Targets); n > 0 {
		name += "-" + strconv.Itoa(n+1)
	}
	o := t.OPNsense
	c.Targets = append(c.Targets, config.Target{Name: name, OPNsense: &o})
	j.out.Targets = appendNew(j.out.Targets, name)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
