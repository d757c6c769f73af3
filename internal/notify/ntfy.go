package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

const (
	callTimeout = 15 * time.Second // of one message; a healthy server takes milliseconds
	maxAnswer   = 64 << 10         // bytes of an answer that are read
)

// Ntfy is a topic of an ntfy server.
type Ntfy struct {
	c      config.Ntfy
	client *http.Client
}

var _ edgeban.Notifier = (*Ntfy)(nil)

// NewNtfy returns the notifier of a topic. Calls go through rt, or if it is nil
// through http.DefaultTransport.
func NewNtfy(c config.Ntfy, rt http.RoundTripper) *Ntfy {
	return &Ntfy{c, &http.Client{
		Transport: rt,
		Timeout:   callTimeout,
		// The token must not travel to wherever an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Notify publishes the notices as one message. An error that is Permanent and
// has no RetryAfter is about these notices; one that has both is about the
// configuration, which a person must mend. No error holds a secret.
//
// Notify may publish twice what the server took if its answer is lost: ntfy 2.13
// knows no key by which it could tell.
func (n *Ntfy) Notify(ctx context.Context, notices []edgeban.Notice) error {
	if len(notices) == 0 {
		return nil
	}
	if err := n.publish(ctx, n.encode(compose(notices, n.c.Priority))); err != nil {
		return fmt.Errorf("ntfy topic %s at %s: %w", n.c.Topic, n.server(), err)
	}
	return nil
}

// A publication is the body of POST /. JSON is the way that needs no escaping of
// headers; its fields are those of ntfy's "publish as JSON".
type publication struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Click    string   `json:"click,omitempty"`
}

// encode returns the body for m. It stays far below the 32 KiB that ntfy takes.
func (n *Ntfy) encode(m message) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Strings and a number: encoding them cannot fail.
	_ = e.Encode(publication{
		Topic: n.c.Topic, Title: m.title, Message: m.body,
		Priority: m.priority, Tags: m.tags, Click: n.click(m),
	})
	return b.Bytes()
}

// click returns the URL that a tap on m opens, if there is one.
func (n *Ntfy) click(m message) string {
	const hole = "{ip}"
	if !strings.Contains(n.c.Click, hole) {
		return n.c.Click
	}
	if !m.about.IsValid() {
		return ""
	}
	return strings.ReplaceAll(n.c.Click, hole, url.QueryEscape(m.about.String()))
}

// publish sends body.
func (n *Ntfy) publish(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(n.c.URL, "/")+"/", bytes.NewReader(body))
	if err != nil {
		// The error would print the URL, which may hold a password.
		return mend(errors.New("the configured url is not one"))
	}
	req.Header.Set("Content-Type", "application/json")
	n.authorize(req)
	resp, err := n.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL
		}
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		return n.refusal(resp, text)
	}
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	var taken struct{ ID, Event string }
	if json.Unmarshal(text, &taken) != nil || taken.ID == "" || taken.Event != "message" {
		return errors.New("the answer is not ntfy's: something else listens at that url, or stands before it")
	}
	return nil
}

// authorize adds the token, or the user and the password, or nothing.
func (n *Ntfy) authorize(req *http.Request) {
	switch {
	case !n.c.Token.Empty():
		req.Header.Set("Authorization", "Bearer "+n.c.Token.Reveal())
	case n.c.User != "":
		req.SetBasicAuth(n.c.User, n.c.Password.Reveal())
	}
}

// server returns where the topic is, without what the URL may hold besides.
func (n *Ntfy) server() string {
	u, err := url.Parse(n.c.URL)
	if err != nil || u.Host == "" {
		return "the configured url"
	}
	return u.Scheme + "://" + u.Host
}
