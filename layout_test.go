package edgeban_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/edgeban/edgeban"

// may lists what each package may import of this module. The layout in
// ARCHITECTURE.md is this table; a package that is not here may not exist.
var may = map[string][]string{
	"":                                    {},
	"bench/genlog":                        {},
	"bench/run":                           {},
	"cmd/edgeban":                         {"internal/cli"},
	"internal/account":                    {""},
	"internal/cli":                        {"*"},
	"internal/cli/check":                  {"internal/cli/term", "internal/config", "internal/fail2ban", "internal/filter", "internal/filter/compat", "internal/filter/pyre", "internal/filter/scan", "internal/never"},
	"internal/cli/diagnosis":              {"", "internal/cli/term", "internal/doctor"},
	"internal/cli/prepare":                {"internal/cli/term", "internal/config", "internal/enforce/opnsense/api", "internal/enforce/opnsense/provision"},
	"internal/cli/story":                  {"internal/cli/term", "internal/web"},
	"internal/cli/term":                   {"internal/config"},
	"internal/cli/setup":                  {"internal/config", "internal/fail2ban"},
	"internal/config":                     {"", "internal/config/node", "internal/config/timezone", "internal/formula"},
	"internal/config/timezone":            {"internal/config/node"},
	"internal/config/node":                {},
	"internal/config/write":               {"", "internal/config", "internal/config/timezone"},
	"internal/daemon":                     {"*"},
	"internal/daemon/judge":               {"", "internal/config", "internal/jail"},
	"internal/daemon/ports":               {},
	"internal/daemon/wall":                {},
	"internal/demo":                       {"*"},
	"internal/doctor":                     {"", "internal/config", "internal/enforce/dovecot", "internal/enforce/opnsense", "internal/enforce/postfix", "internal/enforce/traefik", "internal/filter", "internal/intake", "internal/never", "internal/notify", "internal/source", "internal/source/docker", "internal/source/glob", "internal/source/journal", "internal/web", "internal/zone"},
	"internal/doctor/mail":                {"", "internal/config", "internal/filter", "internal/intake", "internal/source/glob"},
	"internal/enforce":                    {"", "internal/config"},
	"internal/enforce/dovecot":            {"", "internal/account", "internal/config", "internal/enforce", "internal/enforce/endpoint", "internal/enforce/gate"},
	"internal/enforce/endpoint":           {"", "internal/config"},
	"internal/enforce/gate":               {"internal/enforce"},
	"internal/enforce/postfix":            {"", "internal/config", "internal/enforce", "internal/enforce/endpoint", "internal/enforce/gate"},
	"internal/enforce/feed":               {"", "internal/config", "internal/enforce", "internal/enforce/endpoint"},
	"internal/enforce/traefik":            {"", "internal/config", "internal/enforce", "internal/enforce/endpoint"},
	"internal/enforce/opnsense":           {"", "internal/config", "internal/enforce", "internal/enforce/opnsense/api", "internal/enforce/opnsense/pf", "internal/enforce/opnsense/rules", "internal/enforce/opnsense/states"},
	"internal/enforce/opnsense/api":       {"", "internal/config", "internal/enforce/opnsense/rules"},
	"internal/enforce/opnsense/provision": {"internal/config", "internal/enforce/opnsense", "internal/enforce/opnsense/api", "internal/enforce/opnsense/rules"},
	"internal/enforce/opnsense/pf":        {},
	"internal/enforce/opnsense/rules":     {},
	"internal/enforce/opnsense/states":    {"internal/enforce/opnsense/pf"},
	"internal/fail2ban":                   {"", "internal/config", "internal/config/timezone", "internal/fail2ban/ini", "internal/fail2ban/value", "internal/filter/compat"},
	"internal/fail2ban/value":             {"internal/config", "internal/fail2ban/ini"},
	"internal/fail2ban/ini":               {},
	"internal/filter":                     {"", "internal/config", "internal/filter/clock", "internal/filter/date", "internal/filter/pattern", "internal/filter/pyre", "internal/filter/scan"},
	"internal/filter/clock":               {""},
	"internal/filter/compat":              {"", "internal/config", "internal/filter", "internal/filter/clock", "internal/filter/compat/charset", "internal/filter/compat/session", "internal/filter/datepattern", "internal/filter/pyre", "internal/filter/scan"},
	"internal/filter/date":                {},
	"internal/filter/compat/charset":      {},
	"internal/filter/compat/session":      {},
	"internal/filter/datepattern":         {"internal/filter/pyre", "internal/filter/pyre/syntax", "internal/inuse"},
	"internal/filter/pattern":             {"internal/filter/pyre"},
	"internal/filter/pyre":                {"internal/filter/pyre/graph", "internal/filter/pyre/syntax", "internal/filter/pyre/table", "internal/filter/pyre/way", "internal/inuse"},
	"internal/filter/pyre/graph":          {"internal/filter/pyre/syntax"},
	"internal/filter/scan":                {},
	"internal/filter/pyre/syntax":         {},
	"internal/filter/pyre/table":          {},
	"internal/filter/pyre/way":            {"internal/filter/pyre/graph", "internal/filter/pyre/syntax"},
	"internal/formula":                    {},
	"internal/intake":                     {"", "internal/account", "internal/config", "internal/filter", "internal/filter/compat", "internal/filter/scan", "internal/intake/ahead", "internal/intake/flood", "internal/intake/forms", "internal/intake/parcel", "internal/intake/ring", "internal/intake/spare", "internal/intake/tray", "internal/jail", "internal/never", "internal/source"},
	"internal/intake/ahead":               {},
	"internal/intake/flood":               {""},
	"internal/intake/forms":               {},
	"internal/intake/parcel":              {""},
	"internal/intake/ring":                {},
	"internal/intake/spare":               {},
	"internal/intake/tray":                {"", "internal/filter/scan", "internal/intake/spare", "internal/source/whole"},
	"internal/inuse":                      {},
	"internal/jail":                       {"", "internal/config", "internal/formula", "internal/sorted"},
	"internal/leak":                       {""},
	"internal/leak/lookout":               {"", "internal/enforce", "internal/leak"},
	"internal/never":                      {"", "internal/config"},
	"internal/notify":                     {"", "internal/config"},
	"internal/sorted":                     {},
	"internal/source":                     {"", "internal/config", "internal/source/glob", "internal/source/whole"},
	"internal/source/docker":              {"", "internal/source", "internal/source/gather"},
	"internal/source/gather":              {"", "internal/source"},
	"internal/source/journal":             {"", "internal/config", "internal/source", "internal/source/gather"},
	"internal/source/syslog":              {"", "internal/config", "internal/source", "internal/source/gather"},
	"internal/source/glob":                {},
	"internal/source/warm":                {},
	"internal/source/whole":               {},
	"internal/store/lease":                {""},
	"internal/store/sqlite":               {"", "internal/sorted", "internal/store/lease", "internal/store/sqlite/file", "internal/store/sqlite/known", "internal/store/sqlite/page", "internal/store/sqlite/row", "internal/store/sqlite/tail"},
	"internal/store/sqlite/file":          {"", "internal/store/sqlite/row"},
	"internal/store/sqlite/known":         {"", "internal/sorted", "internal/store/sqlite/row"},
	"internal/store/sqlite/page":          {"", "internal/store/sqlite/row"},
	"internal/store/sqlite/row":           {""},
	"internal/store/sqlite/tail":          {""},
	"internal/systemd":                    {},
	"internal/web":                        {"", "internal/config"},
	"internal/zeroconf":                   {"internal/config"},
	"internal/zone":                       {"internal/config", "internal/never"},
	"internal/certs":                      {"internal/config", "internal/store/lease"},
	"internal/cli/certflag":               {"", "internal/certs", "internal/config", "internal/notify"},

	// For tests; see testOnly.
	"internal/enforce/enforcetest":                  {"", "internal/enforce"},
	"internal/enforce/opnsense/opnsensetest":        {"internal/config"},
	"internal/enforce/opnsense/opnsensetest/cert":   {},
	"internal/enforce/opnsense/opnsensetest/cmd":    {},
	"internal/enforce/opnsense/opnsensetest/model":  {},
	"internal/enforce/opnsense/opnsensetest/pf":     {},
	"internal/enforce/opnsense/opnsensetest/system": {},
	"internal/notify/ntfytest":                      {""},
	"internal/store/storetest":                      {""},
}

