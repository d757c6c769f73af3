package journal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

// A gateway is systemd-journal-gatewayd, which serves a journal over HTTP.
type gateway struct {
	url   string
	match string // of the query
	http  *http.Client
}

// lastOnes is how many entries are read of a journal of which nothing was ever read:
// a gateway finds no times.
const lastOnes = 10_000

func newGateway(c config.Journal) (*gateway, error) {
	t := &http.Transport{MaxIdleConns: 1, DisableCompression: true}
	if c.CA != "" {
		data, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM(data)
	}
	g := &gateway{url: c.URL, http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if all := alternatives(c.Match); len(all) == 1 { // it knows no others
		for field, values := range all[0] {
			for _, v := range values {
				g.match += "&" + field + "=" + url.QueryEscape(v)
			}
		}
	}
	return g, nil
}

// open asks for the entries from a cursor on, that one included, or for the last.
func (g *gateway) open(ctx context.Context, after string, _ time.Time) (io.ReadCloser, error) {
	if after != "" {
		return g.get(ctx, "follow", after)
	}
	return g.get(ctx, "follow", fmt.Sprintf(":-%d:%d", lastOnes, uint64(1)<<62))
}

// before implements opener. If there are fewer than so many, others follow the cursor's.
func (g *gateway) before(ctx context.Context, cursor string) (io.ReadCloser, bool, error) {
	in, err := g.get(ctx, "", fmt.Sprintf("%s:-%d:%d", cursor, recallMax, recallMax+1))
	return in, false, err
}

// newest implements opener.
func (g *gateway) newest(ctx context.Context) (io.ReadCloser, error) { return g.get(ctx, "", ":-1:1") }

func (g *gateway) get(ctx context.Context, follow, span string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/entries?"+strings.TrimPrefix(follow+g.match, "&"), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Range", "entries="+span)
	resp, err := g.http.Do(req)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil, &stuck{fmt.Errorf("gateway %s: %w", g.url, err), "start it there (systemctl enable --now systemd-journal-gatewayd.socket)"}
		}
		return nil, fmt.Errorf("gateway %s: %w", g.url, err)
	}
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode == http.StatusOK && strings.HasPrefix(kind, "application/json") {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	return nil, &stuck{
		fmt.Errorf("gateway %s: HTTP %d: %q", g.url, resp.StatusCode, strings.TrimSpace(string(text))),
		"write the URL of a systemd-journal-gatewayd, such as http://HOST:19531",
	}
}
