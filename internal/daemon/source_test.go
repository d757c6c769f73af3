package daemon_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/web"
)

// freePort returns a port of loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fails is a failed login as Docker's driver sends it.
func fails(addr string, n int) string {
	now := time.Now()
	return fmt.Sprintf("<19>%s mail-dovecot-1[21]: %s auth: Info: passwd-file(eve,%s,<s%d>): Password mismatch\n",
		now.Format(time.Stamp), now.Format(time.Stamp), addr, n)
}

// stream returns how far an origin is.
func (s *site) stream(origin string) (w web.Stream) {
	st, err := s.client.Status(s.Context())
	if err != nil {
		return w
	}
	for _, w := range st.Streams {
		if w.Origin == origin {
			return w
		}
	}
	return w
}

// Lines that are sent lead to a ban, and a reload cuts no sender off, also while it
// changes what is done with the lines.
func TestSentLinesAreHeardOverAReload(t *testing.T) {
	s := newSite(t)
	at := freePort(t)
	s.yaml = strings.Replace(s.yaml, "jails:\n  dovecot: {logpath: \"*.log\"}\n", fmt.Sprintf("sources:\n  - syslog: {listen: \"tcp://%s\"}\njails:\n  dovecot: {source: syslog/127.0.0.1}\n  sshd: {source: syslog/192.0.2.9}\n", at), 1)
	s.start()
	var conn net.Conn
	s.until("it listens", func() (ok bool) {
		c, err := net.Dial("tcp", at)
		conn = c
		return err == nil
	})
	defer conn.Close()
	send := func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := conn.Write([]byte(fails("203.0.113.44", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, 3)
	s.until("three lines are read", func() bool { return s.stream("syslog/127.0.0.1").Lines == 3 })
	s.until("and recorded", func() bool { // else the next generation looks at them again
		w, err := s.client.Why(t.Context(), netip.MustParsePrefix("203.0.113.44/32"))
		return err == nil && len(w.Lines) == 3
	})
	s.yaml = strings.Replace(s.yaml, "dovecot: {source", "dovecot: {maxretry: 6, source", 1)
	s.hup <- syscall.SIGHUP
	s.until("it is reloaded", func() bool { return strings.Contains(s.out.String(), "reloaded") })
	send(3, 6)
	s.until("the firewall holds it", func() bool { return s.holds("203.0.113.44") })
	if w := s.stream("syslog/127.0.0.1"); w.Source != "syslog" || w.Lines != 6 || !w.Live || w.Error != "" {
		t.Errorf("status says %+v, want six lines of one sender", w)
	}
	st, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range st.Jails {
		if want := map[string]int64{"dovecot": 6, "sshd": 0}[j.Name]; j.Lines != want {
			t.Errorf("jail %s has seen %d lines, want %d: it reads whom it names", j.Name, j.Lines, want)
		}
	}
	s.yaml = strings.Replace(s.yaml, "listen: \"tcp://"+at, "listen: \"tcp://"+freePort(t), 1)
	s.hup <- syscall.SIGHUP
	s.until("what is not named any more is closed", func() bool {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		return err != nil && !os.IsTimeout(err)
	})
}

// An engine that does not answer is a trouble until it does, and stops nothing else.
func TestEngineThatIsAwayIsATroubleUntilItIsBack(t *testing.T) {
	s := newSite(t)
	at := freePort(t)
	s.yaml = strings.Replace(s.yaml, "jails:\n", "sources:\n  - docker: {url: \"http://"+at+"\"}\njails:\n", 1)
	s.yaml = strings.Replace(s.yaml, `logpath: "*.log"`, `logpath: "*.log", source: docker/mail-*`, 1)
	s.start()
	trouble := func() string {
		st, err := s.client.Status(t.Context())
		if err != nil {
			return err.Error()
		}
		for _, text := range st.Troubles {
			if strings.Contains(text, "start the engine") {
				return text
			}
		}
		return ""
	}
	s.until("the trouble is told", func() bool { return trouble() != "" })
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_ = json.NewEncoder(w).Encode([]any{})
	})}}
	srv.Start()
	defer srv.Close()
	defer srv.CloseClientConnections()
	s.until("the trouble is over", func() bool { return trouble() == "" })
}
