// Package dovecot answers Dovecot's auth policy requests, and so holds bans where
// every login passes, over IMAP, POP3 and Postfix's SASL alike: a banned address is
// refused, whatever its password, or made to wait. What Dovecot reports of logins is
// a source of matches that nobody can forge, and needs no parsing.
//
// Dovecot 2.3 and 2.4 (auth-policy.c) ask
//
//	POST ?command=allow  {"login":"…","remote":"203.0.113.9","protocol":"imap",…}
//	POST ?command=report the same with "success":false,"policy_reject":false
//
// and take {"status":0,"msg":""}: -1 refuses, N > 0 waits N seconds before the password
// is looked at (and is asked for again after). Whatever else is answered, or nothing
// in time, lets the login go on as if nobody had been asked. But where connections are
// refused, 2.3.19 stops all logins after some seconds, until they are not: it is to ask
// through a proxy that is there when we are not.
//
// Whoever may report may ban and forgive: every request needs the token in the
// header. The package must not decide who is banned.
package dovecot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/account"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
	"github.com/edgeban/edgeban/internal/enforce/gate"
)

const (
	maxRequest = 16 << 10 // bytes of one request
	maxHash    = 64       // bytes of the hash of a password
	maxQueue   = 8192     // logins that are not in the ledger yet; what comes then is counted
)

// bounds let a few Dovecots ask, each with a hundred connections at most.
var bounds = endpoint.Bounds{All: 1024, Client: 256}

// A Door is a Target and a source: the auth policy server of one Dovecot.
type Door struct {
	*gate.Gate
	config  config.Dovecot
	log     *slog.Logger
	refused endpoint.Refusals
	doveadm *doveadm // nil to let sessions go on

	logins chan account.Login
	taken  atomic.Bool // somebody takes the logins
	began  int64       // Unix nanoseconds: what was reported in another life has other IDs
	n      atomic.Int64
	denied atomic.Int64 // Unix nanoseconds: when somebody who may ask did so with another token; 0 for never
	lost   atomic.Int64 // logins that came while the queue was full
}

var (
	_ enforce.Door    = (*Door)(nil)
	_ enforce.Prober  = (*Door)(nil)
	_ edgeban.Checker = (*Door)(nil)
)

// New returns a Door. Calls to doveadm go through rt; nil for the network.
func New(c config.Dovecot, rt http.RoundTripper, log *slog.Logger) *Door {
	d := &Door{Gate: gate.New("Dovecot"), config: c, log: log, logins: make(chan account.Login, maxQueue), began: time.Now().UnixNano()}
	if c.Doveadm != "" {
		d.doveadm = newDoveadm(c, rt)
	}
	return d
}

// Passes implements enforce.Door.
func (d *Door) Passes() string { return "logins to Dovecot, and to whoever asks it" }

// Apply refuses d.Want from now on, and has the sessions of who was not refused
// before ended.
func (d *Door) Apply(_ context.Context, diff enforce.Diff) error {
	fresh := d.Set(diff)
	if d.doveadm != nil {
		d.doveadm.later(fresh)
	}
	return nil
}

// Addr returns the address that Dovecot is answered at.
func (d *Door) Addr() string { return d.config.Listen }

// Serve answers on ln until ctx is done, once the bans are known, and ends sessions
// meanwhile.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error {
	if d.doveadm != nil {
		ended := make(chan struct{})
		ctx, cancel := context.WithCancel(ctx)
		go func() { // Serve waits for it
			defer close(ended)
			d.doveadm.run(ctx, d.log)
		}()
		defer func() { cancel(); <-ended }()
	}
	if !d.Await(ctx) && ctx.Err() == nil {
		d.log.Warn("Dovecot is answered although the bans are not known yet", "listen", ln.Addr().String())
	}
	d.log.Info("Dovecot is answered", "listen", ln.Addr().String())
	ln = endpoint.Limit(endpoint.Only(ln, d.mayAsk, func(client string) {
		d.refused.Say(d.log, "dovecot", client, http.StatusForbidden)
	}), bounds)
	if err := endpoint.Serve(ctx, ln, d.Handler(), d.log); err != nil {
		return fmt.Errorf("dovecot: serve: %w", err)
	}
	return nil
}

// Logins returns what Dovecot reports, without a jail and a subject. Until it is
// asked for, reports are dropped.
func (d *Door) Logins() <-chan account.Login {
	d.taken.Store(true)
	return d.logins
}

// Handler answers Dovecot.
func (d *Door) Handler() http.Handler { return http.HandlerFunc(d.answer) }

