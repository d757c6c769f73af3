package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// A Service is a program that can be stopped and started.
type Service interface {
	Start() error
	Stop(sig os.Signal) error // and waits
	Signal(sig os.Signal) error
	Running() bool
	Exec(args ...string) (string, error) // runs a command inside
	Log() string                         // where to look for what it says
	Network() (*netns.Net, error)        // where it is
}

// An Engine is a Docker engine on the mail host, with deploy/mail's project. Its
// packet filter and its networks are the mail host's own.
type Engine struct {
	host    *netns.Net
	data    string // with the images already
	project string // the folder of the project
	tool    string // docker-compose, of whatever version
	env     []string
}

const projectName = "mail"

// start starts the engine and waits until it answers.
func (e *Engine) start(ctx context.Context, out string) error {
	socket := "unix:///run/lab/docker.sock"
	e.env = append(os.Environ(), "DOCKER_HOST="+socket, "COMPOSE_PROJECT_NAME="+projectName)
	log, err := os.Create(out)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "dockerd", "--host", socket, "--data-root", e.data, "--exec-root", "/run/lab/docker", "--pidfile", "/run/lab/docker.pid",
		"--experimental", "--ip6tables", "--dns", edgeLAN)
	cmd.Stdout, cmd.Stderr = log, log
	if err := e.host.Do(cmd.Start); err != nil {
		return err
	}
	err = Within(ctx, time.Minute, func() bool { _, err := e.docker("version"); return err == nil })
	if err != nil {
		return fmt.Errorf("dockerd does not answer; see %s", out)
	}
	return nil
}

// compose starts the project as it is, but for ntfy, which is the fake.
func (s *Stage) compose(ctx context.Context) (err error) {
	s.Engine = &Engine{host: s.Nets["host"], data: s.Docker, project: s.Path("config"), tool: s.Compose}
	if err := s.Engine.start(ctx, s.Path("dockerd.out")); err != nil {
		return err
	}
	lab := "services:\n"
	for _, name := range []string{"edgeban", "traefik"} {
		lab += "  " + name + ": {extra_hosts: [\"ntfy:" + ntfyServer + "\"]}\n"
	}
	if err := errors.Join(
		os.WriteFile(s.Path("config/.env"), []byte(strings.Join(s.env, "\n")+"\n"), 0o600),
		os.WriteFile(s.Path("config/lab.yaml"), []byte(lab), 0o644)); err != nil {
		return err
	}
	names := []string{"traefik", "postfix", "dovecot", "edgeban", "certs"}
	// A lab before this one may have left something: its networks went with it.
	if err := s.Engine.compose("down", "--volumes", "--remove-orphans"); err != nil {
		return err
	}
	if err := s.Engine.compose(append([]string{"up", "--no-start", "--no-build"}, names...)...); err != nil {
		return err
	}
	if err := s.look(ctx, s.Engine.volume("bans"), s.Engine.volume("logs"), s.Engine.volume("weblogs")); err != nil {
		return err
	}
	s.Services = map[string]Service{}
	for _, name := range names {
		s.Services[name] = &dockerService{Engine: s.Engine, name: name}
	}
	return s.Engine.compose(append([]string{"up", "--detach", "--no-build"}, names...)...)
}

// docker runs the command, with what it takes no longer than two minutes for.
func (e *Engine) docker(args ...string) (string, error) { return e.run("docker", args...) }

// compose runs docker-compose on the project, and on what the lab adds to it.
func (e *Engine) compose(args ...string) error {
	_, err := e.run(e.tool, append([]string{"-f", "docker-compose.yaml", "-f", "lab.yaml"}, args...)...)
	return err
}

func (e *Engine) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = e.env, e.project
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := e.host.Do(cmd.Run)
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.String(), err
}

// volume returns where a volume of the project is on this machine.
func (e *Engine) volume(name string) string {
	return filepath.Join(e.data, "volumes", projectName+"_"+name, "_data")
}

// A dockerService is a service of the project.
type dockerService struct {
	*Engine
	name string

	mu  sync.Mutex
	pid int        // whose network was asked for last
	net *netns.Net // of it
}

