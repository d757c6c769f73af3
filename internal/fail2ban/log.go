package fail2ban

import (
	"path"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
)

// readLog reads which logs the jail watches, and in which zone their stamps are.
func (j *jail) readLog() error {
	if t, ok, err := j.get("logtimezone"); err != nil {
		return err
	} else if ok && t.String() != "" {
		zone, err := config.Timezone(t.String())
		if upper, e := config.Timezone(strings.ToUpper(t.String())); err != nil && e == nil {
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
		glob, from, ok := cutLast(line.String())
		if !ok {
			glob, from = line.String(), "head"
		}
		if glob = strings.TrimFunc(glob, ini.IsSpace); glob == "" {
			continue
		}
		j.resolved.LogPath = append(j.resolved.LogPath, LogPath{glob, from})
		switch {
		case from != "head" && from != "tail":
			j.note(Warning, line.At(0), "logpath: %s is not read; after a path with a space write head or tail", show(line.String()))
		case !path.IsAbs(glob):
			j.note(Warning, line.At(0), "logpath: %s is not read; write an absolute path", show(glob))
		default:
			j.out.LogPath = append(j.out.LogPath, goGlob(path.Clean(glob)))
		}
	}
	return nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// checkLog leaves out a jail that could read nothing.
func (j *jail) checkLog(backend ini.Text) error {
	const instead = "write backend = auto and a logpath, and let rsyslog write that file from the journal"
	switch {
	case strings.HasPrefix(j.resolved.Backend, "systemd"):
		return wrong(backend.Place(), "backend = systemd: edgeban does not read the journal; %s", instead)
	case len(j.out.LogPath) > 0:
		return nil
	case len(j.out.Rules.JournalMatch) > 0:
		return wrong(j.at, "has no logpath, and edgeban does not read the journal; %s", instead)
	}
	return wrong(j.at, "has no logpath; write the log that it is to read")
}

// goGlob turns a pattern of Python's glob into one of Go's: [!x] is [^x], and what
// Python takes as it stands, a backslash or a lone [, is escaped.
func goGlob(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		end := -1
		if s[i] == '[' {
			end = classEnd(s, i)
		}
		switch {
		case end > 0:
			b.WriteString(class(s[i+1 : end]))
			i = end
		case s[i] == '[' || s[i] == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// classEnd returns where the class that begins at i ends, or -1. A ] right at its
// begin is one of its characters.
func classEnd(s string, i int) int {
	j := i + 1
	if strings.HasPrefix(s[j:], "!") {
		j++
	}
	if strings.HasPrefix(s[j:], "]") {
		j++
	}
	n := strings.IndexByte(s[min(j, len(s)):], ']')
	if n < 0 {
		return -1
	}
	return j + n
}

// class writes the inside of a class in Go's way. A - between two characters is
// a range in both.
func class(s string) string {
	var b strings.Builder
	b.WriteByte('[')
	if strings.HasPrefix(s, "!") {
		b.WriteByte('^')
		s = s[1:]
	}
	for i, r := range s {
		rang := r == '-' && i > 0 && i < len(s)-1
		if strings.ContainsRune(`\]^[`, r) || r == '-' && !rang {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte(']')
	return b.String()
}
