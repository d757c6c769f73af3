package api

import "errors"

// Stranger returns the pin of a certificate that nobody vouches for, if err is about
// such a one. The key was not sent to whoever showed it.
func Stranger(err error) (pin string, ok bool) {
	e, ok := errors.AsType[*Untrusted](err)
	if !ok {
		return "", false
	}
	return e.Got, true
}
