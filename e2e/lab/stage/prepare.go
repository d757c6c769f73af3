package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/edgeban/edgeban/e2e/lab/netns"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// prepare copies the project, and writes what a person would.
func (s *Stage) prepare(ctx context.Context) (err error) {
	if err := errors.Join(s.acme(), netns.Command("cp", "-r", s.Deploy+"/.", s.Path("config"))); err != nil {
		return err
	}
	pin, err := s.Edge.API.Pin()
	if err != nil {
		return err
	}
	s.env = []string{
		"MAIL_HOST=mail.example.org", "MAIL_DOMAINS=example.org", "NTFY_HOST=ntfy.example.org", "OPNSENSE_URL=" + s.Edge.url,
		"OPNSENSE_PIN=" + pin, "OPNSENSE_ALIAS=" + Alias, "NEVER=home.example.org 198.51.100.1", "NTFY_TOPIC=" + Topic, "NTFY_TOKEN=" + token,
		"NTFY_PHONE_HASH=none", "NTFY_EDGEBAN_HASH=none", "POLICY_TOKEN=thisisonlythelab", "DOVEADM_KEY=andthistoo",
	}
	if err := errors.Join(s.users(), s.secrets()); err != nil {
		return err
	}
	if s.Docker == "" {
		return s.containers(ctx)
	}
	return s.compose(ctx)
}

func (s *Stage) users() error {
	cmd := exec.Command("openssl", "passwd", "-6", "-stdin")
	cmd.Stdin = strings.NewReader(Password + "\n")
	hash, err := cmd.Output()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Path("config/dovecot"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.Path("config/dovecot/users"), fmt.Appendf(nil, "%s:{SHA512-CRYPT}%s", User, hash), 0o644)
}

func (s *Stage) secrets() error {
	file := s.Path("config/secrets/opnsense_apikey.txt")
	routers := s.Path("config/traefik/dynamic")
	return errors.Join(
		os.Chown(routers, -1, 65532), os.Chmod(routers, 0o775|os.ModeSticky),
		os.WriteFile(file, []byte("key="+opnsensetest.Key+"\nsecret="+opnsensetest.Secret+"\n"), 0o600),
		os.Chown(file, 65532, 65532))
}