// testOnly lists the packages that exist for tests, and who may import them all
// the same: the demo, whose fakes no configuration can reach, and each other.
var testOnly = map[string][]string{
	"internal/enforce/enforcetest":                  {},
	"internal/enforce/opnsense/opnsensetest":        {"internal/demo", "internal/enforce/opnsense/opnsensetest/cmd"},
	"internal/enforce/opnsense/opnsensetest/cert":   {"internal/enforce/opnsense/opnsensetest"},
	"internal/enforce/opnsense/opnsensetest/model":  {"internal/enforce/opnsense/opnsensetest", "internal/enforce/opnsense/opnsensetest/system"},
	"internal/enforce/opnsense/opnsensetest/pf":     {"internal/enforce/opnsense/opnsensetest", "internal/enforce/opnsense/opnsensetest/model", "internal/enforce/opnsense/opnsensetest/system"},
	"internal/enforce/opnsense/opnsensetest/system": {"internal/enforce/opnsense/opnsensetest"},
	"internal/notify/ntfytest":                      {"internal/demo"},
	"internal/store/storetest":                      {},
}

// outside lists who may import which module that is not ours. Each line is a
// decision that ARCHITECTURE.md gives the reasons of.
var outside = map[string][]string{
	"github.com/fsnotify/fsnotify": {"internal/certs", "internal/source"},
	"go.yaml.in/yaml/v3":           {"internal/config", "internal/config/node", "internal/config/write", "internal/filter"},
	"golang.org/x/sync":            {"internal/daemon", "internal/daemon/judge", "internal/enforce", "internal/enforce/opnsense", "internal/leak/lookout"},
	"golang.org/x/sys":             {"internal/cli/term", "internal/source", "internal/source/warm"},
	"golang.org/x/text":            {"internal/filter/compat/charset"},
	"modernc.org/sqlite":           {"internal/store/sqlite/file"},
}

