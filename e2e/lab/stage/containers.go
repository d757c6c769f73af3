package stage

import (
	"context"
	"errors"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// containers starts what deploy/mail starts, with the same files in the same places.
func (s *Stage) containers(ctx context.Context) error {
	logs, certs, web := netns.Writable(s.Path("logs"), "/var/log/mail"), netns.ReadOnly(s.Path("certs"), "/certs"), s.Path("weblogs")
	s.Services = map[string]Service{
		"traefik": s.container("traefik", []string{"/traefik"},
			netns.ReadOnly(s.Traefik, "/traefik"), netns.ReadOnly(s.Path("config/traefik"), "/etc/traefik"), netns.Writable(s.Path("traefik"), "/acme"), certs, netns.Writable(web, "/var/log/traefik")),
		"postfix": s.container("postfix", []string{"/entrypoint"},
			netns.ReadOnly(s.Path("config/postfix"), "/config"), netns.ReadOnly(s.Path("config/postfix/entrypoint"), "/entrypoint"), logs, certs),
		"dovecot": s.container("dovecot", []string{"/entrypoint"},
			netns.ReadOnly(s.Path("config/dovecot"), "/config"), netns.ReadOnly(s.Path("config/dovecot/entrypoint"), "/entrypoint"), logs, certs),
		"edgeban": s.container("edgeban", []string{
			"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "/edgeban", "run",
		}, netns.ReadOnly(s.Edgeban, "/edgeban"), netns.ReadOnly(s.Path("config/edgeban.yaml"), "/etc/edgeban/edgeban.yaml"),
			netns.ReadOnly(s.Path("config/secrets"), "/run/secrets"), netns.ReadOnly(s.Path("logs"), "/logs/mail"), netns.ReadOnly(web, "/logs/web"),
			netns.Writable(s.Path("config/traefik/dynamic"), "/routers"), netns.Writable(s.Path("state"), "/var/lib/edgeban")),
		"certs": s.container("certs", []string{
			"setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "/edgeban", "certs", "watch", "--acme", "/acme/acme.json", "--to", "/certs", "--cert", "mail=mail.example.org",
		}, netns.ReadOnly(s.Edgeban, "/edgeban"), netns.ReadOnly(s.Path("traefik"), "/acme"), netns.Writable(s.Path("certs"), "/certs")),
	}
	var errs []error
	for _, service := range s.Services {
		errs = append(errs, service.Start())
	}
	return errors.Join(append(errs, s.look(ctx, s.Path("state"), s.Path("logs"), web))...)
}

func (s *Stage) container(name string, args []string, binds ...netns.Bind) *netns.Container {
	return &netns.Container{
		Name: name, Net: s.Nets[name], Args: args, Env: s.env, Binds: binds, Dir: "/run/lab/" + name, Out: s.Path(name + ".out"),
		Resolver: edgeLAN,
		Hosts:    "127.0.0.1 localhost\n172.30.2.2 traefik\n172.30.2.5 edgeban\n172.30.0.3 postfix\n172.30.0.4 dovecot\n" + ntfyServer + " ntfy\n198.51.100.1 home.example.org\n",
	}
}
