// Package knative stands in for Traefik's.
package knative

import "github.com/edgeban/edgeban/e2e/without"

// ProviderName names it.
const ProviderName = "knative"

// Provider is absent.
type Provider = without.Provider
