//go:build !linux

package term

import (
	"errors"
	"io"
)

// Interactive reports whether a person types what is read from r: never, where what
// is typed cannot be hidden.
func Interactive(io.Reader) bool { return false }

// Hide keeps what is typed from being shown, until show is called.
func Hide(io.Reader) (show func(), err error) { return nil, errors.New("not on this system") }
