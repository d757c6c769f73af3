package journal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// Who asks the doctor wants to know what to do, not what went wrong.
func TestDoctorNamesTheWayOut(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	full := newReel(t, "gateway.jsonl", 0)
	full.there = len(full.entries)
	missing := New("journal", config.Journal{})
	missing.from = func() (opener, error) { return ctl{program: "no-such-journalctl"}, nil }
	for _, c := range []struct {
		name          string
		s             *Source
		fails, hints  string
		grade         edgeban.Grade
		evidence, fix string
	}{
		{"gateway", overHTTP(full), "", "", edgeban.Good, "its last entry is of ", ""},
		{"gateway that has none of that unit", overHTTP(full, "_SYSTEMD_UNIT=nosuch.service"), "", "", edgeban.Warning, "no entry matches _SYSTEMD_UNIT=nosuch.service", "correct match:"},
		{"something else there", New("journal", config.Journal{URL: elsewhere.URL}), "", "", edgeban.Broken, "HTTP 404", "http://HOST:19531"},
		{"journalctl", byCommand(t), "", "", edgeban.Good, "its last entry is of ", ""},
		{"journalctl that shows less", byCommand(t), "", "Hint: You are currently not seeing messages", edgeban.Warning, "not seeing messages", "systemd-journal"},
		{"journalctl that may not", byCommand(t), "yes", "", edgeban.Broken, "Permission denied", "systemd-journal"},
		{"no journalctl", missing, "", "", edgeban.Broken, "not found", "systemd-journal-gatewayd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("JOURNALCTL_FAILS", c.fails)
			t.Setenv("JOURNALCTL_HINTS", c.hints)
			got := c.s.Check(t.Context())
			if len(got) != 1 || got[0].Grade != c.grade || !strings.Contains(got[0].Evidence, c.evidence) || !strings.Contains(got[0].Fix, c.fix) {
				t.Errorf("got %+v, want %s, %q, and to do %q", got, c.grade, c.evidence, c.fix)
			}
		})
	}
}
