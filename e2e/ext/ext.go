// Package ext stands in for Traefik's own module of that name, which the module
// proxy does not have: the two types are empty there, too.
package ext

// HTTP is empty in the open-source build.
type HTTP struct{}

// Router is empty in the open-source build.
type Router struct{}
