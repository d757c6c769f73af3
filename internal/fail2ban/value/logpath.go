package value

import (
	"path"
	"strings"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
)

// LogPath reads a line of logpath: a glob, and from which end its files are read,
// head or tail. Where the line names no log, wayOut says what to write in its place.
func LogPath(line string) (glob, from, wayOut string) {
	glob, from, ok := cutLast(line)
	if !ok {
		glob, from = line, "head"
	}
	glob = strings.TrimFunc(glob, ini.IsSpace)
	return glob, from, way(glob, from)
}

// way says what to write in place of a line that names no log, and nothing where
// it names one.
func way(glob, from string) string {
	const quotes = `"'`
	bare := strings.Trim(glob, quotes)
	switch {
	case strings.Contains(glob, ",/") || strings.HasSuffix(glob, ","):
		return "a comma separates nothing; write each path on a line of its own, all but the first indented"
	case from != "head" && from != "tail" && (strings.Contains(from, "/") || !path.IsAbs(bare)):
		return "a line has one path; write each on a line of its own, all but the first indented"
	case bare != glob && path.IsAbs(bare):
		return "the quotes are taken for a part of it; write " + bare
	case from != "head" && from != "tail":
		return "after a path with a space write head or tail"
	case !path.IsAbs(glob):
		return "write the path from the root, such as " + path.Join("/var/log", "/"+bare)
	}
	return ""
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
