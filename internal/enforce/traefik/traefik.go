package traefik

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

// room is how many entries Traefik is given: it compares each connection with one
// after the other, half a millisecond for so many.
const room = 5000

// A Door is a Target: the routers of one Traefik.
type Door struct {
	config config.Traefik
	path   string // of the document: Traefik's, or the copy of what is served
	log    *slog.Logger
	client *http.Client // to Traefik's API

	mu      sync.Mutex
	proven  []netip.Prefix // at the last answer of the API
	trouble error          // what the API says against it, or why it does not answer
	asked   time.Time      // when the API answered last; zero for never
	served  []byte         // what is served; nil for nothing yet
	fetched fetch          // the last that Traefik did
	refused endpoint.Refusals
}

var (
	_ enforce.Whole   = (*Door)(nil)
	_ enforce.Bounded = (*Door)(nil)
	_ enforce.Door    = (*Door)(nil)
	_ edgeban.Checker = (*Door)(nil)
)

// New returns a Door. What it serves, if it does not write a file, it keeps in
// stateDir as well. Calls to the API go through rt; nil for the network.
func New(c config.Traefik, stateDir string, rt http.RoundTripper, log *slog.Logger) *Door {
	d := &Door{config: c, path: c.File, log: log, client: &http.Client{
		Transport: rt, Timeout: answering,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if d.path == "" {
		d.path = filepath.Join(stateDir, "traefik-"+strings.Map(inFileName, c.Listen)+".yml")
	}
	return d
}

// inFileName replaces what does not belong in the name of a file.
func inFileName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
		return r
	}
	return '_'
}

// Whole says that the document is written as a whole.
func (d *Door) Whole() {}

// Room implements enforce.Bounded.
func (d *Door) Room() int { return room }

// Passes implements enforce.Door.
func (d *Door) Passes() string {
	return strings.Join(slices.Concat(d.config.TCP, d.config.TLS, d.config.HTTP, d.config.HTTPS), ", ") + " of Traefik"
}

// Fits reports whether p can stand in a rule.
func (d *Door) Fits(p netip.Prefix) bool { return fits(p) }

// Held returns the entries of the document, read back, of which Traefik's API says
// that an enabled router has them. Without an API it is what the file says, or what
// Traefik has fetched.
//
// While the API does not answer nothing new is held, and nothing is lost: Apply tells
// of that.
func (d *Door) Held(ctx context.Context) ([]netip.Prefix, error) {
	text, err := d.read()
	if err != nil {
		return nil, err
	}
	entries := named(text)
	if len(text) > 0 && !bytes.Equal(text, render(d.config, entries)) {
		entries = nil // somebody has changed it, or the configuration has: it is written anew
	}
	if d.config.API != "" {
		return d.enabled(ctx, entries), nil
	}
	if d.config.File == "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		return slices.Clone(d.fetched.entries), nil
	}
	return entries, nil
}

// read returns the document as it is now; nothing if there is none.
func (d *Door) read() ([]byte, error) {
	text, err := os.ReadFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, mend(err)
}

// mend marks what only a person can change.
func mend(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return edgeban.Permanent(fmt.Errorf("%w; uid %d must be able to write there, and Traefik to read", err, os.Getuid()))
	}
	return err
}

// Apply writes the document with d.Want. As long as the ledger may lack bans, only
// d.Remove is taken from it, and none is begun that bans nobody.
func (d *Door) Apply(_ context.Context, diff enforce.Diff) error {
	old, err := d.read()
	if err != nil {
		return err
	}
	want := canonical(diff.Want)
	if diff.Partial {
		gone := canonical(diff.Remove)
		want = canonical(append(want, slices.DeleteFunc(named(old), func(p netip.Prefix) bool { return slices.Contains(gone, p) })...))
		if old == nil && len(want) == 0 {
			return nil
		}
	}
	if len(want) > room { // the Keeper does not send so many
		return edgeban.Permanent(fmt.Errorf("%d entries, and Traefik is given %d at most", len(want), room))
	}
	text := render(d.config, want)
	changed := !bytes.Equal(text, old)
	if changed {
		if err := d.write(text); err != nil {
			return mend(err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.served = text
	if changed { // what the API said was about the one before
		return nil
	}
	return d.trouble
}

// write puts the document in the place of the one before in one step: Traefik never
// sees half of one.
//
// It is made in a folder below, which Traefik does not watch, under a name that it does
// not read: whatever else happens where it watches costs the news
// providersThrottleDuration, 2 s by default.
func (d *Door) write(text []byte) error {
	below := filepath.Join(filepath.Dir(d.path), ".edgeban")
	err := os.Mkdir(below, 0o755)
	if err == nil {
		err = os.Chmod(below, 0o755) // whatever the umask: one that Traefik cannot list is an error to it
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	aside := filepath.Join(below, filepath.Base(d.path)+".new")
	defer os.Remove(aside)
	w, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, d.mode())
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	if err == nil {
		err = w.Chmod(d.mode()) // whatever the umask
	}
	if err == nil {
		err = w.Sync()
	}
	if err2 := w.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(aside, d.path)
	}
	return err
}

// mode lets Traefik read what is its own, whoever it runs as.
func (d *Door) mode() fs.FileMode {
	if d.config.File != "" {
		return 0o644
	}
	return 0o600
}

// Notes says for status what is proven, and by whom.
func (d *Door) Notes() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.config.API != "" && d.trouble != nil:
		return []string{"not proven: " + d.trouble.Error()}
	case d.config.API != "":
		return nil
	case d.config.File != "":
		return []string{"held says that " + d.path + " has it: whether Traefik reads that is not known without api:"}
	case d.fetched.at.IsZero():
		return []string{"Traefik has not fetched the document since the start"}
	}
	return []string{"fetched last at " + d.fetched.at.Format("Jan _2 15:04:05") + " by " + d.fetched.by + "; whether Traefik takes it is not known without api:"}
}