// container returns the name of a service's container: versions of Compose differ in
// how they make it.
func (e *Engine) container(service string) string {
	out, err := e.docker("ps", "--all", "--format", "{{.Names}}", "--filter", "label=com.docker.compose.project="+projectName, "--filter", "label=com.docker.compose.service="+service)
	if err != nil {
		return service // whoever uses it says that there is none
	}
	return strings.TrimSpace(out)
}

func (s *dockerService) container() string { return s.Engine.container(s.name) }

func (s *dockerService) Start() error {
	_, err := s.docker("start", s.container())
	return err
}

func (s *dockerService) Signal(sig os.Signal) error {
	_, err := s.docker("kill", "--signal", fmt.Sprintf("%d", sig), s.container())
	return err
}

// Stop sends a signal and waits. The engine does not start again what it was told to
// kill.
func (s *dockerService) Stop(sig os.Signal) error {
	if err := s.Signal(sig); err != nil {
		return err
	}
	_, err := s.docker("stop", "--time", "20", s.container())
	return err
}

func (s *dockerService) Running() bool {
	out, err := s.docker("inspect", "--format", "{{.State.Running}} {{.State.Restarting}}", s.container())
	return err == nil && strings.TrimSpace(out) == "true false"
}

func (s *dockerService) Exec(args ...string) (string, error) {
	return s.docker(append([]string{"exec", s.container()}, args...)...)
}

func (s *dockerService) Network() (*netns.Net, error) {
	out, err := s.docker("inspect", "--format", "{{.State.Pid}}", s.container())
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil || pid == 0 {
		return nil, fmt.Errorf("%s does not run: %q", s.name, out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.net == nil || s.pid != pid {
		s.pid = pid
		s.net, err = netns.Of(pid)
	}
	return s.net, err
}

func (s *dockerService) Log() string { return "docker logs " + s.container() }

// Unprivileged holds the running edgeban to what it may not have.
func (e *Engine) Unprivileged(name string) error {
	out, err := e.docker("inspect", e.container(name))
	if err != nil {
		return err
	}
	var all []struct {
		Config     struct{ User string }
		HostConfig struct {
			Privileged, ReadonlyRootfs          bool
			CapAdd, CapDrop, SecurityOpt, Binds []string
			NetworkMode, PidMode, IpcMode       string
			Devices                             []any
		}
		Mounts []struct {
			Source, Destination string
			RW                  bool
		}
		State struct{ Pid int }
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return fmt.Errorf("docker inspect: %w: %d containers", err, len(all))
	}
	c := all[0]
	h := c.HostConfig
	var errs []error
	hold := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	hold(c.Config.User == "65532:65532", "user %q, want 65532:65532", c.Config.User)
	hold(h.ReadonlyRootfs, "the root file system may be written to")
	hold(!h.Privileged && len(h.CapAdd) == 0 && len(h.Devices) == 0, "privileged %t, capabilities %v, devices %v", h.Privileged, h.CapAdd, h.Devices)
	hold(strings.Join(h.CapDrop, " ") == "ALL", "drops %v, want ALL", h.CapDrop)
	hold(strings.Contains(strings.Join(h.SecurityOpt, " "), "no-new-privileges"), "may gain privileges: %v", h.SecurityOpt)
	hold(h.NetworkMode != "host" && h.PidMode != "host" && h.IpcMode != "host", "namespaces of the host: %s %s %s", h.NetworkMode, h.PidMode, h.IpcMode)
	for _, m := range c.Mounts {
		hold(!strings.HasSuffix(m.Source, ".sock"), "a socket: %s", m.Source)
		hold(!m.RW || m.Destination == "/var/lib/edgeban" || m.Destination == "/routers", "may write to %s", m.Destination)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.State.Pid))
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Uid:\t65532\t65532\t65532\t65532"} {
		hold(strings.Contains(string(status), line+"\n"), "its process has not %q", line)
	}
	return errors.Join(append(errs, err)...)
}
