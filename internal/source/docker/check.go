package docker

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/edgeban/edgeban"
)

var _ edgeban.Checker = (*Source)(nil)

// Check implements edgeban.Checker: it asks the engine which containers there are,
// whether those that jails name are among them, and whether their logs can be read.
func (s *Source) Check(ctx context.Context) []edgeban.Finding {
	c := newClient(s.c.URL)
	defer c.close()
	all, err := c.list(ctx)
	if err != nil {
		return []edgeban.Finding{{Link: "engine", Grade: edgeban.Broken, Evidence: fmt.Sprintf("%s: %v", s.c.URL, err), Fix: wayOut(err)}}
	}
	found := []edgeban.Finding{{Link: "engine", Grade: edgeban.Good, Evidence: fmt.Sprintf("%s answers, and has %d containers", s.c.URL, len(all))}}
	for _, glob := range s.c.Globs {
		found = append(found, s.named(ctx, c, glob, all)...)
	}
	return found
}

// named looks at the containers that a jail reads.
func (s *Source) named(ctx context.Context, c *client, glob string, all []container) []edgeban.Finding {
	var names, run, stand []string
	var found []edgeban.Finding
	for _, one := range all {
		names = append(names, one.name())
		switch ok, err := path.Match(glob, s.c.Name+"/"+one.name()); {
		case !ok || err != nil || !isID(one.ID):
		case one.State != "running":
			stand = append(stand, one.name())
		default:
			run = append(run, one.name())
			if err := c.readable(ctx, one.ID); err != nil {
				found = append(found, edgeban.Finding{Link: "log", Grade: edgeban.Broken, Evidence: fmt.Sprintf("that of container %s cannot be read: %v", one.name(), err), Fix: wayOut(err)})
			}
		}
	}
	f := edgeban.Finding{Link: "containers", Evidence: fmt.Sprintf("%s: %s", glob, some(run))}
	switch {
	case len(run) > 0:
		f.Grade = edgeban.Good
	case len(stand) > 0:
		f.Grade, f.Evidence = edgeban.Warning, fmt.Sprintf("%s: %s does not run", glob, some(stand))
		f.Fix = "docker start " + stand[0] + "; docker logs " + stand[0] + " tells why it ended"
	default:
		f.Grade, f.Evidence = edgeban.Broken, fmt.Sprintf("%s: no container is called so, of %s", glob, some(names))
		f.Fix = "correct source: of the jail, or start the container; Compose puts the project before its name and a number after it"
	}
	return append([]edgeban.Finding{f}, found...)
}

// some names the first of many.
func some(names []string) string {
	const most = 8
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// readable reports whether the engine gives the log of a container.
func (c *client) readable(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := c.get(ctx, "/containers/"+url.PathEscape(id)+"/logs", url.Values{"stdout": {"1"}, "stderr": {"1"}, "tail": {"1"}})
	if err != nil {
		return err
	}
	return body.Close()
}
