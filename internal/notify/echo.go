package notify

import (
	"maps"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

// echo is how long after the ban of one jail that of another is none: several logs show
// the same logins, some of them seconds later.
const echo = time.Minute

// echoes are the bans that were told last, by their subjects.
type echoes map[netip.Prefix]edgeban.Notice

// has reports whether n says nothing new: another jail has banned the subject just
// before, for as long.
func (e echoes) has(n edgeban.Notice) bool {
	first, told := e[n.Subject]
	after := n.Time.Sub(first.Time)
	longer := !first.Until.IsZero() && (n.Until.IsZero() || n.Until.Sub(first.Until) > echo)
	return told && n.Kind == first.Kind && n.Jail != first.Jail && after >= 0 && after < echo && !longer
}

// told takes in what was told.
func (e echoes) told(ns []edgeban.Notice) {
	for _, n := range ns {
		if n.Kind == edgeban.NoticeBan || n.Kind == edgeban.NoticeInside {
			maps.DeleteFunc(e, func(_ netip.Prefix, old edgeban.Notice) bool { return n.Time.Sub(old.Time) >= echo })
			e[n.Subject] = n
		}
	}
}
