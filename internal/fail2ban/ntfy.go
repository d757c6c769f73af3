package fail2ban

import (
	"errors"
	"strconv"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// A ntfy is a topic that a jail tells.
type ntfy struct{ config.Ntfy }

// A notifier is a topic, and the jails that tell it.
type notifier struct {
	config.Ntfy
	jails []string
}

// ntfy reads the action ntfy.
func (j *jail) ntfy(a *action) {
	names := []string{"ntfyurl", "ntfytopic", "ntfytoken", "ntfypriority"}
	j.unknown(a, names...)
	values := []string{"https://ntfy.sh", "alerts", "", ""}
	for i, k := range names {
		t, err := a.get(k)
		if err != nil {
			j.notes = append(j.notes, note(Problem, a.at, err))
			return
		}
		if t.String() != "" {
			values[i] = t.String()
		}
	}
	n := ntfy{config.Ntfy{Topic: values[1], Token: config.NewSecret(values[2])}}
	var err error
	if n.URL, err = config.ServerURL(values[0]); err != nil {
		err = errors.New("ntfyurl: it is not the URL of a server; write such as https://ntfy.example.com, with nothing after the host")
	}
	if _, e := config.Topic(n.Topic); err == nil && e != nil { // not shown: it may be the token, in the wrong place
		err = errors.New("ntfytopic: it cannot be a topic; ntfy takes up to 64 letters, digits, _ and -, and not the name of a page of its own")
	}
	if err == nil {
		n.Priority, err = value.Priority(values[3])
	}
	if err != nil {
		j.note(Problem, a.at, "action ntfy: nobody is told, because of %v", err)
		return
	}
	if n.Topic == "alerts" && n.URL == "https://ntfy.sh" {
		j.note(Warning, a.at, "action ntfy: has no topic of its own, and whoever likes reads the topic alerts of https://ntfy.sh; write ntfytopic= with a name that nobody guesses")
	}
	j.ntfys = append(j.ntfys, n)
}

// addNotifier names the jail's topic, which others may have named before.
func (j *jail) addNotifier(n ntfy) {
	for i, old := range j.notifiers {
		if old.URL == n.URL && old.Topic == n.Topic && old.Token.Reveal() == n.Token.Reveal() && old.Priority == n.Priority {
			j.notifiers[i].jails = appendNew(old.jails, j.name)
			return
		}
	}
	j.notifiers = append(j.notifiers, notifier{n.Ntfy, []string{j.name}})
}

// finishNotifiers settles whose bans each topic is told.
func (r *reader) finishNotifiers() {
	for i, n := range r.notifiers {
		name := "ntfy"
		if i > 0 {
			name += "-" + strconv.Itoa(i+1)
		}
		if len(n.jails) == len(r.result.Config.Jails) {
			n.jails = nil // all
		}
		r.result.Config.Notify = append(r.result.Config.Notify, config.Notifier{
			Name: name, Jails: n.jails, Ntfy: &n.Ntfy,
			On: []string{string(edgeban.NoticeBan), string(edgeban.NoticeInside), string(edgeban.NoticeLeak), string(edgeban.NoticeTrouble)},
		})
	}
}
