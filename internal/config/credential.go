package config

import (
	"strings"

	"github.com/edgeban/edgeban/internal/config/node"
)

// secret reads a secret of one line.
func secret(v node.Value) (Secret, bool) {
	text, ok := v.Credential()
	if ok && node.HasControl(text) {
		v.Wrong("holds more than one line, or a control character; it must be one line of text")
		return Secret{}, false
	}
	return NewSecret(text), ok
}

// readKeyFile returns the reading of an API key in the form in which OPNsense
// lets it be downloaded: a line key=... and a line secret=...
func readKeyFile(key, secret *Secret) func(node.Value) {
	return func(v node.Value) {
		text, ok := v.Credential()
		if !ok {
			return
		}
		*key, *secret = ParseKey(text)
		if key.Empty() {
			v.Wrong("must have a line key=... and a line secret=...; write file: and the path of the file that OPNsense let you download")
		}
	}
}

// ParseKey reads an API key in the form in which OPNsense lets it be downloaded. What
// it returns is empty if text is none.
func ParseKey(text string) (key, secret Secret) {
	for field := range strings.FieldsSeq(text) {
		name, val, _ := strings.Cut(field, "=")
		switch name {
		case "key":
			key = NewSecret(val)
		case "secret":
			secret = NewSecret(val)
		}
	}
	if key.Empty() || secret.Empty() || node.HasControl(key.Reveal()+secret.Reveal()) {
		return Secret{}, Secret{}
	}
	return key, secret
}
