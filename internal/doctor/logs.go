package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/glob"
)

// still is how long a log may be silent before that is worth a look.
const still = 3 * 24 * time.Hour

// logs looks at each log, and at what each jail finds in it.
func (e *exam) logs(ctx context.Context) {
	good := map[string]bool{}
	for _, pattern := range e.patterns() {
		paths := e.expand(pattern)
		last := newest(paths)
		for _, path := range paths {
			if _, seen := good[path]; !seen {
				good[path] = e.log(path, last)
			}
		}
	}
	for _, j := range e.Config.Jails {
		if len(j.LogPath) == 0 {
			continue // it reads the bans of the others, or what is no file
		}
		var paths []string
		for path, ok := range good {
			if ok && reads(j, path) {
				paths = append(paths, path)
			}
		}
		slices.Sort(paths)
		e.jail(ctx, j, paths)
	}
}

// patterns returns what the jails read, each once.
func (e *exam) patterns() (all []string) {
	for _, j := range e.Config.Jails {
		for _, p := range j.LogPath {
			if p != config.Stdin && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

func reads(j config.Jail, path string) bool {
	return slices.ContainsFunc(j.LogPath, func(p string) bool { return glob.Matches(p, path) })
}

// expand returns the files that a pattern names, and says where there are none.
func (e *exam) expand(pattern string) []string {
	l := e.link("log "+pattern, "readable")
	paths, err := glob.Expand(pattern)
	switch {
	case len(paths) > 0:
		return paths
	case err != nil:
		_, fix := source.Readable(pattern)
		l.broken(fix, "%v", err)
	default:
		dir := filepath.Dir(pattern)
		for glob.HasMeta(dir) {
			dir = filepath.Dir(dir)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			l.broken("correct logpath:, or mount the folder into the container", "there is no folder %s", dir)
		} else {
			l.broken("correct logpath:, or let the service write there", "no file is called so")
		}
	}
	return nil
}

// newest returns when any of the files was written to last.
func newest(paths []string) (last time.Time) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// log looks at one file, and reports whether it can be read. Of several files that a
// pattern names, of which the newest was written at last, one has to move.
func (e *exam) log(path string, last time.Time) bool {
	l := e.link("log "+path, "readable")
	if evidence, fix := source.Readable(path); evidence != "" {
		l.broken(fix, "%s", evidence)
		return false
	}
	info, err := os.Stat(path)
	if err != nil {
		l.broken("", "%v", err)
		return false
	}
	l.good("%d bytes", info.Size())
	l.name = "moving"
	quiet := e.Now.Sub(info.ModTime())
	switch later := newer(path, info.ModTime()); {
	case later != "":
		l.broken(fmt.Sprintf("let logrotate tell the service that it has rotated (postrotate), or use copytruncate; until then: read %s", later),
			"the service still writes to %s: it was not told of the rotation", later)
	case info.Size() == 0:
		l.untried("nothing was written yet")
	case quiet > still && e.Now.Sub(last) > still:
		l.warn("see whether the service still logs there; if nothing happens there, take the log out",
			"nothing was written since %s", info.ModTime().Format(time.DateTime))
	case quiet < -time.Minute:
		l.warn("set the clock of this host, or of the one that the log lies on", "it was written %s in the future", span(-quiet))
	default:
		l.good("written %s ago", span(quiet))
	}
	return true
}

// newer returns the rotated file of a log that something was written to later than
// to the log itself.
func newer(path string, written time.Time) string {
	for _, end := range []string{".1", ".0", "-" + written.Format("20060102")} {
		info, err := os.Stat(path + end)
		if err == nil && info.Mode().IsRegular() && info.ModTime().After(written.Add(time.Minute)) {
			return path + end
		}
	}
	return ""
}

func span(d time.Duration) string {
	return config.FormatDuration(max(d, 0).Round(time.Second))
}
