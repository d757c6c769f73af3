package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

const help = `packet FROM INTERFACE [TO[:PORT]] [out]   what the loaded rules do to it, and why
rules                                     what pf has loaded
table NAME                                what a table of pf holds
insert NAME ADDRESS..., remove NAME ...   as another administrator would
states                                    the connections that pf knows
calls [N]                                 the last calls of the API
reboot, apply, reconfigure, cron          what the firewall does by itself, or a button
badrules on|off                           pf refuses to load the rules
fail KIND [N]                             the next N calls, or all: refused, hang, unauthorized,
                                          forbidden, error, badgateway, page, half, lost
slow DURATION                             every answer comes later
heal                                      no more faults
`

// execute does one command and returns what it has to say.
func execute(f *opnsensetest.Firewall, line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", nil
	}
	args := words[1:]
	switch words[0] {
	case "help":
		return help, nil
	case "packet":
		return packet(f, args)
	case "rules":
		return f.RulesText(), nil
	case "table", "insert", "remove":
		return table(f, words[0], args)
	case "states":
		return states(f), nil
	case "calls":
		return calls(f, args), nil
	case "badrules":
		f.BreakRules(slices.Equal(args, []string{"on"}))
	case "fail", "slow":
		return fault(f, words[0], args)
	default:
		buttons := map[string]func(*opnsensetest.Firewall){
			"reboot": (*opnsensetest.Firewall).Reboot, "apply": (*opnsensetest.Firewall).Apply, "heal": (*opnsensetest.Firewall).Heal,
			"reconfigure": (*opnsensetest.Firewall).Reconfigure, "cron": (*opnsensetest.Firewall).Refresh,
		}
		press := buttons[words[0]]
		if press == nil {
			return "", fmt.Errorf("there is no %q; help lists what there is", words[0])
		}
		press(f)
	}
	return "done\n", nil
}

func packet(f *opnsensetest.Firewall, args []string) (string, error) {
	var p opnsensetest.Packet
	if len(args) > 2 && args[len(args)-1] == "out" {
		p.Out, args = true, args[:len(args)-1]
	}
	if len(args) < 2 || len(args) > 3 {
		return "", errors.New("write packet FROM INTERFACE [TO[:PORT]] [out]")
	}
	p.From, p.Interface = args[0], args[1]
	if len(args) == 3 {
		p.To = args[2]
		if host, port, err := net.SplitHostPort(p.To); err == nil {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return "", err
			}
			p.To, p.ToPort = host, uint16(n)
		}
	}
	for _, text := range []string{p.From, p.To} {
		if _, err := netip.ParseAddr(text); err != nil && text != "" {
			return "", err
		}
	}
	if !slices.Contains(f.Interfaces(), p.Interface) {
		return "", fmt.Errorf("there is no interface %q; there are %v", p.Interface, f.Interfaces())
	}
	v := f.Packet(p)
	what := map[bool]string{true: "passed", false: "blocked"}[v.Passed]
	rule := "the rule " + v.Label
	if v.By != "" {
		rule = "the rule " + strconv.Quote(v.By)
	}
	why := "by " + rule
	if v.State {
		why = "by a state that " + rule + " made"
	}
	return what + " " + why + "\n", nil
}

func table(f *opnsensetest.Firewall, verb string, args []string) (string, error) {
	switch {
	case len(args) == 0:
		return "", fmt.Errorf("write %s and the name of a table", verb)
	case verb == "insert":
		f.Insert(args[0], args[1:]...)
	case verb == "remove":
		f.Remove(args[0], args[1:]...)
	case f.Table(args[0]) == nil:
		return "", fmt.Errorf("pf has no table %q", args[0])
	}
	return fmt.Sprintf("%d entries\n%s", len(f.Table(args[0])), lines(f.Table(args[0]))), nil
}

func lines(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, "\n") + "\n"
}

func states(f *opnsensetest.Firewall) string {
	var out []string
	for _, s := range f.States() {
		out = append(out, s.ID+" "+net.JoinHostPort(s.Src, s.SrcPort)+" to "+net.JoinHostPort(s.Dst, s.DstPort)+" "+s.Description)
	}
	return lines(out)
}

func calls(f *opnsensetest.Firewall, args []string) string {
	n := 20
	if len(args) > 0 {
		n, _ = strconv.Atoi(args[0])
	}
	all := f.Requests()
	var out []string
	for _, r := range all[max(0, len(all)-n):] {
		out = append(out, fmt.Sprintf("%s %s %s %s %s %d", r.Time.Format(time.TimeOnly), r.User, r.Method, r.Path, r.Body, r.Status))
	}
	return lines(out)
}

func fault(f *opnsensetest.Firewall, verb string, args []string) (string, error) {
	if len(args) == 0 {
		return "", fmt.Errorf("%s what? help lists it", verb)
	}
	if verb == "slow" {
		d, err := time.ParseDuration(args[0])
		f.Slow(d)
		return "done\n", err
	}
	kinds := map[string]opnsensetest.Fault{
		"refused": opnsensetest.Refused, "hang": opnsensetest.Hang, "unauthorized": opnsensetest.Unauthorized,
		"forbidden": opnsensetest.Forbidden, "error": opnsensetest.ServerError, "badgateway": opnsensetest.BadGateway,
		"page": opnsensetest.Page, "half": opnsensetest.Half, "lost": opnsensetest.Lost,
	}
	kind, known := kinds[args[0]]
	if !known {
		return "", fmt.Errorf("there is no fault %q; help lists them", args[0])
	}
	n := -1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil {
			return "", err
		}
	}
	f.Fail(kind, n)
	return "done\n", nil
}
