package never

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Finder finds what must not be banned. Set its fields before the first look.
type Finder struct {
	Never []string // addresses, networks, names, and file:PATH of such
	Hosts []string // what the configuration talks to: hosts, host:port or URLs

	// Resolver looks a name up; nil for the system's.
	Resolver func(ctx context.Context, host string) ([]netip.Addr, error)

	// Root is the folder of proc/net and etc; empty for the system's.
	Root string

	// Interfaces returns the addresses of each network interface; nil for the system's.
	Interfaces func() (map[string][]netip.Addr, error)

	// Memory is a file that keeps what names resolved to over a restart; empty for none.
	Memory string

	Log *slog.Logger // told once of each problem; nil for nobody

	jail bool // only the words count, and they are a jail's ignoreip

	mu      sync.Mutex // one look at a time
	own     map[string][]netip.Addr
	names   map[string]*name
	files   map[string]*file
	written string          // the content of Memory
	told    map[string]bool // keys of the problems of the last look

	problems atomic.Pointer[[]string]
}

// NewIgnore returns a Finder for a jail's ignoreip: of the words alone, not of
// the host.
func NewIgnore(ignoreip []string, log *slog.Logger) *Finder {
	return &Finder{Never: ignoreip, Log: log, jail: true}
}

// Remember takes over what the Finder of an earlier configuration has learned of
// names and files, so that a reload while the resolver is away forgets nothing.
// It is called before the first look.
func (f *Finder) Remember(earlier *Finder) {
	earlier.mu.Lock()
	defer earlier.mu.Unlock()
	f.own, f.written = maps.Clone(earlier.own), earlier.written
	f.names, f.files = map[string]*name{}, map[string]*file{}
	for host, n := range earlier.names { // the earlier one still looks
		f.names[host] = &name{maps.Clone(n.addrs), n.err}
	}
	for path, fl := range earlier.files {
		known := *fl
		f.files[path] = &known
	}
}

// Find takes one look. It reads the system's files and waits for the resolver,
// seconds if there is none. What cannot be found out now is as it was at the
// look before.
func (f *Finder) Find(ctx context.Context) *List {
	f.mu.Lock()
	defer f.mu.Unlock()
	var l look
	if !f.jail {
		f.host(&l)
	}
	ms := append(f.owners(&l), f.peers(&l)...)
	f.recall()
	f.resolve(ctx, namesOf(&l, ms))
	f.remember()
	for _, m := range ms {
		f.add(&l, m)
	}
	if !f.jail {
		l.entries = append(l.entries, always()...)
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // whoever stops asking hears no complaints
		f.tell(l.problems)
	}
	return newList(l.entries, l.outside)
}

// Run looks at once and then at every interval, sooner when a file of words
// changes or a name has no address yet, and publishes each List that differs
// from the one before. It returns nil when ctx is done.
func (f *Finder) Run(ctx context.Context, every time.Duration, publish func(*List)) error {
	for last := (*List)(nil); ; {
		l := f.Find(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !l.equal(last) {
			publish(l)
			last = l
		}
		f.wait(ctx, every)
	}
}

// Problems says, in words for people, what the last look could not find out.
func (f *Finder) Problems() []string {
	if p := f.problems.Load(); p != nil {
		return *p
	}
	return nil
}

// wait returns when it is time for the next look.
func (f *Finder) wait(ctx context.Context, every time.Duration) {
	every, watch := f.pace(max(every, time.Second))
	step := every
	if watch {
		step = min(step, watchFiles)
	}
	for waited := time.Duration(0); waited < every; waited += step {
		select {
		case <-ctx.Done():
			return
		case <-time.After(step):
		}
		if f.filesChanged() {
			return
		}
	}
}

// pace returns how long to wait at most, and whether files are to be watched.
func (f *Finder) pace(every time.Duration) (time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.names {
		if len(n.addrs) == 0 {
			every = min(every, retryNames)
		}
	}
	return every, len(f.files) > 0
}

func (f *Finder) filesChanged() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, file := range f.files {
		if file.changed(path) {
			return true
		}
	}
	return false
}

// label is the owner's word for the list.
func (f *Finder) label() string {
	if f.jail {
		return "ignoreip: "
	}
	return "never: "
}

// owners reads the owner's words, and the files among them.
func (f *Finder) owners(l *look) []mention {
	var ms []mention
	files := make(map[string]*file)
	for _, word := range each(f.Never) {
		path, isFile := strings.CutPrefix(word, "file:")
		if !isFile {
			m, err := parseWord(word)
			if err != nil {
				l.problem(word, f.label()+strconv.Quote(shorten(word))+" "+err.Error())
				continue
			}
			m.why, m.owner = f.label()+word, true
			ms = append(ms, m)
			continue
		}
		files[path] = cmp.Or(f.files[path], &file{})
		text, err := files[path].read(path)
		if err != nil {
			l.problem(word, f.label()+"file "+path+" "+err.Error())
		}
		ms = append(ms, f.inFile(l, path, text)...)
	}
	f.files = files
	return ms
}

