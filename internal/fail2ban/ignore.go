package fail2ban

import (
	"strings"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
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
		err = wrong(t.Place(), "ignorecommand: edgeban runs no command, and will not ban whom the command would spare; "+
			`to run the jail without it, write two lines below [%s] in jail.local: "ignorecommand =" with nothing behind it, and "ignoreip = " with the addresses that it spares`, j.name)
	}
	return err
}

// readIgnoreIP reads the addresses that are not banned. One that cannot be read
// leaves somebody without the protection that he counts on.
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
			host, err := value.Host(word)
			switch {
			case strings.HasSuffix(word, "/0") || strings.HasSuffix(host, "/0"):
				return wrong(line.At(0), "ignoreip: %s is every address, and the jail would ban nobody; write a narrower network", value.Quote(word))
			case err != nil:
				j.note(Problem, line.At(0), "ignoreip: %v; until then it spares nobody", err)
			default:
				j.out.IgnoreIP = append(j.out.IgnoreIP, host)
			}
		}
	}
	return nil
}
