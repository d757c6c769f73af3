package dovecot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/account"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
)

const word = "a long word"

func newDoor(c config.Dovecot) *Door {
	c.Listen, c.Token = "127.0.0.1:9092", config.NewSecret(word)
	return New(c, nil, slog.New(slog.DiscardHandler))
}

func prefixes(words ...string) (ps []netip.Prefix) {
	for _, w := range words {
		ps = append(ps, netip.MustParsePrefix(w))
	}
	return ps
}

func ban(t *testing.T, d *Door, words ...string) {
	t.Helper()
	if err := d.Apply(t.Context(), enforce.Diff{Want: prefixes(words...)}); err != nil {
		t.Fatal(err)
	}
}

// ask asks as Dovecot does.
func ask(d *Door, command, body, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/policy?command="+command, strings.NewReader(body))
	r.RemoteAddr = "172.30.0.4:4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, r)
	return w
}

// status is what Dovecot reads out of an answer.
func status(t *testing.T, w *httptest.ResponseRecorder) int {
	t.Helper()
	var answer struct {
		Status *int    `json:"status"`
		Msg    *string `json:"msg"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != 200 || err != nil || answer.Status == nil || answer.Msg == nil {
		t.Fatalf("answer %d %q, %v: Dovecot could not read it", w.Code, w.Body, err)
	}
	return *answer.Status
}

func reported(d *Door) (ms []account.Login) {
	for {
		select {
		case m := <-d.logins:
			ms = append(ms, m)
		default:
			return ms
		}
	}
}

func TestTheDoorKeepsTheContractOfTargets(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		d := newDoor(config.Dovecot{})
		return d, enforcetest.Control{Entries: func() []netip.Prefix {
			held, _ := d.Held(t.Context())
			return slices.DeleteFunc(slices.Clone(held), func(p netip.Prefix) bool {
				w := ask(d, "allow", fmt.Sprintf(`{"remote":"%s","login":"alice"}`, p.Addr()), word)
				return status(t, w) != -1
			})
		}}
	})
}

var recorded = regexp.MustCompile(`DOVECOT POST \S+command=(\w+) body=(\{.*\}) -> (\d+) (\{.*\})`)

// What a real Dovecot sent is answered as it was then, by a server that it understood:
// .192 was banned, .193 made to wait.
func TestARecordedDovecotIsAnswered(t *testing.T) {
	text, err := os.ReadFile("testdata/requests.log")
	if err != nil {
		t.Fatal(err)
	}
	refuse, wait := newDoor(config.Dovecot{}), newDoor(config.Dovecot{Tarpit: 3 * time.Second})
	refuse.Logins()
	wait.Logins()
	ban(t, refuse, "203.0.113.192/32")
	ban(t, wait, "203.0.113.193/32")
	all := recorded.FindAllStringSubmatch(string(text), -1)
	if len(all) < 15 {
		t.Fatalf("%d requests are recorded, want 15 at least", len(all))
	}
	for _, m := range all {
		var want struct{ Status int }
		if err := json.Unmarshal([]byte(m[4]), &want); err != nil {
			t.Fatal(err)
		}
		d := refuse
		if strings.Contains(m[2], "203.0.113.193") {
			d = wait
		}
		if got := status(t, ask(d, m[1], m[2], word)); got != want.Status {
			t.Errorf("%s %s: status %d, want %d", m[1], m[2], got, want.Status)
		}
	}
	if ms := reported(wait); len(ms) != 2 || ms[0].Kind != edgeban.Success || ms[0].User != "alice@example.com" || ms[0].Addr.String() != "203.0.113.193" {
		t.Errorf("who had to wait and logged in: %+v, want two successes", ms)
	}
	for _, m := range reported(refuse) {
		if m.Kind == edgeban.Failure {
			t.Errorf("our own refusal counts as a failure: %+v", m)
		}
	}
}

func TestReportsBecomeMatches(t *testing.T) {
	d := newDoor(config.Dovecot{})
	const failure = `{"device_id":"","login":"alice@example.com","protocol":"imap","pwhash":"0aba","remote":"::ffff:203.0.113.9","session_id":"p5K8O9xg","success":false,"policy_reject":false,"tls":true}`
	if ask(d, "report", failure, word); len(reported(d)) != 0 {
		t.Error("a report is kept for nobody")
	}
	d.Logins()
	ask(d, "report", failure, word)
	ask(d, "report", strings.Replace(failure, `"policy_reject":false`, `"policy_reject":true`, 1), word)
	ask(d, "report", strings.Replace(failure, `"success":false`, `"success":true`, 1), word)
	ms := reported(d)
	if len(ms) != 2 || ms[0].Kind != edgeban.Failure || ms[1].Kind != edgeban.Success || ms[0].ID == ms[1].ID {
		t.Fatalf("got %+v, want a failure and a success", ms)
	}
	if m := ms[0]; m.Addr != netip.MustParseAddr("203.0.113.9") || m.User != "alice@example.com" || !strings.Contains(m.Text, "imap") || strings.Contains(m.Text, "0aba") || m.Secret != "0aba" || time.Since(m.Time) > time.Minute {
		t.Errorf("got %+v", m)
	}
}

// Whoever may report may ban, and forgive.
func TestWithoutTheSecretNothingIsLearntAndNothingDone(t *testing.T) {
	var log bytes.Buffer
	c := config.Dovecot{Listen: "0.0.0.0:9092", Token: config.NewSecret(word), Allow: prefixes("172.30.0.0/24")}
	d := New(c, nil, slog.New(slog.NewTextHandler(&log, nil)))
	d.Logins()
	ban(t, d, "203.0.113.192/32")
	const body = `{"login":"alice","remote":"203.0.113.192","success":false}`
	for _, token := range []string{"", "a long", word + " ", strings.ToUpper(word)} {
		for _, command := range []string{"allow", "report"} {
			r := httptest.NewRequest(http.MethodPost, "/policy?command="+command+"&token="+strings.ReplaceAll(word, " ", "+"), strings.NewReader(body))
			r.RemoteAddr = "127.0.0.1:1"
			if token != "" {
				r.Header.Set("Authorization", "Basic "+token)
			}
			w := httptest.NewRecorder()
			d.Handler().ServeHTTP(w, r)
			if w.Code != 401 || strings.Contains(w.Body.String(), "status") {
				t.Errorf("%q %s: %d %q, want 401 and no word", token, command, w.Code, w.Body)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/policy?command=report", strings.NewReader(body))
	r.RemoteAddr = "192.168.77.9:1" // has the secret, and is not Dovecot
	r.Header.Set("Authorization", "Bearer "+word)
	w := httptest.NewRecorder()
	if d.Handler().ServeHTTP(w, r); w.Code != 401 {
		t.Errorf("from elsewhere: %d, want 401", w.Code)
	}
	if ms := reported(d); len(ms) > 0 {
		t.Errorf("they have brought in %+v", ms)
	}
	if !d.Asked().IsZero() || d.Trouble() != "" {
		t.Errorf("they count as questions of Dovecot's: %s", d.Trouble())
	}
	ask(d, "allow", `{"remote":"203.0.113.1"}`, "another")
	if !d.Asked().IsZero() || !strings.Contains(d.Trouble(), "another token") {
		t.Errorf("trouble %q, want that Dovecot's token is another", d.Trouble())
	}
	if ask(d, "allow", `{"remote":"203.0.113.1"}`, word); d.Trouble() != "" {
		t.Errorf("trouble %q once it has the right one, want none", d.Trouble())
	}
	if strings.Contains(log.String(), word) {
		t.Errorf("the secret is shown: %s", &log)
	}
}

// An answer that Dovecot cannot read lets the login go on; that we fail must do no
// more harm than that.
func TestGarbageHarmsNothing(t *testing.T) {
	d := newDoor(config.Dovecot{})
	d.Logins()
	ban(t, d, "203.0.113.192/32")
	for _, body := range []string{
		"", "null", "[]", `"x"`, "{", `{"remote":17}`, `{"remote":"203.0.113.192/32"}`, `{"remote":"nobody"}`, strings.Repeat("x", maxRequest+1),
		`{"remote":"203.0.113.192"` + strings.Repeat(" ", maxRequest) + "}",
	} {
		if w := ask(d, "report", body, word); w.Code != 400 && (w.Code != 200 || status(t, w) != 0) {
			t.Errorf("%.40q: %d %q", body, w.Code, w.Body)
		}
	}
	if w := ask(d, "allow", `{"login":"alice","remote":""}`, word); status(t, w) != 0 {
		t.Errorf("a login from nowhere, as of doveadm: %q", w.Body)
	}
	if w := ask(d, "drop", `{"remote":"203.0.113.192"}`, word); w.Code != 400 {
		t.Errorf("another command: %d", w.Code)
	}
	ask(d, "report", `{"remote":"203.0.113.9%eth0","login":"`+strings.Repeat(`\u0000\u001b[31m`, 300)+`","session_id":"`+strings.Repeat("s", 3000)+`"}`, word)
	for _, m := range reported(d) {
		if len(m.User) > edgeban.MaxText || len(m.Text) > edgeban.MaxText || m.Addr.Zone() != "" {
			t.Errorf("it came through: %d and %d bytes, %v", len(m.User), len(m.Text), m.Addr)
		}
	}
}

// A ledger that does not keep up must not keep Dovecot waiting.
func TestReportsNeverWait(t *testing.T) {
	d := newDoor(config.Dovecot{})
	d.Logins()
	for range maxQueue + 10 {
		ask(d, "report", `{"remote":"203.0.113.9","login":"alice"}`, word)
	}
	if notes := strings.Join(d.Notes(), " "); !strings.Contains(notes, "10 reported logins were dropped") {
		t.Errorf("notes: %q, want how many were dropped", notes)
	}
}

// A doveadmd is doveadm's HTTP API, as Dovecot 2.3 answers.
type doveadmd struct {
	mu     sync.Mutex
	kicked []string
	down   int    // how many calls fail
	key    string // that is taken, in base64; "key" if empty
	denied int    // calls with another one
}

func (s *doveadmd) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := httptest.NewRecorder()
	body, _ := io.ReadAll(r.Body)
	var calls [][]any
	switch {
	case s.down > 0:
		s.down--
		return nil, io.ErrUnexpectedEOF
	case r.Header.Get("Authorization") != "X-Dovecot-API "+cmp.Or(s.key, "a2V5"):
		s.denied++
		w.WriteHeader(401)
	case json.Unmarshal(body, &calls) != nil:
		w.WriteHeader(400)
	default:
		mask := calls[0][1].(map[string]any)["mask"].([]any)[0].(string)
		s.kicked = append(s.kicked, mask)
		if strings.HasPrefix(mask, "203.") {
			fmt.Fprint(w, `[["error",{"type":"exitCode", "exitCode":68},"edgeban"]]`)
		} else {
			fmt.Fprint(w, `[["doveadmResponse",[{"result":"alice@example.com"}],"edgeban"]]`)
		}
	}
	return w.Result(), nil
}

func (s *doveadmd) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kicked)
}

func TestSessionsOfWhoIsBannedAreEnded(t *testing.T) {
	s := &doveadmd{down: 1}
	c := config.Dovecot{Listen: "127.0.0.1:0", Token: config.NewSecret(word), Doveadm: "http://172.30.0.4:8080", DoveadmKey: config.NewSecret("key")}
	d := New(c, s, slog.New(slog.DiscardHandler))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ban(t, d, "192.168.77.9/32") // of an earlier life
	served := make(chan error, 1)
	go func() { served <- d.Serve(t.Context(), ln) }()
	ban(t, d, "192.168.77.9/32", "192.168.77.50/32", "2001:db8:9::/64", "203.0.113.5/32")
	for len(s.all()) < 3 {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		time.Sleep(time.Millisecond) // until the sessions are ended
	}
	if got, want := s.all(), []string{"192.168.77.50", "203.0.113.5", "2001:db8:9::/64"}; !slices.Equal(got, want) {
		t.Errorf("kicked %q, want %q", got, want)
	}
	ban(t, d, "192.168.77.9/32")
	c.DoveadmKey = config.NewSecret("another")
	if err := newDoveadm(c, s).kick(t.Context(), prefixes("192.168.77.50/32")[0]); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "another") {
		t.Errorf("a wrong key: %v", err)
	}
}

// A key that is refused leaves attackers in their sessions: people must be told, and
// once the key is right these sessions are ended, although nobody is banned anew.
func TestARefusedKeyIsATroubleUntilItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &doveadmd{}
		c := config.Dovecot{Listen: "127.0.0.1:0", Token: config.NewSecret(word), Doveadm: "http://172.30.0.4:8080", DoveadmKey: config.NewSecret("another")}
		d := New(c, s, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go d.doveadm.run(ctx, d.log)
		d.doveadm.later(prefixes("192.168.77.50/32", "203.0.113.5/32"))
		synctest.Wait()
		if got := d.Trouble(); !strings.Contains(got, "doveadm_key") || strings.Contains(got, "another") {
			t.Errorf("trouble %q, want one of the key", got)
		}
		time.Sleep(10 * again)
		synctest.Wait()
		s.mu.Lock()
		if s.denied != 11 {
			t.Errorf("asked %d times in ten minutes, want 11: there is nothing to hurry for", s.denied)
		}
		s.key = base64.StdEncoding.EncodeToString([]byte("another"))
		s.mu.Unlock()
		time.Sleep(again)
		synctest.Wait()
		if got := d.Trouble(); got != "" {
			t.Errorf("trouble %q when the key is taken", got)
		}
		if got, want := s.all(), []string{"192.168.77.50", "203.0.113.5"}; !slices.Equal(got, want) {
			t.Errorf("kicked %q, want %q", got, want)
		}
	})
}

// A tripper answers with a status.
type tripper int

func (code tripper) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(code), Body: http.NoBody}, nil
}

// Before Dovecot is up the proxy answers for it: nothing in dovecot.conf is wrong then.
func TestADovecotThatIsNotUpYetIsNotMisconfigured(t *testing.T) {
	c := config.Dovecot{Listen: "127.0.0.1:0", Doveadm: "http://traefik:8081", DoveadmKey: config.NewSecret("key")}
	for code, advice := range map[int]string{502: "look what Dovecot does", 504: "look what Dovecot does", 401: "in dovecot.conf", 404: "in dovecot.conf"} {
		found := New(c, tripper(code), slog.New(slog.DiscardHandler)).Check(t.Context())
		if f := found[1]; f.Link != "sessions" || f.Grade != edgeban.Broken || !strings.HasPrefix(f.Fix, advice) || !strings.Contains(f.Evidence, fmt.Sprint(code)) {
			t.Errorf("%d: %+v, want the advice %q", code, f, advice)
		}
	}
}
