// Package config reads edgeban.yaml into a Config, and names every problem of it
// with its place and the way out. A Config is pure data: whatever reads it needs
// to know neither YAML nor fail2ban.
package config

import (
	"net/netip"
	"time"
)

// Forever is the bantime that never ends, -1 in the file.
const Forever = time.Duration(-1)

// A Config is what one daemon runs.
type Config struct {
	Path     string // the file it came from; empty for none
	Fail2ban string // a folder like /etc/fail2ban, whose enabled jails run too; empty for none
	State    string // the folder of the ledger; empty where nobody said: DefaultState if it can be written
	Socket   string // the unix socket of the commands; empty with State: SocketName in that folder
	Listen   string // address of /healthz; empty for none
	Targets  []Target
	Zones    []Zone
	Notify   []Notifier
	Sources  []Source
	Never    []string // addresses, networks and lower-case names that are never banned
	Budget   Budget
	Forget   time.Duration // how long ended bans are remembered
	Grace    time.Duration // after a target holds a ban: lines later than that say that it does not work
	Jails    []Jail        // nil where nobody said: they are to be found; empty for none
	Broken   []Broken      // jails that are enabled and cannot run
}

// A Target is one place that holds bans. Exactly one kind is set.
type Target struct {
	Name     string
	OPNsense *OPNsense
	Feed     *Feed
	Traefik  *Traefik
	Dovecot  *Dovecot
	Postfix  *Postfix
}

// OPNsense is an alias of an OPNsense firewall.
type OPNsense struct {
	URL       string // https://192.168.123.1
	Pin       string // "sha256:" and the hex of the certificate's SHA-256; empty to verify as usual
	Insecure  bool   // trust whoever answers; said by the user, and complained about
	CA        string // file of PEM certificates to trust instead of the system's
	Key       Secret
	Secret    Secret
	Alias     string
	Exclusive bool          // everything in the alias is ours
	States    bool          // kill the existing states of a newly banned IPv4 address
	Timeout   time.Duration // of one call
}

// Feed serves the standing bans as text and JSON over HTTP.
type Feed struct {
	Listen  string         // address and port
	Token   Secret         // Bearer token; may be empty on loopback
	Allow   []netip.Prefix // clients that need no token
	StandIn bool           // nobody asked for it: it is there because no target is named
}

// Traefik is a Traefik that closes the connections of banned addresses. Its document
// is a file or served. At least one of the four lists of entry points has something.
type Traefik struct {
	File     string         // in the folder that the file provider watches; empty to serve it
	Listen   string         // where the HTTP provider asks for it, with File empty
	Token    Secret         // Bearer token of that; may be empty on loopback
	Allow    []netip.Prefix // clients of that which need no token
	Cert     string         // PEM file with which it is served over TLS; empty for none
	Key      string         // PEM file of Cert
	TCP      []string       // entry points of TCP routers without tls
	TLS      []string       // of TCP routers with tls
	HTTP     []string       // of HTTP routers without tls
	HTTPS    []string       // of HTTP routers with tls
	API      string         // URL of Traefik's API; empty for none
	User     string         // of the API
	Password Secret
}

// Dovecot is where a Dovecot asks whether an address may log in, and reports who did.
// The target's name is that of a source as well.
type Dovecot struct {
	Listen     string
	Token      Secret         // that every request has in its header
	Allow      []netip.Prefix // clients that may ask with it; empty for all
	Tarpit     time.Duration  // that a banned address waits at each login; 0 to refuse it
	Doveadm    string         // URL of doveadm's HTTP API, which ends sessions; empty for none
	DoveadmKey Secret
}

// Postfix is where a Postfix asks whether an address may connect.
type Postfix struct {
	Listen string
	Allow  []netip.Prefix // clients that may ask; empty for this machine alone
}

// A Zone is some networks, and what becomes of who attacks from there. Without any
// zone private addresses are told and not banned, and all targets hold all others.
type Zone struct {
	Name     string         // Internet: whatever is in no other zone, and not private
	Networks []netip.Prefix // empty: the private ones and this host's own, but for what other zones have
	Targets  []string       // hold its bans; those of Internet: empty for all but Escalate
	Escalate []string       // hold a ban as well, one after the other, if it leaks at those before
	Policy   Policy
	Look     string // what people are to look at when it attacks; empty for the usual words
}

