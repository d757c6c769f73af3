package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// An Engine is a Docker engine on the mail host, with deploy/mail's project. Its
// packet filter and its networks are the mail host's own.
type Engine struct {
	host    *Net
	data    string // with the images already
	project string // the folder of the project
	env     []string
}

const projectName = "mail"

// newEngine starts an engine and waits until it answers.
func newEngine(ctx context.Context, host *Net, data, project, out string) (*Engine, error) {
	e := &Engine{host: host, data: data, project: project}
	socket := "unix:///run/lab/docker.sock"
	e.env = append(os.Environ(), "DOCKER_HOST="+socket, "COMPOSE_PROJECT_NAME="+projectName)
	log, err := os.Create(out)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "dockerd", "--host", socket, "--data-root", data, "--exec-root", "/run/lab/docker", "--pidfile", "/run/lab/docker.pid",
		"--experimental", "--ip6tables", "--dns", edgeLAN)
	cmd.Stdout, cmd.Stderr = log, log
	if err := host.Do(cmd.Start); err != nil {
		return nil, err
	}
	err = within(ctx, time.Minute, func() bool { _, err := e.docker("version"); return err == nil })
	if err != nil {
		return nil, fmt.Errorf("dockerd does not answer; see %s", out)
	}
	return e, nil
}

// docker runs the command, with what it takes no longer than two minutes for.
func (e *Engine) docker(args ...string) (string, error) { return e.run("docker", args...) }

// compose runs docker-compose on the project, and on what the lab adds to it.
func (e *Engine) compose(args ...string) error {
	_, err := e.run("docker-compose", append([]string{"-f", "docker-compose.yaml", "-f", "lab.yaml"}, args...)...)
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
}

func (s *dockerService) container() string { return projectName + "_" + s.name + "_1" }

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

func (s *dockerService) Log() string { return "docker logs " + s.container() }

// unprivileged holds the running edgeban to what it may not have.
func (e *Engine) unprivileged(name string) error {
	out, err := e.docker("inspect", projectName+"_"+name+"_1")
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
		hold(!m.RW || m.Destination == "/var/lib/edgeban", "may write to %s", m.Destination)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.State.Pid))
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Uid:\t65532\t65532\t65532\t65532"} {
		hold(strings.Contains(string(status), line+"\n"), "its process has not %q", line)
	}
	return errors.Join(append(errs, err)...)
}
