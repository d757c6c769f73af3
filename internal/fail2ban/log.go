package fail2ban

import (
	"errors"
	"path"
	"strings"

	"github.com/edgeban/edgeban/internal/config/timezone"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// readLog reads which logs the jail watches, and in which zone their stamps are.
func (j *jail) readLog() error {
	if t, ok, err := j.get("logtimezone"); err != nil {
		return err
	} else if ok && t.String() != "" {
		zone, err := timezone.Parse(t.String())
		if upper, e := timezone.Parse(strings.ToUpper(t.String())); err != nil && e == nil {
			zone, err = upper, nil
		}
		if err != nil {
			return wrong(t.Place(), "logtimezone: %v", err)
		}
		j.out.LogTimezone = zone
	}
	t, ok, err := j.get("logpath")
	if err != nil || !ok {
		return err
	}
	for _, line := range t.Lines() {
		glob, from, way := value.LogPath(line.String())
		if glob == "" {
			continue
		}
		j.resolved.LogPath = append(j.resolved.LogPath, LogPath{glob, from})
		if way != "" {
			j.unread = append(j.unread, unread{line, way})
			continue
		}
		j.out.LogPath = append(j.out.LogPath, value.Glob(path.Clean(glob)))
	}
	return nil
}

// An unread is a line of logpath that names no log, and what to write instead.
type unread struct {
	line ini.Text
	way  string
}

// checkLog leaves out a jail that could read nothing.
func (j *jail) checkLog(backend ini.Text) error {
	if strings.HasPrefix(j.resolved.Backend, "systemd") {
		return j.checkJournal(backend)
	}
	so := ""
	if len(j.out.LogPath) == 0 {
		so = ", so that the jail has no logpath"
	}
	var faults []error
	for _, u := range j.unread {
		faults = append(faults, wrong(u.line.At(0), "logpath: %s is not read%s; %s", value.Quote(u.line.String()), so, u.way))
	}
	switch {
	case len(j.out.LogPath) > 0:
		for _, err := range faults {
			j.notes = append(j.notes, note(Problem, j.at, err))
		}
		return nil
	case len(faults) > 0:
		return errors.Join(faults...)
	case j.out.Rules != nil && len(j.out.Rules.JournalMatch) > 0:
		return wrong(j.at, "has no logpath; write the log that it is to read, or backend = systemd to read the journal")
	}
	return wrong(j.at, "has no logpath; write the log that it is to read")
}

// checkJournal makes a source of the part of the journal that the jail reads. As in
// fail2ban, a logpath means nothing then.
func (j *jail) checkJournal(backend ini.Text) error {
	s, why := value.Journal(j.out, j.resolved.Backend)
	if why != "" {
		return wrong(backend.Place(), "%s, or write backend = auto and a logpath, and let rsyslog write that file from the journal", why)
	}
	j.journal, j.out.LogPath, j.unread = s, nil, nil
	j.note(Info, backend.Place(), "backend = systemd: the journal is read by journalctl; where there is none, such as in a container, let systemd-journal-gatewayd serve it and write sources: [{journal: {url: http://HOST:19531}}] in edgeban.yaml")
	return nil
}