// The budgets, in lines. What outgrows one is two things: take it apart.
const (
	maxFunc    = 80
	maxFile    = 500
	maxPackage = 2000
	maxRoot    = 600
)

// A source is a file of the product: everything but tests.
type source struct {
	name, pkg string // relative to the module
	ast       *ast.File
	fset      *token.FileSet
}

// sources parses the product. The files are read by this process rather than by
// the go command, so that a cached test result knows what it depends on.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata" || name == "tools" || name == "e2e" || name == "dist") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		if pkg == "." {
			pkg = ""
		}
		all = append(all, source{name, pkg, f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("found no Go files")
	}
	return all
}

func TestLayout(t *testing.T) {
	exists := map[string]bool{}
	for _, s := range sources(t) {
		if exists[s.pkg] = true; may[s.pkg] == nil {
			t.Errorf("%s: package %q is not in the layout", s.name, s.pkg)
			continue
		}
		for _, spec := range s.ast.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !mayImport(s.pkg, imp) {
				t.Errorf("%s: %q may not import %s", s.fset.Position(spec.Pos()), s.pkg, imp)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(may)) {
		if !exists[pkg] {
			t.Errorf("package %q is in the layout and does not exist", pkg)
		}
	}
}

func mayImport(pkg, imp string) bool {
	if !strings.Contains(strings.Split(imp, "/")[0], ".") {
		return true // the standard library
	}
	if imp != module && !strings.HasPrefix(imp, module+"/") {
		for mod, who := range outside {
			if imp == mod || strings.HasPrefix(imp, mod+"/") {
				return slices.Contains(who, pkg)
			}
		}
		return false
	}
	imp = strings.TrimPrefix(strings.TrimPrefix(imp, module), "/")
	if who, ok := testOnly[imp]; ok {
		return slices.Contains(who, pkg)
	}
	if imp == "internal/cli" && pkg != "cmd/edgeban" {
		return false
	}
	return slices.Contains(may[pkg], imp) || slices.Contains(may[pkg], "*")
}

func TestNothingOutgrowsItsBudget(t *testing.T) {
	packages := map[string]int{}
	for _, s := range sources(t) {
		lines := s.fset.File(s.ast.Pos()).LineCount()
		packages[s.pkg] += lines
		if lines > maxFile {
			t.Errorf("%s: %d lines, at most %d", s.name, lines, maxFile)
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.FuncDecl, *ast.FuncLit:
				from, to := s.fset.Position(n.Pos()), s.fset.Position(n.End())
				if lines := to.Line - from.Line + 1; lines > maxFunc {
					t.Errorf("%s: a function of %d lines, at most %d", from, lines, maxFunc)
				}
			}
			return true
		})
	}
	for pkg, lines := range packages {
		limit := maxPackage
		if pkg == "" {
			limit = maxRoot
		}
		if lines > limit {
			t.Errorf("package %q: %d lines, at most %d", path.Join(module, pkg), lines, limit)
		}
	}
}

func TestNothingHappensBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: an init function; call it from main, in the order that you mean", s.fset.Position(f.Pos()))
			}
		}
	}
}

var update = flag.Bool("update", false, "rewrite testdata/deps.txt")

// A package that comes into the binary is seen in the review of testdata/deps.txt.
func TestDepsAreThoseReviewed(t *testing.T) {
	const golden = "testdata/deps.txt"
	sources(t) // a cached result depends on what go list reads
	if _, err := os.Stat("go.mod"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		`{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}`, "./cmd/edgeban")
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v: go test -run TestDeps -update . writes it", err)
	}
	want := strings.Fields(string(text))
	for _, pkg := range got {
		if !slices.Contains(want, pkg) {
			t.Errorf("%s comes into the binary, and %s does not have it", pkg, golden)
		}
	}
	for _, pkg := range want {
		if !slices.Contains(got, pkg) {
			t.Errorf("%s has %s, which the binary does not need", golden, pkg)
		}
	}
	if t.Failed() {
		t.Log("if that is what you want: go test -run TestDeps -update . and say why in ARCHITECTURE.md")
	}
}
