package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

const secretForms = "file:PATH, env:NAME or the text itself"

// credential reads what a secret stands for, in all its lines.
func (v value) credential() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.wrong("is %s; write %s", v.kind(), secretForms)
		return "", false
	}
	text, ok := v.node.Value, true
	if path, is := strings.CutPrefix(text, "file:"); is {
		text, ok = v.secretFile(path)
	} else if name, is := strings.CutPrefix(text, "env:"); is {
		text, ok = v.secretEnv(name)
	}
	if !ok {
		return "", false
	}
	text = strings.TrimRight(text, "\r\n")
	if v.null() || strings.TrimSpace(text) == "" {
		v.wrong("is empty; write %s", secretForms)
		return "", false
	}
	return text, true
}

func (v value) secretFile(path string) (string, bool) {
	if path == "" || hasControl(path) {
		v.wrong("file: names no file; write file:PATH")
		return "", false
	}
	data, ok := v.content(v.r.absolute(path))
	if ok && strings.TrimSpace(string(data)) == "" {
		v.wrong("%s is empty; put the secret into it", quote(v.r.absolute(path)))
		return "", false
	}
	return string(data), ok
}

func (v value) secretEnv(name string) (string, bool) {
	text, ok := v.r.env.LookupEnv(name)
	switch {
	case name == "":
		v.wrong("env: names no variable; write env:NAME")
	case !ok:
		v.wrong("the environment has no %s; set it, or write file:PATH", quote(name))
	case strings.TrimSpace(text) == "":
		v.wrong("%s is set to nothing in the environment; set it to the secret", quote(name))
	default:
		return text, true
	}
	return "", false
}

// content reads a file that the configuration refers to.
func (v value) content(path string) ([]byte, bool) {
	const most = 1 << 20
	data, err := v.r.env.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.wrong("%s does not exist; put it there, or correct the path", quote(path))
	case errors.Is(err, fs.ErrPermission):
		v.wrong("%s may not be read by uid %d; chown it to that uid, or give its group or everyone the right to read it", quote(path), v.r.env.UID)
	case errors.Is(err, syscall.EISDIR):
		v.wrong("%s is a folder; docker makes one where the file to be mounted does not exist", quote(path))
	case err != nil:
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err // the path is in the sentence already
		}
		v.wrong("%s cannot be read: %v", quote(path), err)
	case len(data) > most:
		v.wrong("%s is larger than %d KiB; it is another file", quote(path), most>>10)
	default:
		return data, true
	}
	return nil, false
}

// secret reads a secret of one line.
func (v value) secret() (Secret, bool) {
	text, ok := v.credential()
	if ok && hasControl(text) {
		v.wrong("holds more than one line, or a control character; it must be one line of text")
		return Secret{}, false
	}
	return NewSecret(text), ok
}

// readKeyFile returns the reading of an API key in the form in which OPNsense
// lets it be downloaded: a line key=... and a line secret=...
func readKeyFile(key, secret *Secret) func(value) {
	return func(v value) {
		text, ok := v.credential()
		if !ok {
			return
		}
		for field := range strings.FieldsSeq(text) {
			name, val, _ := strings.Cut(field, "=")
			switch name {
			case "key":
				*key = NewSecret(val)
			case "secret":
				*secret = NewSecret(val)
			}
		}
		if key.Empty() || secret.Empty() || hasControl(key.Reveal()+secret.Reveal()) {
			v.wrong("must have a line key=... and a line secret=...; write file: and the path of the file that OPNsense let you download")
		}
	}
}
