package opnsensetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// A Fault is one way in which a firewall does not answer as it should.
type Fault int

// The faults. Those that say so do what was asked before they fail.
const (
	Healthy      Fault = iota
	Refused            // nobody listens
	Hang               // no answer, ever
	Unauthorized       // 401, as after the key was deleted
	Forbidden          // 403, as after the privilege was taken away
	ServerError        // 500, unexpected
	BadGateway         // 502, as while the web server restarts
	Page               // 200 and a page of HTML, as from something else at this address
	Half               // does it, and loses half of the answer
	Lost               // does it, and loses the answer
)

// Fail makes the next calls fail in one way; negative for all until Heal.
func (f *Firewall) Fail(fault Fault, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.faults = fault, calls
}

// Slow delays every answer, after the effect.
func (f *Firewall) Slow(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = d
}

// Heal ends every fault.
func (f *Firewall) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.faults, f.slow = Healthy, 0, 0
}

func (f *Firewall) nextFault() (Fault, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults == 0 {
		return Healthy, f.slow
	}
	f.faults--
	return f.fault, f.slow
}

// cuts reports whether the connection is to be cut without any effect, and
// waits as long as the client does if that is the fault.
func (fault Fault) cuts(r *http.Request) bool {
	if fault == Hang {
		<-r.Context().Done()
	}
	return fault == Hang || fault == Refused
}

func (fault Fault) reply() (reply, bool) {
	page := []byte("<!DOCTYPE html>\n<html><body>It works!</body></html>\n")
	switch fault {
	case Unauthorized:
		return unauthorized(), true
	case Forbidden:
		return forbidden(), true
	case ServerError:
		return unexpected(), true
	case BadGateway:
		return reply{status: 502, body: page, kind: html}, true
	case Page:
		return reply{status: 200, body: page, kind: html}, true
	}
	return reply{}, false
}

func (fault Fault) write(w http.ResponseWriter, rep reply) {
	body, plain := rep.body.([]byte)
	if !plain && rep.body != nil {
		body, _ = json.Marshal(rep.body)
	}
	switch fault {
	case Lost:
		panic(http.ErrAbortHandler)
	case Half:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(rep.status)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(body)
}

// Client returns a way to reach f without any network: calls run in the
// caller's goroutine, so a synctest bubble knows of all that happens.
func (f *Firewall) Client() http.RoundTripper { return inProcess{f} }

type inProcess struct{ f *Firewall }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	in.RemoteAddr = "127.0.0.1:1"
	w := &recorder{header: http.Header{}}
	cut := w.serve(p.f, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.status == 0 {
		if cut && p.f.is(Refused) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		return nil, io.ErrUnexpectedEOF
	}
	var body io.Reader = &w.body
	if cut {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

func (f *Firewall) is(fault Fault) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault == fault
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *recorder) WriteHeader(status int)      { w.status = status }

// serve reports whether the connection was cut.
func (w *recorder) serve(h http.Handler, r *http.Request) (cut bool) {
	defer func() {
		got := recover()
		if err, ok := got.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			cut = true
		} else if got != nil {
			panic(got)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
