// Package ingressnginx stands in for Traefik's.
package ingressnginx

import "github.com/edgeban/edgeban/e2e/without"

// ProviderName names it.
const ProviderName = "kubernetesingressnginx"

// Provider is absent.
type Provider struct {
	without.Provider

	WatchNamespace, WatchNamespaceSelector string
	NonTLSEntryPoints                      []string
}
