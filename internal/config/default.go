package config

import "time"

const (
	// DefaultState is the folder of the ledger where the file names none and it
	// can be written; whoever opens it decides.
	DefaultState = "/var/lib/edgeban"

	// SocketName is the file of the commands' socket in the folder of the ledger.
	SocketName = "edgeban.sock"

	// DefaultFeed is where the standing bans are served where the file names no
	// target: on loopback, so that it needs no token.
	DefaultFeed = "127.0.0.1:9098"

	// DefaultNtfy is the server of a notifier that names none.
	DefaultNtfy = "https://ntfy.sh"

	// DefaultTimeout is how long one call to a firewall may take.
	DefaultTimeout = 30 * time.Second

	// Stdin is the LogPath that means standard input.
	Stdin = "-"

	// Recidive is the filter of a jail over the bans of the others.
	Recidive = "recidive"

	// Manual and Adopted stand in the place of a jail for bans that no log led to.
	Manual  = "manual"  // edgeban ban
	Adopted = "adopted" // edgeban adopt
)

// Default is the configuration of nothing at all, and what a file starts from:
// the feed on loopback, and no jail. Jails is nil, which means that they are to
// be found; a file that says that there are none gives an empty list.
func Default() Config {
	return Config{
		Targets: []Target{{Name: "feed", Feed: &Feed{Listen: DefaultFeed, StandIn: true}}},
		Budget:  Budget{PerMinute: 300, Entries: 50_000, IPv4: 32, IPv6: 64},
		Forget:  90 * day,
		Grace:   time.Minute,
	}
}

// NewJail returns a jail with the settings of one of which nothing is said but
// its name, which is that of its filter.
func NewJail(name string) Jail {
	j := Jail{
		Name:       name,
		Filter:     name,
		MaxRetry:   5,
		FindTime:   10 * time.Minute,
		BanTime:    time.Hour,
		Increment:  Increment{Enabled: true, Factor: 1, MaxTime: week},
		Count:      Window,
		IPv6Prefix: 64,
	}
	if name == Recidive {
		j.overBans()
	}
	return j
}

// overBans gives j the pace of one who comes back after bans, as fail2ban has it.
func (j *Jail) overBans() { j.FindTime, j.BanTime = day, week }
