// Package gateway stands in for Traefik's.
package gateway

import "github.com/edgeban/edgeban/e2e/without"

// ProviderName names it.
const ProviderName = "kubernetesgateway"

// Entrypoint is what Traefik tells it of each.
type Entrypoint struct {
	Address        string
	HasHTTPTLSConf bool
}

// Provider is absent.
type Provider struct {
	without.Provider

	EntryPoints map[string]Entrypoint
}
