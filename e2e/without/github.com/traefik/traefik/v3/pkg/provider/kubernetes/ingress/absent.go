// Package ingress stands in for Traefik's.
package ingress

import "github.com/edgeban/edgeban/e2e/without"

// ProviderName names it.
const ProviderName = "kubernetes"

// Provider is absent.
type Provider struct {
	without.Provider

	DefaultRuleSyntax string
}
