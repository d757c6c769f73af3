package notify

import (
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
)

var _ edgeban.Checker = (*Ntfy)(nil)

// Check looks whether the server answers and knows who we are. Nothing is published:
// whether the topic may be written shows CheckMessage alone.
func (n *Ntfy) Check(ctx context.Context) []edgeban.Finding {
	const reach, token = "reachable", "token"
	untried := edgeban.Finding{Link: token, Grade: edgeban.Untried, Evidence: "the server does not answer"}
	var health struct{ Healthy bool }
	start := time.Now()
	switch err := n.ask(ctx, "/v1/health", false, &health); {
	case err != nil:
		return []edgeban.Finding{{Link: reach, Grade: edgeban.Broken, Evidence: n.server() + ": " + err.Error(), Fix: "correct url:, or let this host reach the server"}, untried}
	case !health.Healthy:
		return []edgeban.Finding{{Link: reach, Grade: edgeban.Broken, Evidence: n.server() + " does not say that it is healthy", Fix: "write the url of an ntfy server; if it is one, look at its log"}, untried}
	}
	found := []edgeban.Finding{{Link: reach, Grade: edgeban.Good, Evidence: fmt.Sprintf("%s answers in %s", n.server(), time.Since(start).Round(time.Millisecond))}}
	if n.c.Token.Empty() && n.c.User == "" {
		return append(found, edgeban.Finding{Link: token, Grade: edgeban.Good, Evidence: "none is configured"})
	}
	return append(found, n.checkToken(ctx, token))
}

// soon is how long before its end a token is worth a word.
const soon = 14 * 24 * time.Hour

func (n *Ntfy) checkToken(ctx context.Context, link string) edgeban.Finding {
	var account struct {
		Username string
		Tokens   []struct {
			Token   string
			Expires int64
		}
	}
	f := edgeban.Finding{Link: link, Grade: edgeban.Good}
	if err := n.ask(ctx, "/v1/account", true, &account); err != nil {
		f.Grade = edgeban.Broken
		f.Evidence, f.Fix = split(err)
		return f
	}
	f.Evidence = "it is that of " + sentence(account.Username, maxText)
	for _, t := range account.Tokens {
		if end := time.Unix(t.Expires, 0); t.Token == n.c.Token.Reveal() && t.Expires > 0 {
			f.Evidence += ", and ends on " + end.Format(time.DateOnly)
			if time.Until(end) < soon {
				f.Grade, f.Fix = edgeban.Warning, "make one with 'ntfy token add USER' and configure it"
			}
		}
	}
	return f
}

// CheckMessage publishes a message, and says whether the server took it.
func (n *Ntfy) CheckMessage(ctx context.Context) edgeban.Finding {
	f := edgeban.Finding{Link: "test message", Grade: edgeban.Good, Evidence: "sent to topic " + n.c.Topic + ": see whether your phone shows it"}
	err := n.publish(ctx, n.encode(message{title: "edgeban doctor", body: "This is a test: messages of edgeban arrive.", priority: n.c.Priority, tags: []string{"white_check_mark"}}))
	if err != nil {
		f.Grade = edgeban.Broken
		f.Evidence, f.Fix = split(err)
	}
	return f
}

// split takes an error apart into what was seen and what to do about it. What names
// no way out passes by itself.
func split(err error) (evidence, fix string) {
	what, advice, ok := strings.Cut(err.Error(), "; ")
	if !ok {
		return what, "try again later; if it stays, look at the server's log"
	}
	advice, said, _ := strings.Cut(advice, ": ")
	if said != "" {
		what += " (" + said + ")"
	}
	return what, advice
}

// ask gets a page of the server's own API.
func (n *Ntfy) ask(ctx context.Context, path string, authorized bool, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(n.c.URL, "/")+path, nil)
	if err != nil {
		return errors.New("the configured url is not one")
	}
	if authorized {
		n.authorize(req)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL
		}
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return n.refusal(resp, text)
	}
	if json.Unmarshal(text, out) != nil {
		return errors.New("the answer is not ntfy's: something else listens at that url, or stands before it")
	}
	return nil
}
