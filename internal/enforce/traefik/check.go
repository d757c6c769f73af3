package traefik

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeban/edgeban"
)

// Check implements edgeban.Checker. It looks at what is there: the daemon writes.
func (d *Door) Check(ctx context.Context) (found []edgeban.Finding) {
	if d.config.File != "" {
		found = append(found, d.checkFolder())
	}
	return append(found, d.checkAPI(ctx)...)
}

// checkFolder looks whether the document can be written.
func (d *Door) checkFolder() edgeban.Finding {
	f := edgeban.Finding{Link: "file", Grade: edgeban.Good}
	folder := filepath.Dir(d.path)
	probe, err := os.CreateTemp(folder, ".edgeban-*.probe")
	if err != nil {
		f.Grade, f.Evidence = edgeban.Broken, err.Error()
		f.Fix = fmt.Sprintf("let uid %d write in %s, and let Traefik read it: providers.file.directory", os.Getuid(), folder)
		return f
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	f.Evidence = folder + " can be written"
	return f
}

// checkAPI looks what Traefik says of the routers.
func (d *Door) checkAPI(ctx context.Context) (found []edgeban.Finding) {
	if d.config.API == "" {
		return []edgeban.Finding{{
			Link: "routers", Grade: edgeban.Untried, Evidence: "without Traefik's API nobody knows whether it reads them",
			Fix: "set api: to where Traefik serves its API, such as http://127.0.0.1:8080",
		}}
	}
	text, err := d.read()
	banned := err == nil && len(named(text)) > 0
	for _, r := range routers(d.config) {
		f := edgeban.Finding{Link: "router " + r.name, Grade: edgeban.Good}
		s, err := d.ask(ctx, r)
		usable := s.usable(r)
		switch {
		case errors.Is(err, errNone) && !banned:
			f.Evidence = "nobody is banned, so there is none; the API answers"
		case errors.Is(err, errNone):
			f.Grade, f.Evidence = edgeban.Broken, "Traefik does not know it, and "+d.path+" has it"
			f.Fix = d.wiring()
		case err != nil:
			f.Grade, f.Evidence, f.Fix = edgeban.Broken, err.Error(), "set api: to where Traefik serves its API"
		case usable != nil:
			f.Grade, f.Evidence, f.Fix = edgeban.Broken, usable.Error(), "name entry points that Traefik has, each where its normal router is: tcp:, tls:, http:, https:"
		default:
			f.Evidence = fmt.Sprintf("enabled on %s, %d networks", strings.Join(r.points, ", "), len(clients(s.Rule)))
		}
		found = append(found, f)
	}
	return found
}

// wiring says what Traefik's own configuration needs.
func (d *Door) wiring() string {
	if d.config.File != "" {
		return "let Traefik read that folder: providers: {file: {directory: " + filepath.Dir(d.path) + ", watch: true}}"
	}
	return "let Traefik ask: providers: {http: {endpoint: \"http://" + d.config.Listen + "/\", headers: {Authorization: \"Bearer …\"}}}"
}
