package node

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

const secretForms = "file:PATH, env:NAME or the text itself"

// Credential reads what a secret stands for, in all its lines.
func (v Value) Credential() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.Wrong("is %s; write %s", v.Kind(), secretForms)
		return "", false
	}
	text, ok := v.node.Value, true
	if path, is := strings.CutPrefix(text, "file:"); is {
		text, ok = v.secretFile(path)
	} else if name, is := strings.CutPrefix(text, "env:"); is {
		text, ok = v.variable(name, "file:PATH")
	}
	if !ok {
		return "", false
	}
	text = strings.TrimRight(text, "\r\n")
	if v.Null() || strings.TrimSpace(text) == "" {
		v.Wrong("is empty; write %s", secretForms)
		return "", false
	}
	return text, true
}

func (v Value) secretFile(path string) (string, bool) {
	if path == "" || HasControl(path) {
		v.Wrong("file: names no file; write file:PATH")
		return "", false
	}
	data, ok := v.Content(v.Absolute(path))
	if ok && strings.TrimSpace(string(data)) == "" {
		v.Wrong("%s is empty; put the secret into it", Quote(v.Absolute(path)))
		return "", false
	}
	return string(data), ok
}

// FromEnv returns a reading to which env:NAME stands for what the environment has
// under that name.
func FromEnv(read func(Value)) func(Value) {
	return func(v Value) {
		name, is := strings.CutPrefix(v.node.Value, "env:")
		if v.node.Kind != yaml.ScalarNode || !is {
			read(v)
			return
		}
		if text, ok := v.variable(name, "the value itself"); ok {
			n := *v.node
			n.Value = text
			v.node = &n
			read(v)
		}
	}
}

// variable returns what the environment has under a name; other is what may be
// written in its place.
func (v Value) variable(name, other string) (string, bool) {
	text, ok := v.r.env.LookupEnv(name)
	switch {
	case name == "":
		v.Wrong("env: names no variable; write env:NAME")
	case !ok:
		v.Wrong("the environment has no %s; set it, or write %s", Quote(name), other)
	case strings.TrimSpace(text) == "":
		v.Wrong("%s is set to nothing in the environment; give it a value", Quote(name))
	default:
		return text, true
	}
	return "", false
}

// Content reads a file that the configuration refers to.
func (v Value) Content(path string) ([]byte, bool) {
	const most = 1 << 20
	data, err := v.r.env.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.Wrong("%s does not exist; put it there, or correct the path", Quote(path))
	case errors.Is(err, fs.ErrPermission):
		v.Wrong("%s may not be read by uid %d; chown it to that uid, or give its group or everyone the right to read it", Quote(path), v.r.env.UID)
	case errors.Is(err, syscall.EISDIR):
		v.Wrong("%s is a folder; docker makes one where the file to be mounted does not exist", Quote(path))
	case err != nil:
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err // the path is in the sentence already
		}
		v.Wrong("%s cannot be read: %v", Quote(path), err)
	case len(data) > most:
		v.Wrong("%s is larger than %d KiB; it is another file", Quote(path), most>>10)
	default:
		return data, true
	}
	return nil, false
}
