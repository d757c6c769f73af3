// Package api makes the calls of an OPNsense firewall's REST API, and tells what a
// person must mend from what passes. It knows what an answer means, and not what is
// wanted of the firewall.
package api

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
	"strings"
	"unicode"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// The most that is read of an answer: a list with counters is about 100 bytes
// an entry, and the product gives up at two million entries itself.
const (
	maxAnswer = 256 << 20
	maxDrain  = 64 << 10
)

// Workers is how many calls are made at once. The firewall makes them wait for
// each other anyway, and a person may be saving something in its GUI.
const Workers = 4

// A Client makes calls. It follows no redirect (a POST would become a GET) and keeps
// no cookie (a session would bring CSRF rules). It is safe for use by many goroutines.
type Client struct {
	base        string // without a slash at the end
	key, secret config.Secret
	http        *http.Client
	turns       chan struct{} // as many as calls may be under way
}

// New returns a client of the firewall that c describes, with c's key, over a
// transport. It asks the firewall nothing.
func New(c config.OPNsense, rt http.RoundTripper) (*Client, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		// The error would quote the URL, and what somebody pasted into it.
		return nil, errors.New("url is not a URL; write https:// and the address of the firewall")
	case u.User != nil:
		return nil, errors.New("url holds a user; write the API key and secret as apikey, not into the URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("url: write https:// and the address of the firewall, and nothing more")
	case c.Key.Empty() || c.Secret.Empty():
		return nil, errors.New("no API key: make one in System > Access > Users and give its file as apikey")
	}
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), key: c.Key, secret: c.Secret, turns: make(chan struct{}, Workers),
		http: &http.Client{
			Transport: rt, Timeout: c.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// WithKey returns a client that differs in its key.
func (c *Client) WithKey(key, secret config.Secret) *Client {
	other := *c
	other.key, other.secret = key, secret
	return &other
}

// Base is the URL of the firewall, without a slash at the end.
func (c *Client) Base() string { return c.base }

// CloseIdle closes the connections that no call uses.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Get and Post call an action, such as firewall/alias/reconfigure, and read its
// answer into out. A call may be sent twice.
func (c *Client) Get(ctx context.Context, action string, out any) error {
	return c.call(ctx, http.MethodGet, action, nil, out)
}

// Post is Get with a body.
func (c *Client) Post(ctx context.Context, action string, in, out any) error {
	return c.call(ctx, http.MethodPost, action, in, out)
}

func (c *Client) call(ctx context.Context, method, action string, in, out any) error {
	status, header, body, err := c.Send(ctx, method, action, in)
	if err == nil {
		err = c.Judge(action, status, header, body)
	}
	if err == nil {
		err = c.Decode(body, out)
	}
	if _, silent := errors.AsType[Unanswered](err); silent && edgeban.IsPermanent(err) { // whatever is asked
		return fmt.Errorf("%s: %w", c.base, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.base, action, err)
	}
	return nil
}

// Send makes a call, and returns its answer as it is.
func (c *Client) Send(ctx context.Context, method, action string, in any) (int, http.Header, []byte, error) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return 0, nil, nil, Unanswered{ctx.Err()}
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, nil, nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/"+action, body)
	if err != nil {
		return 0, nil, nil, err
	}
	if in != nil {
		// Only with a body: the product refuses the one without the other.
		req.Header.Set("Content-Type", "application/json")
	}
	// Lets net/http send it again when a kept connection turns out to be dead;
	// the web server closes each after 15 calls. The header is not sent.
	req.Header["Idempotency-Key"] = nil
	req.SetBasicAuth(c.key.Reveal(), c.secret.Reveal())
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, c.unreachable(err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, res.Body, maxDrain)
		res.Body.Close()
	}()
	var text bytes.Buffer // grows by doubling, which leaves less behind than io.ReadAll
	if _, err := text.ReadFrom(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		return 0, nil, nil, Unanswered{fmt.Errorf("the answer broke off: %w", err)}
	}
	if text.Len() > maxAnswer {
		return 0, nil, nil, fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)
	}
	return res.StatusCode, res.Header, text.Bytes(), nil
}

// unreachable words an error without an answer. The URL is in ours already.
func (c *Client) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return edgeban.Permanent(errors.New("it speaks plain http here; write url with http://, or better give the firewall's GUI a certificate"))
	}
	return Unanswered{certificateTrouble(err)}
}

// Unanswered marks an error that came instead of an answer.
type Unanswered struct{ error }

