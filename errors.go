package edgeban

import (
	"errors"
	"time"
)

// Permanent marks err as one that trying again cannot mend: a person must act.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or an error that it wraps, was marked so.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[permanent](err)
	return ok
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// RetryAfter marks err as one that will not pass before d.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return retryAfter{err, d}
}

// RetryDelay returns how long err, or an error that it wraps, asked to wait.
func RetryDelay(err error) (time.Duration, bool) {
	r, ok := errors.AsType[retryAfter](err)
	return r.d, ok
}

type retryAfter struct {
	error
	d time.Duration
}

func (r retryAfter) Unwrap() error { return r.error }