// inFile reads the words of a file: some a line, # and ; begin a comment.
func (f *Finder) inFile(l *look, path, text string) []mention {
	var ms []mention
	line, bad := 0, 0
	why := f.label() + "file " + path
	for s := range strings.Lines(text) {
		line++
		if i := strings.IndexAny(s, "#;"); i >= 0 {
			s = s[:i]
		}
		for _, word := range words(s) {
			m, err := parseWord(word)
			if err != nil {
				if bad++; bad <= maxBad {
					l.problem(path+" "+word, f.label()+path+":"+strconv.Itoa(line)+": "+strconv.Quote(shorten(word))+" "+err.Error())
				}
				continue
			}
			m.why, m.owner = why, true
			ms = append(ms, m)
		}
	}
	if bad > maxBad {
		l.problem(path+" bad", f.label()+path+": "+strconv.Itoa(bad)+" words are neither addresses, networks nor names")
	}
	return ms
}

// peers reads what the configuration talks to.
func (f *Finder) peers(l *look) []mention {
	var ms []mention
	for _, s := range f.Hosts {
		host := hostOf(s)
		if host == "" {
			continue // only a port, or a path: nobody to protect
		}
		m, err := parseWord(host)
		if err != nil {
			l.problem("host "+host, strconv.Quote(shorten(host))+", which the configuration talks to, "+err.Error())
			continue
		}
		m.why, m.role = host+", which the configuration talks to", Peer
		ms = append(ms, m)
	}
	return ms
}

// namesOf returns the names among ms, each once.
func namesOf(l *look, ms []mention) []string {
	var names []string
	for _, m := range ms {
		if m.name != "" {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxNames {
		l.problem("names", strconv.Itoa(len(names)-maxNames)+" names are not protected: only "+strconv.Itoa(maxNames)+" are looked up; write networks")
	}
	return names[:min(len(names), maxNames)]
}

// add protects what m mentions.
func (f *Finder) add(l *look, m mention) {
	if m.name == "" {
		l.entries = append(l.entries, entry{prefix: m.prefix, why: m.why, role: m.role})
		l.outside = l.outside || m.owner && !PrivatePrefix(m.prefix)
		if m.prefix.Bits() == 0 {
			l.problem(m.why, m.why+" protects everybody: nothing is ever banned")
		}
		return
	}
	n := f.names[m.name]
	if n == nil {
		return // beyond maxNames, which has been said
	}
	for a := range n.addrs {
		l.protect(a, m.why, m.role)
		l.outside = l.outside || m.owner && !Private(a)
	}
	if len(n.addrs) == 0 {
		l.outside = l.outside || m.owner // the owner has done his part
		l.problem(m.why+m.name, unresolved(m, n))
	}
}

// unresolved says that a name protects nothing.
func unresolved(m mention, n *name) string {
	if strings.Contains(strings.ToLower(m.why), m.name) {
		if strings.Contains(m.why, ", which ") {
			return m.why + ", is not protected: " + n.err
		}
		return m.why + " is not protected: " + n.err
	}
	return m.why + ": " + m.name + " is not protected: " + n.err // a name in a file
}

// tell logs each problem when it appears.
func (f *Finder) tell(problems []problem) {
	told := make(map[string]bool, len(problems))
	texts := make([]string, 0, len(problems))
	for _, p := range problems {
		if told[p.key] {
			continue
		}
		told[p.key] = true
		texts = append(texts, p.text)
		if f.Log != nil && !f.told[p.key] {
			f.Log.Warn("something may not be protected from bans", "problem", p.text)
		}
	}
	f.told = told
	f.problems.Store(&texts)
}

// A look is what Find has seen so far.
type look struct {
	entries  []entry
	problems []problem
	outside  bool
}

// A problem is one thing that could not be found out.
type problem struct {
	key  string // stays the same from one look to the next
	text string
}

// protect adds a single address.
func (l *look) protect(a netip.Addr, why string, r Role) {
	if a.IsValid() && !a.IsUnspecified() {
		l.entries = append(l.entries, entry{prefix: single(a), why: why, role: r})
	}
}

func (l *look) problem(key, text string) { l.problems = append(l.problems, problem{key, text}) }

// shorten cuts what may be anything.
func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
