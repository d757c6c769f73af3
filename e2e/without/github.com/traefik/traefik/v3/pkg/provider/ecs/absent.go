// Package ecs stands in for Traefik's.
package ecs

import "github.com/edgeban/edgeban/e2e/without"

// ProviderName names it.
const ProviderName = "ecs"

// Provider is absent.
type Provider = without.Provider
