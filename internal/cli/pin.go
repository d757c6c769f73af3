package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

func pin(ctx context.Context, e *env, args []string) error {
	rest, err := e.parse("pin", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("write edgeban pin URL, as in edgeban pin https://192.168.123.1")
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	p, cert, err := api.Pin(ctx, rest[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "pin: %s\n", p)
	fmt.Fprintf(e.stderr, "issued to %s by %s, valid until %s\nCompare it with the certificate that the firewall shows under System > Trust > Certificates.\n",
		term.Clean(cert.Subject.String(), 200), term.Clean(cert.Issuer.String(), 200), cert.NotAfter.Format(time.DateOnly))
	return nil
}
