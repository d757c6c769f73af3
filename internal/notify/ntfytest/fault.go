package ntfytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// A Fault is a way in which the server fails.
type Fault int

// The faults.
const (
	None       Fault = iota
	Down             // nobody answers
	Broken           // 500
	Hang             // no answer until the client gives up
	LostAnswer       // the request is done, and the connection dies before the answer
)

// Fail makes the next requests fail: times of them, or if it is 0 all until Fail
// is called again. Fail(None, 0) mends the server.
func (s *Server) Fail(f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.times = f, times
}

// arrive counts a request and returns how it will fail.
func (s *Server) arrive() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	f := s.fault
	if s.times > 0 {
		if s.times--; s.times == 0 {
			s.fault = None
		}
	}
	return f
}

// Transport reaches the server from an address and port without a network, as
// tests in a synctest bubble must.
func (s *Server) Transport(from string) http.RoundTripper { return transport{s, from} }

type transport struct {
	server *Server
	from   string
}

// RoundTrip calls the handler and returns what it wrote, or the error of a
// connection that it dropped.
func (t transport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	r := req.Clone(req.Context())
	r.RemoteAddr = t.from
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	defer func() {
		p := recover()
		dropped, _ := p.(error)
		switch {
		case p == nil:
		case !errors.Is(dropped, http.ErrAbortHandler):
			panic(p)
		case req.Context().Err() != nil:
			resp, err = nil, req.Context().Err()
		default:
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	w := &recorder{header: make(http.Header), status: http.StatusOK}
	t.server.ServeHTTP(w, r)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

// A recorder is the least http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
