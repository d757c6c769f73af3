package dovecot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

// Check implements edgeban.Checker. The endpoint is the daemon's: whether Dovecot
// asks it is in its status.
func (d *Door) Check(ctx context.Context) []edgeban.Finding {
	found := []edgeban.Finding{endpoint.Listening(ctx, d.config.Listen, settings(d.config.Listen))}
	if d.doveadm == nil {
		return append(found, edgeban.Finding{
			Link: "sessions", Grade: edgeban.Untried, Evidence: "without doveadm: the sessions that a banned address has go on",
			Fix: "set doveadm: and doveadm_key: to have them ended",
		})
	}
	f := edgeban.Finding{Link: "sessions", Grade: edgeban.Good, Evidence: "doveadm's API answers, and takes the key"}
	var commands json.RawMessage
	if err := d.doveadm.call(ctx, http.MethodGet, struct{}{}, &commands); err != nil {
		f.Grade, f.Evidence = edgeban.Broken, err.Error()
		f.Fix = "in dovecot.conf: doveadm_api_key = …, and service doveadm { inet_listener http { port = 8080 } }; and let only edgeban reach that port: the key is all-powerful"
		if errors.Is(err, errAway) {
			f.Fix = "look what Dovecot does, in its log: it may not be up yet; then " + f.Fix
		}
	}
	return append(found, f)
}

// settings are what Dovecot needs to ask.
func settings(listen string) string {
	return fmt.Sprintf("in dovecot.conf: auth_policy_server_url = http://%s/policy, auth_policy_server_api_header = Authorization: Bearer …, "+
		"auth_policy_hash_nonce = (any secret), auth_policy_server_timeout_msecs = 500; better through a proxy that stays when edgeban stops (docs/inside.md)", listen)
}