// A request is what Dovecot sends. All of it is the client's to choose but Remote,
// Success and PolicyReject.
type request struct {
	Login        string `json:"login"`
	Remote       string `json:"remote"`
	Protocol     string `json:"protocol"`
	Session      string `json:"session_id"`
	Hash         string `json:"pwhash"` // 12 bits or so of a salted hash of the password
	Success      bool   `json:"success"`
	PolicyReject bool   `json:"policy_reject"`
}

func (d *Door) answer(w http.ResponseWriter, r *http.Request) {
	access := endpoint.Access{Token: d.config.Token}
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	asks := err == nil && d.mayAsk(client.Addr().Unmap().WithZone(""))
	if !asks || !access.HasToken(endpoint.Bearer(r)) {
		if asks && len(d.config.Allow) > 0 { // else anybody may knock
			d.denied.Store(time.Now().UnixNano())
		}
		d.refused.Say(d.log, "dovecot", r.RemoteAddr, http.StatusUnauthorized)
		w.Header().Set("Connection", "close") // it keeps no place of those who may ask
		http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "Dovecot asks with POST", http.StatusMethodNotAllowed)
		return
	}
	var q request
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	addr, err2 := netip.ParseAddr(q.Remote)
	command := r.URL.Query().Get("command")
	if err != nil || err2 != nil && q.Remote != "" || command != "allow" && command != "report" {
		http.Error(w, "that is no request of Dovecot's", http.StatusBadRequest)
		return
	}
	status := 0
	switch {
	case !addr.IsValid(): // a login that came from nowhere, such as doveadm auth test
	case command == "report":
		d.report(q, addr)
	case d.Refuses(addr):
		status = d.status()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":`+strconv.Itoa(status)+`,"msg":""}`+"\n")
}

// mayAsk reports whether a client may ask with the token.
func (d *Door) mayAsk(client netip.Addr) bool {
	return len(d.config.Allow) == 0 || endpoint.Access{Allow: d.config.Allow}.Allows(client)
}

// status is what Dovecot is told of a banned client.
func (d *Door) status() int {
	if d.config.Tarpit > 0 {
		return int(d.config.Tarpit.Seconds())
	}
	return -1
}

// report passes a login on. What Dovecot refused because it was told to counts for
// nothing: bans would feed themselves.
func (d *Door) report(q request, addr netip.Addr) {
	if q.PolicyReject || !d.taken.Load() {
		return
	}
	m := edgeban.Match{
		ID: fmt.Sprintf("%d-%d", d.began, d.n.Add(1)), Kind: edgeban.Failure, Addr: addr.Unmap().WithZone(""), Count: 1,
		Time: time.Now(), User: q.Login[:min(len(q.Login), edgeban.MaxText)],
	}
	words := "refused"
	if q.Success {
		m.Kind, words = edgeban.Success, "successful"
	}
	text := fmt.Sprintf("Dovecot reports a %s login of %s over %s", words, q.Login, q.Protocol)
	if q.Session != "" {
		text += ", session <" + q.Session + ">"
	}
	m.Text = strings.ToValidUTF8(text[:min(len(text), edgeban.MaxText)], "")
	select {
	case d.logins <- account.Login{Match: m, Secret: q.Hash[:min(len(q.Hash), maxHash)]}:
	default:
		if d.lost.Add(1) == 1 {
			d.log.Warn("logins that Dovecot reports are dropped: the ledger does not keep up")
		}
	}
}

// Trouble says that Dovecot asks with another token, if it does: it lets everybody in
// then. A question with the right one mends it. Or it says that the key is refused with
// which sessions are ended.
func (d *Door) Trouble() string {
	switch at := d.denied.Load(); {
	case at != 0 && d.Asked().Before(time.Unix(0, at)):
		return "Dovecot asks with another token than that of the target: it is told nothing, and lets banned clients log in. " +
			"Write token: into auth_policy_server_api_header = Authorization: Bearer …, and restart what has the old one."
	case d.doveadm != nil && d.doveadm.refused():
		return "Dovecot refuses doveadm_key: the sessions of banned clients that are open go on. " +
			"Make it the same as doveadm_api_key in dovecot.conf; edgeban tries again each minute."
	}
	return ""
}

// Notes says for status whether Dovecot asks.
func (d *Door) Notes() []string {
	notes := d.Gate.Notes()
	if n := d.lost.Load(); n > 0 {
		notes = append(notes, fmt.Sprintf("%d reported logins were dropped, because the ledger did not keep up", n))
	}
	if d.doveadm != nil {
		notes = append(notes, d.doveadm.notes()...)
	}
	return notes
}
