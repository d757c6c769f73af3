// Package fail2ban reads a folder like /etc/fail2ban into a config.Config, and
// says with file and line what of it edgeban does not honour and what to do
// instead. One jail that is wrong never stops the others.
//
// It runs nothing: no command of an action or of ignorecommand, no Python. It
// reads no log. Secrets never come into notes and errors.
package fail2ban

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// A Result is what a folder says.
type Result struct {
	// Config starts from config.Default. Jails holds those that are enabled and
	// work, in the order of the files, and is never nil.
	Config config.Config

	// Notes are sorted by file and line.
	Notes []Note

	// Disabled are the jails that nobody has enabled, in the order of the files.
	Disabled []Disabled

	resolved []Resolved
}

// A Disabled is a jail that the folder has and that is not enabled there.
type Disabled struct {
	Jail string
	File string // where its section begins, in the last file that has it
	Line int
}

// Resolved returns every enabled jail as fail2ban would understand it, those that
// are left out too.
func (r Result) Resolved() []Resolved { return r.resolved }

// A Resolved is an enabled jail, its values expanded as fail2ban expands them.
type Resolved struct {
	Jail        string
	File        string // where its section begins
	Line        int
	Reason      string            // why it is left out, the first of perhaps many; empty if it runs
	Filter      string            // the name of its filter; empty for none
	Backend     string            //
	Options     map[string]string // those that the tree says, but patterns and actions; numbers and truths in one spelling
	Rules       config.Rules      // UseDNS and LogEncoding are those of the configuration: never empty
	LogPath     []LogPath
	IgnoreIP    []string // words
	Actions     []Action
	Translation *config.Jail // nil where it is left out
}

// A LogPath is a glob as Python knows it, and whether its files are read from the
// head or the tail.
type LogPath struct{ Glob, From string }

// An Action is one that a jail names. Any parameter may be a secret.
type Action struct {
	Name   string
	Params map[string]config.Secret // those in brackets, and name, actname, and [Init] of its file, without known/
}

// Read reads the folder for a user of this id. The error is for a folder that
// says nothing at all: without jail.conf and jail.local, or one that is written
// wrong or may not be read. It begins with file:line where there is one.
func Read(dir string, uid int) (Result, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Result{}, fmt.Errorf("fail2ban's folder %s: %w", dir, err)
	}
	return read(os.DirFS("/"), filepath.ToSlash(abs), uid)
}

func read(fsys fs.FS, dir string, uid int) (Result, error) {
	r := &reader{
		dir: dir, uid: uid, tree: ini.New(fsys, dir), docs: map[string]*ini.Document{},
		result: Result{Config: config.Default()},
	}
	r.result.Config.Fail2ban = dir
	r.result.Config.Jails = []config.Jail{}
	var err error
	if r.jails, err = r.tree.Document("jail"); err != nil {
		return Result{}, r.whole(err)
	}
	if r.jails == nil {
		return Result{}, fmt.Errorf("%s: has neither jail.conf nor jail.local; name the folder that your fail2ban reads, usually /etc/fail2ban", dir)
	}
	r.jails.SetDefault("fail2ban_version", version)
	r.jails.SetDefault("fail2ban_confpath", dir)
	on := map[string]bool{}
	for _, name := range r.jails.Sections() {
		on[name] = r.section(name)
	}
	r.misspelt(on)
	r.finish()
	return r.result, nil
}

// version is what %(fail2ban_version)s becomes: the last release whose files were
// tried.
const version = "1.1.1"

// A reader turns one folder into a Result.
type reader struct {
	dir       string
	uid       int
	tree      *ini.Tree
	jails     *ini.Document
	docs      map[string]*ini.Document // nil for those without a file
	result    Result
	notifiers []notifier
	native    bool   // the targets are those of the tree
	unused    []Note // of actions that name a firewall in jails that have no other
}

// whole adds to an error who it is that may not read.
func (r *reader) whole(err error) error {
	if e := (*ini.Error)(nil); errors.As(err, &e) && errors.Is(err, fs.ErrPermission) {
		return &ini.Error{Place: e.Place, Msg: fmt.Sprintf("%s (edgeban runs as uid %d)", e.Msg, r.uid), Err: e.Err}
	}
	return err
}

