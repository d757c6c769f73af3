package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

// A stuck is an error to which there is a way out.
type stuck struct {
	error
	way string
}

// Error says both.
func (s *stuck) Error() string { return s.error.Error() + ": " + s.way }

// Unwrap implements errors.Is and errors.As.
func (s *stuck) Unwrap() error { return s.error }

var _ edgeban.Checker = (*Source)(nil)

// group is what journald asks of who is to see what others wrote.
const group = "add the user of edgeban to the group systemd-journal, and start edgeban again"

// Check implements edgeban.Checker: it looks for the last entry that is read.
func (s *Source) Check(ctx context.Context) []edgeban.Finding {
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e, said, err := s.newest(ctx)
	f := edgeban.Finding{Link: "readable", Grade: edgeban.Good}
	switch way := (*stuck)(nil); {
	case errors.As(err, &way):
		f.Grade, f.Evidence, f.Fix = edgeban.Broken, way.error.Error(), way.way
	case err != nil:
		f.Grade, f.Evidence, f.Fix = edgeban.Broken, err.Error(), group
		if s.c.URL != "" {
			f.Fix = "see on that machine: systemctl status systemd-journal-gatewayd"
		}
	case said != "":
		f.Grade, f.Evidence, f.Fix = edgeban.Warning, "journalctl: "+said, group
	case e.Cursor == "":
		f.Grade, f.Evidence = edgeban.Warning, "no entry is shown"
		if len(s.c.Match) > 0 {
			f.Evidence = "no entry matches " + strings.Join(s.c.Match, ", or ")
		}
		f.Fix = "journalctl --field=_SYSTEMD_UNIT names the units that there are; correct match:"
	default:
		written, _ := e.at()
		f.Evidence = fmt.Sprintf("its last entry is of %s, %s", e.unit(), written.Local().Format(time.DateTime))
	}
	return []edgeban.Finding{f}
}

// newest returns the last entry, zero if there is none, and what journalctl said.
func (s *Source) newest(ctx context.Context) (e entry, said string, err error) {
	from, err := s.from()
	if err != nil {
		return e, "", err
	}
	if c, ok := from.(ctl); ok {
		c.note = func(text string) { said = text } // before Close returns
		from = c
	}
	body, err := from.newest(ctx)
	if err != nil {
		return e, "", err
	}
	line, _, err := readLine(bufio.NewReaderSize(body, 64<<10), nil)
	_ = body.Close() // it may be killed by that
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, errLong), err == nil && line[0] != '{': // -- No entries --
		return e, said, nil
	case err != nil:
		return e, said, err
	}
	return e, said, json.Unmarshal(line, &e)
}
