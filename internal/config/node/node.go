// Package node walks a YAML document that people write, and names every problem
// of it with its place and the way out. It knows nothing of what the settings
// mean: whoever reads them brings a table of fields for each mapping.
//
// It accepts plain values only: no anchors, no tags, no merging of keys. Text that
// may be a secret is never repeated in a problem.
package node
