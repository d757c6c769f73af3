// Package without is what Traefik has in the lab in place of providers that the lab
// does not use, and that most of the time of a build would go to. The folders under
// this one stand in for the packages of those names.
package without

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

var errAbsent = errors.New("this Traefik was built for edgeban's lab, without this provider")

// Provider is one that is not there.
type Provider struct{}

// Init says so.
func (*Provider) Init() error { return errAbsent }

// Provide says so.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return errAbsent }
