package stage

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A Line is one line of a log.
type Line struct {
	File string // its base name
	At   time.Time
	Text string
}

// Logs follows the logs of some folders, and notes when each line could be read: the
// stamps in the lines themselves are of seconds.
type Logs struct {
	mu    sync.Mutex
	lines []Line
	open  map[string]*follower
}

type follower struct {
	file *os.File
	in   *bufio.Reader
	rest string
}

func followLogs(ctx context.Context, dirs []string) (*Logs, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := w.Add(dir); err != nil {
			return nil, err
		}
	}
	l := &Logs{open: map[string]*follower{}}
	go func() {
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-w.Events:
				l.look(e.Name, e.Has(fsnotify.Create))
			}
		}
	}()
	return l, nil
}

// look reads what is new of a file; created says that another one has the name now.
func (l *Logs) look(path string, created bool) {
	name := filepath.Base(path)
	if !strings.HasSuffix(name, ".log") {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.open[name]
	if f != nil {
		l.read(name, f)
	}
	if f == nil || created {
		file, err := os.Open(path)
		if err != nil {
			return // it was renamed again
		}
		if f != nil {
			f.file.Close()
		}
		f = &follower{file: file, in: bufio.NewReader(file)}
		l.open[name] = f
		l.read(name, f)
	}
}

func (l *Logs) read(name string, f *follower) {
	for {
		text, err := f.in.ReadString('\n')
		f.rest += text
		if err != nil {
			return
		}
		l.lines = append(l.lines, Line{name, time.Now(), strings.TrimSuffix(f.rest, "\n")})
		f.rest = ""
	}
}

// Of returns the lines of a file for which want is true.
func (l *Logs) Of(file string, want func(text string) bool) []Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []Line
	for _, line := range l.lines {
		if line.File == file && want(line.Text) {
			found = append(found, line)
		}
	}
	return found
}
