// Package crd stands in for Traefik's.
package crd

import (
	"github.com/edgeban/edgeban/e2e/without"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/gateway"
)

// ProviderName names it.
const ProviderName = "kubernetescrd"

// Provider is absent.
type Provider struct{ without.Provider }

// FillExtensionBuilderRegistry fills nothing.
func (*Provider) FillExtensionBuilderRegistry(*gateway.Provider) {}
