package config

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret is text that is never printed. It is held behind a pointer: for a verb
// that does not fit, fmt prints what lies in a struct without asking its methods.
type Secret struct{ text *string }

// NewSecret returns a secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is none.
func (s Secret) Empty() bool { return s.text == nil }

const redacted = "<secret>"

// String returns a placeholder, and so does every other way to print it.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// Format is String for every verb of fmt, %#v and %d included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps JSON and YAML from printing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps slog from printing it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
