// Package feed serves the standing bans over HTTP, for URL-table aliases and for
// any firewall that pulls a list. It needs no key to any firewall.
//
//	/bans.txt   one canonical address or network a line, sorted (also / and /bans)
//	/bans.json  {"updated":"...","count":1,"bans":[{"ip":"203.0.113.9"}]}
//
// An empty list empties the firewall that pulls it, so an empty list is only ever
// served when it is known that nobody is banned. Until the first whole comparison
// the last copy on disk is served, and 503 if there is none or it is damaged.
//
// Who may read: clients in the allow list; clients with the token, as a Bearer
// token, as the password of Basic, or as ?token= for firewalls that can send
// neither; and, where neither a token nor an allow list is configured, clients on
// loopback. A proxy's word for where a client is (X-Forwarded-For) is not taken.
//
// The package must not decide who is banned, and never shows the token.
package feed