// document reads a document once. Nil without an error means that it has no file.
func (r *reader) document(name string) (*ini.Document, error) {
	if d, ok := r.docs[name]; ok {
		return d, nil
	}
	d, err := r.tree.Document(name)
	if err != nil {
		return nil, r.whole(err)
	}
	r.docs[name] = d
	return d, nil
}

// section reads what may be a jail, and reports whether it is enabled.
func (r *reader) section(name string) bool {
	at := r.jails.Place(name)
	j := &jail{reader: r, name: name, at: at}
	on, err := j.truth("enabled")
	if err == nil && !on {
		r.result.Disabled = append(r.result.Disabled, Disabled{name, at.File, at.Line})
		j.checkDisabled()
		return false
	}
	j.resolved = Resolved{Jail: name, File: at.File, Line: at.Line, Options: map[string]string{}}
	if err == nil {
		err = j.read()
	}
	if err != nil {
		j.leaveOut(each(err))
	} else {
		j.commit()
	}
	return true
}

// leaveOut says why a jail is left out, and what else does not work in it, so that
// all of it can be mended at once.
func (j *jail) leaveOut(faults []error) {
	for _, err := range faults {
		n := note(Broken, j.at, err)
		n.Jail = j.name
		j.result.Notes = append(j.result.Notes, n)
		j.resolved.Reason = cmp.Or(j.resolved.Reason, n.Text)
	}
	j.notes = slices.DeleteFunc(j.notes, func(n Note) bool { return n.Level == Info })
	j.tell()
	j.result.resolved = append(j.result.resolved, j.resolved)
}

// tell keeps the notes of the jail. What becomes of the bans that an action cannot
// tell its firewall depends on the other jails.
func (j *jail) tell() {
	for _, n := range j.notes {
		n.Jail = j.name
		j.result.Notes = append(j.result.Notes, n)
	}
	for _, err := range j.unused {
		n := note(Problem, j.at, err)
		if n.Jail = j.name; len(j.targets) > 0 {
			j.result.Notes = append(j.result.Notes, n)
		} else {
			j.reader.unused = append(j.reader.unused, n)
		}
	}
}

// commit takes a jail that works, with all that it wants.
func (j *jail) commit() {
	j.tell()
	for _, t := range j.targets {
		j.addTarget(t)
	}
	for _, n := range j.ntfys {
		j.addNotifier(n)
	}
	j.result.Config.Sources, j.out.Source = value.AddJournal(j.result.Config.Sources, j.journal)
	j.resolved.Translation = &j.out
	j.result.resolved = append(j.result.resolved, j.resolved)
	j.result.Config.Jails = append(j.result.Config.Jails, j.out)
}

// finish settles what depends on all jails.
func (r *reader) finish() {
	r.finishNotifiers()
	for _, n := range r.unused {
		if n.Text += "; until then "; r.native {
			n.Text += "its bans go to all other targets"
		} else {
			n.Text += "no firewall is told of its bans"
		}
		r.result.Notes = append(r.result.Notes, n)
	}
	for _, n := range r.tree.Notes() {
		r.result.Notes = append(r.result.Notes, note(Warning, n.Place, n))
	}
	r.result.Notes = sorted(r.result.Notes)
}

// NamedFilter is ReadFilter for a filter as jails and fail2ban-regex name it, such
// as sshd[mode=aggressive].
func NamedFilter(dir, text string) (config.Rules, error) {
	it, err := ini.OneItem(ini.NewText(text, ini.Place{}))
	if err != nil {
		return config.Rules{}, err
	}
	options := map[string]string{}
	for k, v := range it.Params {
		options[k] = v.String()
	}
	return ReadFilter(dir, it.Name, options)
}

// ReadFilter returns the rules of one filter in a folder, given these parameters,
// as a jail that says nothing else would have them.
func ReadFilter(dir, name string, options map[string]string) (config.Rules, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return config.Rules{}, fmt.Errorf("fail2ban's folder %s: %w", dir, err)
	}
	r := &reader{dir: abs, tree: ini.New(os.DirFS("/"), filepath.ToSlash(abs)), docs: map[string]*ini.Document{}}
	params := map[string]ini.Text{}
	for k, v := range options {
		params[k] = ini.NewText(v, ini.Place{})
	}
	f, err := r.openFilter(name, ini.Place{File: r.dir}, params, "")
	if err != nil {
		return config.Rules{}, err
	}
	rules, _, err := rulesOf(f, nil)
	return rules, err
}
