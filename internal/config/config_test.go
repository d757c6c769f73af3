package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected problems")

// room is an environment as a configuration finds it in a container.
func room() Env {
	files := map[string]string{
		"/etc/edgeban/ntfy.token": "tk_of_the_file\n",
		"/run/secrets/key.txt":    "key=the+key/of/a/file==\r\nsecret=the+secret/of/a/file==\r\n",
		"/run/secrets/empty":      "\n",
	}
	refused := map[string]error{
		"/run/secrets/denied": fs.ErrPermission,
		"/run/secrets/folder": syscall.EISDIR,
		"/run/secrets/broken": syscall.EIO,
	}
	vars := map[string]string{"NTFY_TOKEN": "tk_of_the_environment", "EMPTY": ""}
	return Env{
		UID: 65532,
		ReadFile: func(path string) ([]byte, error) {
			if err, ok := refused[path]; ok {
				return nil, &fs.PathError{Op: "read", Path: path, Err: err}
			}
			if path == "/run/secrets/large" {
				return make([]byte, 2<<20), nil
			}
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		LookupEnv: func(name string) (string, bool) {
			text, ok := vars[name]
			return text, ok
		},
	}
}

// Each file of testdata/bad is named for its mistake; the file beside it holds
// what a person is told. No telling holds the word that stands for a secret.
func TestMistakesAreToldWithPlaceAndWayOut(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files of mistakes, want 100 or more (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("edgeban.yaml", data, room())
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) == 0 {
				t.Fatalf("got %v, want problems", err)
			}
			got := problems.Error() + "\n"
			if strings.Contains(got, "hunter2") || strings.Contains(got, "hun/ter2") {
				t.Errorf("a problem holds the secret: %s", got)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".want", got)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
