// Package traefik holds bans at Traefik, the door that clients pass whose packets
// never cross the firewall: routers of the highest priority lead the connections of
// banned addresses to a service without servers (they are accepted and closed at
// once), and their HTTP requests to a 403.
//
// The routers are written into the folder of Traefik's file provider, which survives
// a restart of Traefik, or served to its HTTP provider. What the real Traefik does
// with them was measured; three traps decide how they look:
//
//   - one address that Traefik cannot read voids a whole router, so that every ban
//     is gone: addresses are checked one by one
//   - a router without entry points attaches to every one and hangs ports 25 and 587
//   - so does one with tls on a port where the server speaks first: tls is only where
//     the normal router has it
//
// Connections from before go on at TCP; over HTTP their next request gets the 403.
//
// The package must not decide who is banned. It never writes a document without
// addresses unless it is known that nobody is banned.
package traefik
