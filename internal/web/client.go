package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// A Client asks a Backend in another process, behind its unix socket.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the daemon that listens on socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status is Backend's.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, "GET", "/v1/status", nil)
}

// Bans returns all that Backend's yields.
func (c *Client) Bans(ctx context.Context) ([]Ban, error) {
	return call[[]Ban](ctx, c, "GET", "/v1/bans", nil)
}

// Ban is Backend's.
func (c *Client) Ban(ctx context.Context, r BanRequest) (BanResult, error) {
	return call[BanResult](ctx, c, "POST", "/v1/ban", r)
}

// Unban is Backend's.
func (c *Client) Unban(ctx context.Context, p netip.Prefix) (UnbanResult, error) {
	return call[UnbanResult](ctx, c, "POST", "/v1/unban?address="+url.QueryEscape(p.String()), nil)
}

// Why is Backend's.
func (c *Client) Why(ctx context.Context, p netip.Prefix) (Why, error) {
	return call[Why](ctx, c, "GET", "/v1/why?address="+url.QueryEscape(p.String()), nil)
}

// Adopt is Backend's.
func (c *Client) Adopt(ctx context.Context) (AdoptResult, error) {
	return call[AdoptResult](ctx, c, "POST", "/v1/adopt", nil)
}

func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var out T
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return out, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://edgeban"+path, in)
	if err != nil {
		return out, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("no edgeban answers at %s: %w; is it running, and may you open its socket?", c.socket, cause(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var f failure
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&f); err != nil || f.Error == "" {
			return out, fmt.Errorf("edgeban at %s: %s", c.socket, resp.Status)
		}
		if resp.StatusCode == http.StatusBadRequest {
			return out, &BadRequest{f.Error}
		}
		return out, errors.New(f.Error)
	}
	if err := decode(resp.Body, &out); err != nil {
		return out, fmt.Errorf("edgeban at %s: %w", c.socket, err)
	}
	return out, nil
}

// decode reads an answer; that of many bans one by one, while others are written.
func decode(r io.Reader, out any) error {
	in := json.NewDecoder(r)
	bans, many := out.(*[]Ban)
	if !many {
		return in.Decode(out)
	}
	if start, err := in.Token(); err != nil || start != json.Delim('[') {
		return cmp.Or(err, errors.New("the answer is no list"))
	}
	*bans = []Ban{}
	for in.More() {
		var b Ban
		if err := in.Decode(&b); err != nil {
			return err
		}
		*bans = append(*bans, b)
	}
	_, err := in.Token() // the end of the list
	return err
}

// cause leaves out the made-up URL that net/http puts around an error.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
