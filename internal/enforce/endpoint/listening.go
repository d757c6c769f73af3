package endpoint

import (
	"context"
	"net"
	"time"

	"github.com/edgeban/edgeban"
)

// Listening looks whether anybody answers at an address, and says what the service
// needs that is to ask there.
func Listening(ctx context.Context, addr, settings string) edgeban.Finding {
	f := edgeban.Finding{Link: "endpoint", Grade: edgeban.Good, Evidence: "it answers at " + addr + "; edgeban status says whether it is asked"}
	c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		f.Grade, f.Evidence, f.Fix = edgeban.Untried, "nothing answers at "+addr+" while the daemon does not run", settings
		return f
	}
	_ = c.Close()
	return f
}
