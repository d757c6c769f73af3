package mail

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/source/glob"
)

// marks returns how long each log is now: what comes is behind that.
func (v visit) marks() map[string]int64 {
	marks := map[string]int64{}
	for _, j := range v.Jails {
		for _, path := range logs(j) {
			if info, err := os.Stat(path); err == nil {
				marks[path] = info.Size()
			}
		}
	}
	return marks
}

func logs(j config.Jail) (paths []string) {
	for _, p := range j.LogPath {
		if p != config.Stdin {
			all, _ := glob.Expand(p) // what cannot be read is said by the doctor of logs
			paths = append(paths, all...)
		}
	}
	return paths
}

// find waits for a line with a name, and returns what the first jail that sees it
// reads there.
func (v visit) find(ctx context.Context, marks map[string]int64, name string) *seen {
	ctx, cancel := context.WithTimeout(ctx, v.Wait)
	defer cancel()
	for {
		for _, j := range v.Jails {
			f, err := intake.Open(j)
			if err != nil {
				continue // said by the doctor of jails
			}
			for _, path := range logs(j) {
				text, err := since(path, marks[path])
				if err != nil || !bytes.Contains(text, []byte(name)) {
					continue
				}
				c := edgeban.Chunk{Stream: path, Origin: path, Text: text, Read: time.Now()}
				for m := range f.Scanner(filter.Options{Jail: j.Name, Zone: j.LogTimezone}).Scan(c) {
					if m.User == name {
						return &seen{m.Addr.Unmap(), j}
					}
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// since returns the whole lines of a log behind a place, or all of a new one.
func since(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < from {
		from = 0
	}
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, from, info.Size()-from), 4<<20))
	return text[:bytes.LastIndexByte(text, '\n')+1], err
}