func (u Unanswered) Unwrap() error { return u.error }

// Final reports whether err says that no other call will succeed now either: a
// person must act, or nothing answers.
func Final(err error) bool {
	_, silent := errors.AsType[Unanswered](err)
	return silent || edgeban.IsPermanent(err)
}

// A refusal is an answer with a status other than 200.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// RefusedWith returns the status of an answer that was not 200, or 0.
func RefusedWith(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status
	}
	return 0
}

// Judge tells apart what a person must mend and what passes. Which status means
// what was recorded from the product.
func (c *Client) Judge(action string, status int, header http.Header, body []byte) error {
	no := func(format string, args ...any) error {
		return edgeban.Permanent(&refusal{status, fmt.Sprintf(format, args...)})
	}
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return no("moved to %q (%d); write the https URL as the target's url", c.Clean(header.Get("Location")), status)
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
		return no("sent to a login page (%d): the Authorization header was lost; a proxy between here and the firewall strips it, or the url is not the firewall's", status)
	case http.StatusBadRequest:
		return no("the call was not understood (400): %s; something between here and the firewall changes it, or this is a bug of edgeban", c.said(body))
	case http.StatusUnauthorized:
		return no("the API key or its secret is not accepted (401); make a new one in System > Access > Users, and see that its user is enabled and not expired")
	case http.StatusForbidden:
		return no("the API key may not do this (403); give its user the privilege %q, and if that comes from a group with source networks, see that this host is in them", Privilege(action))
	case http.StatusNotFound:
		return no("there is no such API (404); is this OPNsense 24.1 or later, and is the url right?")
	case http.StatusInternalServerError:
		return c.failed(body)
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
	default:
		if status/100 != 5 {
			return no("answered with %d: %s", status, c.said(body))
		}
	}
	return &refusal{status, fmt.Sprintf("answered with %d: %s", status, c.said(body))}
}

// failed judges a 500: one with a title was thrown on purpose and does not pass.
func (c *Client) failed(body []byte) error {
	var said struct{ ErrorTitle, ErrorMessage string }
	if json.Unmarshal(body, &said) != nil || said.ErrorTitle == "" {
		return &refusal{500, "failed on the firewall (500): " + c.said(body)}
	}
	hint := ""
	if strings.Contains(said.ErrorMessage, "user-config-readonly") {
		hint = `; take the privilege "System: Deny config write" from the API key's user`
	}
	return edgeban.Permanent(&refusal{500, fmt.Sprintf("refused by the firewall (500): %s: %s%s", c.Clean(said.ErrorTitle), c.Clean(said.ErrorMessage), hint)})
}

// Privilege returns what a key needs for an action, as the firewall calls it.
func Privilege(action string) string {
	switch {
	case strings.HasPrefix(action, "diagnostics/"):
		return "Diagnostics: Show States"
	case strings.HasPrefix(action, "firewall/alias/"):
		return "Firewall: Aliases"
	}
	return "Diagnostics: PF Table IP addresses"
}

// Decode reads an answer of status 200. Half an answer passes; a page does not.
func (c *Client) Decode(body []byte, out any) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return Unanswered{errors.New("the answer is empty")}
	}
	if body[0] != '{' && body[0] != '[' {
		return edgeban.Permanent(errors.New("the answer is not JSON: what is at this url is not an OPNsense API"))
	}
	err := json.Unmarshal(body, out)
	if _, broken := errors.AsType[*json.SyntaxError](err); broken {
		return Unanswered{fmt.Errorf("the answer broke off: %w", err)}
	}
	if err != nil {
		return edgeban.Permanent(fmt.Errorf("the answer is not what OPNsense says: %w", err))
	}
	return nil
}

// said is what an error answer says, for people.
func (c *Client) said(body []byte) string {
	var words struct {
		ErrorMessage, Message string
	}
	if json.Unmarshal(body, &words) != nil {
		return "no reason given"
	}
	return c.Clean(words.ErrorMessage + words.Message)
}

// Clean makes the other side's text fit for an error: short, one line, and
// without the key even if something echoes it.
func (c *Client) Clean(text string) string {
	pair := base64.StdEncoding.EncodeToString([]byte(c.key.Reveal() + ":" + c.secret.Reveal()))
	for _, s := range []string{pair, c.key.Reveal(), c.secret.Reveal()} {
		text = strings.ReplaceAll(text, s, c.key.String())
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }), " ")
	if text == "" {
		return "no reason given"
	}
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "..."
	}
	return text
}
