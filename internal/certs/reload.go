package certs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	callTimeout = 15 * time.Second
	maxAnswer   = 64 << 10 // bytes of an answer that are read
)

// A Reload has changed certificates loaded.
type Reload interface {
	// Reload is told the names of the certificates, and repeats safely. No error
	// holds a secret.
	Reload(ctx context.Context, names []string) error
	// String says what it does, for the log.
	String() string
}

var _, _, _ Reload = (*Doveadm)(nil), (*Hook)(nil), Touch("")

// reload tells all, and returns those that failed.
func reload(ctx context.Context, all []Reload, names []string) ([]Reload, error) {
	var failed []Reload
	var errs []error
	for _, r := range all {
		if err := r.Reload(ctx, names); err != nil {
			failed = append(failed, r)
			errs = append(errs, fmt.Errorf("%s: %w", r, err))
		}
	}
	return failed, errors.Join(errs...)
}

// Doveadm reloads Dovecot through its HTTP API, which is a listener of the doveadm
// service and a doveadm_api_key in its configuration. The key may do anything that
// doveadm can.
type Doveadm struct {
	url    string
	key    config.Secret
	client *http.Client
}

// NewDoveadm returns the reload of the Dovecot whose API is at a URL such as
// http://dovecot:8080. Calls go through rt, or if it is nil through
// http.DefaultTransport.
func NewDoveadm(url string, key config.Secret, rt http.RoundTripper) *Doveadm {
	return &Doveadm{strings.TrimRight(url, "/") + "/doveadm/v1", key, caller(rt)}
}

func (d *Doveadm) String() string { return "doveadm at " + host(d.url) }

// Reload implements Reload. The answer of Dovecot 2.3 and 2.4 is a list of
// [kind, value, tag]; what went wrong has status 200 as well.
func (d *Doveadm) Reload(ctx context.Context, _ []string) error {
	header := http.Header{}
	header.Set("Authorization", "X-Dovecot-API "+base64.StdEncoding.EncodeToString([]byte(d.key.Reveal())))
	status, text, err := call(ctx, d.client, d.url, header, []any{[]any{"reload", struct{}{}, "edgeban"}})
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return errors.New("the key is not the one of doveadm_api_key")
	case status != http.StatusOK:
		return fmt.Errorf("status %d; is this the http listener of service doveadm?", status)
	}
	var answers [][]json.RawMessage
	if json.Unmarshal(text, &answers) != nil || len(answers) != 1 || len(answers[0]) != 3 {
		return errors.New("the answer is not doveadm's; something else listens there")
	}
	var kind string
	if json.Unmarshal(answers[0][0], &kind) != nil || kind != "doveadmResponse" {
		return errors.New("doveadm could not reload; the log of Dovecot says why")
	}
	return nil
}

// A Hook is a URL that is told with a POST: {"certificates": [NAME, …]}.
type Hook struct {
	url    string
	token  config.Secret
	client *http.Client
}

// NewHook returns the hook at url; with a token that is not empty it is told as
// Bearer. Calls go through rt, or if it is nil through http.DefaultTransport.
func NewHook(url string, token config.Secret, rt http.RoundTripper) *Hook {
	return &Hook{url, token, caller(rt)}
}

func (h *Hook) String() string { return "hook at " + host(h.url) }

// Reload implements Reload.
func (h *Hook) Reload(ctx context.Context, names []string) error {
	header := http.Header{}
	if !h.token.Empty() {
		header.Set("Authorization", "Bearer "+h.token.Reveal())
	}
	status, _, err := call(ctx, h.client, h.url, header, map[string][]string{"certificates": names})
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// Touch is the path of a file that is written for those who watch it, such as
// systemd's PathChanged.
type Touch string

func (t Touch) String() string { return "file " + string(t) }

// Reload implements Reload. The file holds the time.
func (t Touch) Reload(context.Context, []string) error {
	return os.WriteFile(string(t), []byte(time.Now().UTC().Format(time.RFC3339Nano)+"\n"), 0o644)
}

func caller(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt, Timeout: callTimeout,
		// A secret must not travel to wherever an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call posts a body, and returns the status and the text of the answer.
func call(ctx context.Context, c *http.Client, to string, header http.Header, body any) (int, []byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return 0, nil, errors.New("its url is not one") // the error would print it
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}

// host returns where a URL leads, without what else it may hold.
func host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "its url"
	}
	return u.Host
}
