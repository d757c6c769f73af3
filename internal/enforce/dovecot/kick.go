package dovecot

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	kicking  = 5 * time.Second // one call of doveadm's API
	pause    = time.Second     // before a call that failed is tried again
	tries    = 3
	again    = time.Minute // after the key was refused: somebody has to mend it
	maxKicks = 1000        // that wait; a flood of bans is not worth more
	notFound = 68          // doveadm's exit code where nobody is logged in from there
)

var (
	errAway = errors.New("the proxy before it does not reach Dovecot")
	errKey  = errors.New("doveadm_key is not its doveadm_api_key")
)

// A doveadm ends sessions by Dovecot's HTTP API. Its key may do everything that
// doveadm does: only kick, of canonical networks, is ever sent.
type doveadm struct {
	url    string
	key    string // as the header has it
	client *http.Client

	mu     sync.Mutex
	wake   chan struct{}
	queue  []netip.Prefix
	kicked int
	err    error // of the last call
}

func newDoveadm(c config.Dovecot, rt http.RoundTripper) *doveadm {
	return &doveadm{
		url: strings.TrimSuffix(c.Doveadm, "/") + "/doveadm/v1", wake: make(chan struct{}, 1),
		key: "X-Dovecot-API " + base64.StdEncoding.EncodeToString([]byte(c.DoveadmKey.Reveal())),
		client: &http.Client{Transport: rt, Timeout: kicking, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key must not travel
		}},
	}
}

// later has sessions ended soon.
func (d *doveadm) later(ps []netip.Prefix) {
	if len(ps) == 0 {
		return
	}
	d.mu.Lock()
	d.queue = append(d.queue, ps...)
	if over := len(d.queue) - maxKicks; over > 0 {
		d.queue = d.queue[over:]
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *doveadm) next() (netip.Prefix, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return netip.Prefix{}, false
	}
	p := d.queue[0]
	d.queue = d.queue[1:]
	return p, true
}

// run ends sessions until ctx is done. Where the key is refused they wait.
func (d *doveadm) run(ctx context.Context, log *slog.Logger) {
	for {
		var retry <-chan time.Time
		if d.refused() {
			retry = time.After(again)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-retry:
		}
		for p, ok := d.next(); ok && ctx.Err() == nil; p, ok = d.next() {
			if d.settle(ctx, p, log); d.refused() {
				d.putBack(p)
				break
			}
		}
	}
}

// putBack has p wait, before the others.
func (d *doveadm) putBack(p netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = slices.Insert(d.queue[:min(len(d.queue), maxKicks-1)], 0, p)
}

// refused reports whether the key was, at the last call.
func (d *doveadm) refused() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Is(d.err, errKey)
}

// settle ends the sessions of p, or says that it could not.
func (d *doveadm) settle(ctx context.Context, p netip.Prefix, log *slog.Logger) {
	var err error
	for range tries {
		if err = d.kick(ctx, p); err == nil || errors.Is(err, errKey) || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	d.mu.Lock()
	first := err != nil && d.err == nil
	d.err = err
	if err == nil {
		d.kicked++
	}
	d.mu.Unlock()
	if first && ctx.Err() == nil {
		log.Warn("sessions of a banned address were not ended", "subject", p, "err", err)
	}
}

// kick ends the sessions of p. That there are none is no error.
func (d *doveadm) kick(ctx context.Context, p netip.Prefix) error {
	mask := p.String()
	if p.IsSingleIP() {
		mask = p.Addr().String()
	}
	var answer [][]json.RawMessage
	if err := d.call(ctx, http.MethodPost, []any{[]any{"kick", map[string]any{"mask": []string{mask}}, "edgeban"}}, &answer); err != nil {
		return err
	}
	if len(answer) != 1 || len(answer[0]) < 2 {
		return errors.New("doveadm: the answer is not doveadm's")
	}
	var kind string
	var failure struct {
		Type     string `json:"type"`
		ExitCode int    `json:"exitCode"`
	}
	_ = json.Unmarshal(answer[0][0], &kind)
	if kind != "error" {
		return nil
	}
	if err := json.Unmarshal(answer[0][1], &failure); err == nil && failure.ExitCode == notFound {
		return nil
	}
	return fmt.Errorf("doveadm: kick fails with %s %d", failure.Type, failure.ExitCode)
}

// call makes one call of the API.
func (d *doveadm) call(ctx context.Context, method string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, d.url, bytes.NewReader(text))
	if err != nil {
		return errors.New("the configured doveadm is no URL")
	}
	req.Header.Set("Authorization", d.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return fmt.Errorf("doveadm: %w", err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("doveadm: %w", err)
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("doveadm: it answers %d: %w", resp.StatusCode, errKey)
	case resp.StatusCode == http.StatusBadGateway, resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusGatewayTimeout:
		return fmt.Errorf("doveadm: %d, %w", resp.StatusCode, errAway)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("doveadm: it answers %d", resp.StatusCode)
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return errors.New("doveadm: the answer is not doveadm's")
	}
	return nil
}

func (d *doveadm) notes() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return []string{"sessions go on: " + d.err.Error()}
	}
	return nil
}
