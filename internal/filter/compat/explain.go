package compat

import (
	"net/netip"
	"time"

	edgeban "github.com/edgeban/edgeban"
)

// A Finding is what one failregex makes of a line.
type Finding struct {
	Index  int               // of the failregex, from 0
	Groups map[string]string // what its groups took, with those of the prefregex and of its session
	Users  []string          // that its session has told of
	ID     string            // who failed, as the text has it: fail2ban's failure ID
	Addr   netip.Addr        // what of it can be banned; zero if it is no address
	Time   time.Time         // that the line has; zero for none
	Lines  int               // that are the evidence of the failure

	Ignored bool // an ignoreregex matches: it is no failure
	NoFail  bool // it is only to be remembered for its session
	Pending bool // its session has not told yet who failed
}

// Explain reads one more line of the log like Scan, but tries every failregex and
// tells what each that matches makes of it. No command shows that yet: it holds the
// engine to fail2ban's own samples, which ask for all. What Scan counts is what the
// first of them finds.
func (s *Scanner) Explain(line []byte, read time.Time) []Finding {
	c := &edgeban.Chunk{Text: line, Read: read}
	s.open(1)
	s.near = false
	if !s.begin(c, place{0, 0, len(line)}) {
		return nil
	}
	early := s.filter.early && s.ignored(&s.whole)
	if !s.narrow() {
		return nil
	}
	var all []Finding
	for i := range s.filter.fail {
		r := &s.filter.fail[i]
		if !s.seen.may(r.needs) || !s.search(&s.hit, r, &s.seen) {
			continue
		}
		f := Finding{Index: i, Time: s.stamp, Lines: 1, Ignored: early}
		s.gather(r)
		if !early {
			f.Lines, f.Ignored = s.settle(r)
		}
		if !f.Ignored && s.groups[slotSession] != nil {
			t, _ := s.when(&edgeban.Chunk{Read: read, Live: true})
			v, nofail := s.merge(t, f.Lines)
			v.Fill(s.groups)
			f.NoFail, f.Lines = nofail, v.Lines
			for u := range v.Users() {
				f.Users = append(f.Users, string(u))
			}
			if _, who := s.groups.who(); who == nobody && !nofail {
				v.Pending, f.Pending = true, true
			}
		}
		f.tell(s.filter.names, s.groups)
		all = append(all, f)
		if s.filter.lines > 1 && !early {
			s.window.buf = nil // what the prefregex took still lies in it
			s.seen.set(s.window.text())
		}
	}
	return all
}

// tell takes the groups in as text.
func (f *Finding) tell(names []string, groups fields) {
	f.Groups = map[string]string{}
	for slot, v := range groups {
		if v != nil {
			f.Groups[names[slot]] = string(v)
		}
	}
	for _, slot := range []int{slotID, slotIP4, slotIP6, slotDNS} {
		if groups[slot] != nil {
			f.ID = string(groups[slot])
			break
		}
	}
	f.Addr, _ = groups.who()
}