// Internet is the zone of everybody outside.
const Internet = "internet"

// Policy is what is done about who attacks from a zone.
type Policy string

// The policies.
const (
	PolicyBan    Policy = "ban"    // its targets hold them
	PolicyNotify Policy = "notify" // people are told
	PolicyNever  Policy = "never"  // it is protected, as what never: names
)

// A Notifier is one way to tell people. Exactly one kind is set.
type Notifier struct {
	Name  string
	On    []string // kinds of edgeban.NoticeKind, each once
	Jails []string // whose bans are told; empty for all
	Ntfy  *Ntfy
}

// Ntfy is a topic of an ntfy server.
type Ntfy struct {
	URL      string
	Topic    string
	Token    Secret
	User     string
	Password Secret
	Priority int    // of outside bans, 1 to 5; 0 for the server's default
	Click    string // URL that a tap opens; {ip} is replaced by the address; may be empty
}

// Budget bounds how much can be banned how fast.
type Budget struct {
	PerMinute int // new bans sent to a target in a minute
	Entries   int // entries of ours in a target
	IPv4      int // the widest IPv4 network that may be sent, as a prefix length
	IPv6      int // the widest IPv6 network that may be sent, as a prefix length
}

// A Jail watches logs with a filter and bans who fails too often.
type Jail struct {
	Name        string
	Filter      string   // a built-in filter, or the path of a filter file; empty with Rules
	Rules       *Rules   // patterns in the way of fail2ban, in place of a filter
	LogPath     []string // globs, or Stdin
	Source      []string // what of which source, NAME/GLOB; neither for a jail over the bans of the others (Recidive)
	MaxRetry    int
	FindTime    time.Duration
	BanTime     time.Duration // Forever for no end
	Increment   Increment
	Count       Count
	IgnoreIP    []string       // addresses, networks, names, and file:PATH of such
	LogTimezone *time.Location // of stamps without a zone; nil for the local zone
	IPv6Prefix  int            // how much of an outside IPv6 address is banned, 64 unless said

	ResetOnSuccess bool          // a login forgives the failures of that user from there
	KnownGood      time.Duration // after a login from there, in which it takes more failures; 0 for none

	Targets []string // names; empty for all
}

// Broken is a jail that somebody has enabled and that cannot run, while the others
// do. People are told until it is mended.
type Broken struct {
	Jail string
	Why  string // with the place, FILE:LINE
}

// Increment is a growing bantime.
type Increment struct {
	Enabled      bool
	Factor       float64       // of the doubling; 1 unless said
	Formula      string        // in place of the doubling, as package formula reads it
	Multipliers  []int         // in place of the doubling
	MaxTime      time.Duration // 0 for none; never shorter than the bantime
	RandomTime   time.Duration // a random part up to it is added
	OverallJails bool          // offences in other jails count too
}

// Count is how failures are counted.
type Count string

// The ways to count.
const (
	Window Count = "window" // maxretry failures within any findtime
	Rate   Count = "rate"   // fail2ban's estimate of the rate
)

// Rules are the patterns of a jail that is written in the way of fail2ban, whose
// words and meanings these are: every tag and option of a filter is resolved, the
// tags of the regular expressions (<HOST>, <F-USER>) are not.
type Rules struct {
	PrefRegex    string   // empty for none
	FailRegex    []string // at least one
	IgnoreRegex  []string
	DatePattern  []string // one template each; empty for the usual ones
	MaxLines     int      // how many lines a match may span, 1 unless said
	UseDNS       UseDNS
	LogEncoding  string   // "auto" or a name that IANA knows
	JournalMatch []string // one alternative each, as journalctl takes them
}

// UseDNS is what is done with a host's name in the place of an address.
type UseDNS string

// What may be done with a name. Only Yes ever bans for one.
const (
	Yes  UseDNS = "yes"  // its addresses are looked up, and counted
	Warn UseDNS = "warn" // it matches, is counted as a name, and bans nobody
	No   UseDNS = "no"   // it does not match
	Raw  UseDNS = "raw"  // it matches, and cannot be banned at an edge
)
