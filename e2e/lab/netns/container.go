package netns

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Container runs a program as Docker would: with a root file system of its own,
// which is this machine's with what it writes laid over it, with mounts, and with
// processes of its own.
type Container struct {
	Name     string
	Net      *Net
	Args     []string
	Env      []string
	Binds    []Bind
	Hosts    string // /etc/hosts
	Resolver string // its name server
	Dir      string // for what it writes; kept over a restart
	Out      string // the file for its standard output

	cmd   *exec.Cmd
	ended chan struct{}
}

// A Bind shows a file or folder inside a container.
type Bind struct {
	From, To string
	ReadOnly bool
}

// ReadOnly binds a file or folder that the container may only read.
func ReadOnly(from, to string) Bind { return Bind{from, to, true} }

// Writable binds one in which it may write.
func Writable(from, to string) Bind { return Bind{from, to, false} }

// InitWord is the argument with which the program runs itself to become a container:
// it then calls Become, and nothing else.
const InitWord = "become-container"

// Network returns the namespace that it is in.
func (c *Container) Network() (*Net, error) { return c.Net, nil }

// Start starts it.
func (c *Container) Start() error {
	spec, err := json.Marshal(c)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(c.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	c.cmd = exec.Command("/proc/self/exe", InitWord)
	c.cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SPEC=" + string(spec)}, c.Env...)
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS, Setsid: true}
	if err := c.Net.Do(c.cmd.Start); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	ended, cmd := make(chan struct{}), c.cmd
	c.ended = ended
	go func() {
		_ = cmd.Wait() // how it ended is looked at where it matters
		close(ended)
	}()
	return nil
}

// Stop sends a signal and waits, 20 s at most before it kills.
func (c *Container) Stop(sig os.Signal) error {
	_ = c.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-c.ended:
		return nil
	case <-time.After(20 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
		return fmt.Errorf("%s did not stop in 20 s", c.Name)
	}
}

// Signal sends a signal.
func (c *Container) Signal(sig os.Signal) error { return c.cmd.Process.Signal(sig) }

// Log is the file of what it prints.
func (c *Container) Log() string { return c.Out }

// Running reports whether its first process lives.
func (c *Container) Running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// Exec runs a command inside.
func (c *Container) Exec(args ...string) (string, error) {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(c.cmd.Process.Pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd=/"}, args...)...)
	cmd.Env = append(os.Environ(), c.Env...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s in %s: %w: %s", strings.Join(args, " "), c.Name, err, errs.String())
	}
	return string(out), err
}

// Become is what a container's first process does before it is that.
func Become() error {
	var c Container
	if err := json.Unmarshal([]byte(os.Getenv("SPEC")), &c); err != nil {
		return err
	}
	if err := os.Unsetenv("SPEC"); err != nil {
		return err
	}
	root, err := c.mount()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	if err := errors.Join(unix.Sethostname([]byte(c.Name)), unix.Chroot(root), os.Chdir("/")); err != nil {
		return err
	}
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return err
	}
	return unix.Exec(path, c.Args, os.Environ())
}

// mount makes the root file system and returns where it is.
func (c *Container) mount() (string, error) {
	root, upper, work := filepath.Join(c.Dir, "root"), filepath.Join(c.Dir, "upper"), filepath.Join(c.Dir, "work")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	for _, dir := range []string{root, filepath.Join(upper, "etc"), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(upper, "etc/hosts"), []byte(c.Hosts), 0o644),
		os.WriteFile(filepath.Join(upper, "etc/resolv.conf"), []byte("nameserver "+c.Resolver+"\n"), 0o644),
		unix.Mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work),
		unix.Mount("/dev", root+"/dev", "", unix.MS_BIND|unix.MS_REC, ""),
		unix.Mount("proc", root+"/proc", "proc", 0, ""),
		unix.Mount("tmpfs", root+"/run", "tmpfs", 0, "mode=755"),
		unix.Mount("tmpfs", root+"/tmp", "tmpfs", 0, "mode=1777"),
	)
	for _, b := range c.Binds {
		err = errors.Join(err, b.mount(root))
	}
	return root, err
}

func (b Bind) mount(root string) error {
	info, err := os.Stat(b.From)
	if err != nil {
		return err
	}
	to := filepath.Join(root, b.To)
	if info.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		var f *os.File
		if f, err = os.OpenFile(to, os.O_CREATE, 0o644); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(b.From, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("%s: %w", b.From, err)
	}
	if !b.ReadOnly {
		return nil
	}
	return unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}
