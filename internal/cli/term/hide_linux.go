package term

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Interactive reports whether a person types what is read from r.
func Interactive(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Hide keeps what is typed from being shown, until show is called.
func Hide(r io.Reader) (show func(), err error) {
	f, ok := r.(*os.File)
	if !ok {
		return nil, errors.New("no terminal")
	}
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	silent := *was
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }, nil
}
