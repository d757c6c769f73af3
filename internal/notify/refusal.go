package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/edgeban/edgeban"
)

// ntfy answers errors in JSON. These are the codes that mean something to us, as
// ntfy 2.13 was seen to use them; its 429 has no Retry-After.
const (
	topicInvalid  = 40009
	topicReserved = 40010
	tooBig        = 40014 // "attachments not allowed": it took the text for a file
	tooMany       = 42901 // requests from this address
	quotaReached  = 42908 // messages of today
	tooManyAuth   = 42909 // bad tokens from this address; good ones are refused as well
)

const (
	mendedAfter = 15 * time.Minute // 30 bad tokens lock the whole address out; one a minute is forgiven
	lockedOut   = 10 * time.Minute
	quotaCheck  = time.Hour // our clock may not know the server's midnight, and asking is free
)

// mend marks err as one that a person must mend, and that is worth a look now
// and then in case it was.
func mend(err error) error { return edgeban.RetryAfter(edgeban.Permanent(err), mendedAfter) }

// refusal returns the error for an answer that is not 200.
func (n *Ntfy) refusal(resp *http.Response, text []byte) error {
	var e struct {
		Code  int
		Error string
	}
	said := resp.Status
	if json.Unmarshal(text, &e) == nil && e.Code != 0 {
		said = fmt.Sprintf("%d %s", e.Code, sentence(e.Error, maxText))
	}
	err := errors.New(sentence(said, maxText))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return mend(fmt.Errorf("%s: %w", n.unknown(), err))
	case code == http.StatusForbidden:
		return mend(fmt.Errorf("%s: %w", n.forbidden(), err))
	case code == http.StatusTooManyRequests:
		return limited(e.Code, err)
	case code >= 500:
		return err
	case code >= 300 && code < 400:
		return mend(fmt.Errorf("it redirects, which is not followed; configure the url of ntfy itself: %w", err))
	case code == http.StatusRequestEntityTooLarge, e.Code == tooBig:
		return edgeban.Permanent(fmt.Errorf("the message is too big; unless message-size-limit was lowered on the server, that is a bug of edgeban: %w", err))
	case e.Code == topicInvalid, e.Code == topicReserved:
		return mend(fmt.Errorf("no topic can be called that; choose another: %w", err))
	case code == http.StatusBadRequest && e.Code != 0:
		return edgeban.Permanent(fmt.Errorf("it does not understand the message, which is a bug of edgeban: %w", err))
	}
	return mend(fmt.Errorf("this is not how ntfy answers; is the url right? %w", err))
}

// unknown says what to do about a 401.
func (n *Ntfy) unknown() string {
	switch {
	case !n.c.Token.Empty():
		return "the token is unknown or has expired; make one with 'ntfy token add USER' and configure it"
	case n.c.User != "":
		return "the user or the password is wrong"
	}
	return "it wants a token; make one with 'ntfy token add USER' and configure it"
}

// forbidden says what to do about a 403.
func (n *Ntfy) forbidden() string {
	switch {
	case !n.c.Token.Empty():
		return "the token is known but may not write to the topic; allow it with 'ntfy access USER " + n.c.Topic + " write-only'"
	case n.c.User != "":
		return "the user may not write to the topic; allow it with 'ntfy access " + n.c.User + " " + n.c.Topic + " write-only'"
	}
	return "nobody may write to the topic without a token; make one with 'ntfy token add USER' and configure it"
}

// limited returns the error for a 429.
func limited(code int, err error) error {
	switch code {
	case tooMany:
		// A token comes back every 5 s, and others may be waiting for it too.
		return edgeban.RetryAfter(err, 5*time.Second+rand.N(55*time.Second))
	case quotaReached:
		now := time.Now().UTC()
		midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return edgeban.RetryAfter(err, min(midnight.Sub(now)+rand.N(time.Minute), quotaCheck))
	case tooManyAuth:
		err = fmt.Errorf("too many bad tokens came from this address, perhaps not ours; even a good one is refused for now: %w", err)
		return edgeban.RetryAfter(edgeban.Permanent(err), lockedOut)
	}
	return edgeban.RetryAfter(err, 30*time.Second+rand.N(30*time.Second))
}
