package certs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	maxFile = 64 << 20              // bytes of acme.json; a certificate takes about 10 KiB
	pause   = 50 * time.Millisecond // between two readings that must agree
	tries   = 100                   // readings before it is said that the file does not settle: 5 s
)

// An entry is a certificate as acme.json has it. Nothing of it is believed yet.
type entry struct {
	resolver   string
	main       string
	sans       []string
	chain, key []byte // PEM
}

// stored is what Traefik 2 and 3 write for a resolver. The account and its key are
// passed over.
type stored struct {
	Certificates []struct {
		Domain struct {
			Main string
			SANs []string
		}
		Certificate, Key []byte
	}
}

// errTorn is in the error for a file that may be whole a moment later.
var errTorn = errors.New("it is not whole")

// settle reads acme.json. Traefik writes it in place, so it is believed when two
// readings, a moment apart, agree and make sense.
func settle(ctx context.Context, path string) ([]entry, error) {
	var before []byte
	err := fmt.Errorf("%w: it is being written all the time", errTorn)
	for n := range tries {
		text, failed := readFile(path)
		if failed != nil {
			return nil, explain(path, failed)
		}
		if n > 0 && bytes.Equal(text, before) {
			var entries []entry
			if entries, err = parse(text); err == nil {
				return entries, nil
			}
			if !errors.Is(err, errTorn) {
				break
			}
		}
		before = text
		if !sleep(ctx, pause) {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// readFile reads a regular file. A pipe is not waited for.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file; write the path of acme.json (Docker makes a folder where it mounts a file that is not there)")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB, which acme.json is not", maxFile>>20)
	}
	return text, err
}

// explain words why acme.json cannot be read, and the way out.
func explain(path string, err error) error {
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; Traefik makes it when it starts, is this the path of its storage?", err)
	case errors.Is(err, fs.ErrPermission) && statErr == nil:
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return fmt.Errorf("%w: this is uid %d, and the file belongs to uid %d with mode %04o, which Traefik insists on; run edgeban certs as that user (user: \"%d\", cap_drop: [ALL])",
				err, os.Geteuid(), st.Uid, info.Mode().Perm(), st.Uid)
		}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: uid %d may not enter its folder; run edgeban certs as the user whom it belongs to", err, os.Geteuid())
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// parse reads acme.json: resolver to account and certificates. No error quotes it.
func parse(text []byte) ([]entry, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%w: it is empty; Traefik has got no certificate yet", errTorn)
	}
	var resolvers map[string]json.RawMessage
	if err := json.Unmarshal(text, &resolvers); err != nil {
		return nil, torn(err)
	}
	if raw, ok := resolvers["Certificates"]; ok && !bytes.HasPrefix(raw, []byte("{")) {
		return nil, errors.New("it is in the format of Traefik 1, which has no resolvers; Traefik 2 and 3 write another one, so let Traefik make a new file")
	}
	var entries []entry
	for name, raw := range resolvers {
		var s stored
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("resolver %q: %w", name, torn(err))
		}
		for _, c := range s.Certificates {
			entries = append(entries, entry{name, c.Domain.Main, c.Domain.SANs, c.Certificate, c.Key})
		}
	}
	return entries, nil
}

// torn says where JSON ends or breaks, and not at what: it may be a part of a key.
func torn(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w: its JSON ends or breaks at byte %d", errTorn, e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: it is not what Traefik writes (at byte %d)", errTorn, e.Offset)
	}
	return fmt.Errorf("%w: a certificate or a key in it is no base64", errTorn)
}

// sleep waits, and reports whether it was not cut short.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
