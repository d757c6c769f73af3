package types

import (
	"context"

	"go.opentelemetry.io/otel/sdk/resource"
)

// K8sAttributesDetector stands in for Traefik's, and detects no cluster.
type K8sAttributesDetector struct{}

// Detect finds nothing.
func (K8sAttributesDetector) Detect(context.Context) (*resource.Resource, error) {
	return resource.Empty(), nil
}
