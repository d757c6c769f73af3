package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

// Dial is New over the network, with the certificate that c asks for. Who is trusted
// because c trusts anybody is told to nobody.
func Dial(c config.OPNsense) (*Client, error) {
	t, err := NewTransport(c, func(string) {})
	if err == nil {
		var client *Client
		if client, err = New(c, t); err == nil {
			return client, nil
		}
	}
	return nil, fmt.Errorf("opnsense: %w", err)
}

// Denied reports whether err says that the key may not do this.
func Denied(err error) bool { return RefusedWith(err) == http.StatusForbidden }

// Rules lists the filter rules; since 25.7 those of the old pages, and the automatic
// ones, are among them.
func (c *Client) Rules(ctx context.Context) ([]rules.Rule, error) {
	var answer struct{ Rows []rules.Rule }
	ask := map[string]any{"current": 1, "rowCount": -1, "searchPhrase": "", "show_all": "1"}
	if err := c.Post(ctx, "firewall/filter/search_rule", ask, &answer); err != nil {
		return nil, err
	}
	return answer.Rows, nil
}

// UUID returns what the firewall keeps the alias under; empty for none.
func (c *Client) UUID(ctx context.Context, alias string) (string, error) {
	var answer json.RawMessage // {"uuid": ...}, or an empty list
	if err := c.Get(ctx, "firewall/alias/get_alias_u_u_i_d/"+alias, &answer); err != nil {
		return "", err
	}
	var found struct{ UUID string }
	if json.Unmarshal(answer, &found) != nil || !uuid(found.UUID) {
		return "", nil
	}
	return found.UUID, nil
}

// An Item is an alias as the configuration of the firewall has it.
type Item struct {
	UUID        string
	Name        string
	Enabled     bool
	Counters    bool
	Type        string // external, host ...; empty where it is not understood
	TypeName    string // as the GUI calls it
	Content     string // chosen entries, a line each
	Description string
	UpdateFreq  string
	Password    string // of a list that is fetched
}

// choices are the values of a field, of which some are selected.
type choices map[string]struct {
	Value    string
	Selected any // 1 as recorded; a switch in this API is now and then "1"
}

// UnmarshalJSON takes a list for no choice: PHP writes an empty map as one.
func (c *choices) UnmarshalJSON(b []byte) error {
	var m map[string]struct {
		Value    string
		Selected any
	}
	if json.Unmarshal(b, &m) == nil {
		*c = choices(m)
	}
	return nil
}

// Item returns the alias of a name; nil for none.
func (c *Client) Item(ctx context.Context, alias string) (*Item, error) {
	id, err := c.UUID(ctx, alias)
	if err != nil || id == "" {
		return nil, err
	}
	var answer struct {
		Alias struct {
			Name, Enabled, Counters, Description, UpdateFreq, Password string
			Type, Content                                              choices
		}
	}
	if err := c.Get(ctx, "firewall/alias/get_item/"+id, &answer); err != nil {
		return nil, err
	}
	a := answer.Alias
	item := &Item{UUID: id, Name: a.Name, Enabled: a.Enabled != "0", Counters: a.Counters == "1", Description: a.Description, UpdateFreq: a.UpdateFreq, Password: a.Password}
	for kind, choice := range a.Type {
		if fmt.Sprint(choice.Selected) == "1" {
			item.Type, item.TypeName = kind, c.Clean(choice.Value)
		}
	}
	for entry, choice := range a.Content {
		if fmt.Sprint(choice.Selected) == "1" && entry != "" {
			item.Content += entry + "\n"
		}
	}
	return item, nil
}

// A Version is the year and the month of a release, and what came after it.
type Version struct{ Year, Month, Patch int }

// Known reports whether the firewall said which it is.
func (v Version) Known() bool { return v.Year > 0 }

// Before reports whether v is known to be older than a release.
func (v Version) Before(year, month int) bool {
	return v.Known() && (v.Year < year || v.Year == year && v.Month < month)
}

func (v Version) String() string {
	switch {
	case !v.Known():
		return "of an unknown version"
	case v.Patch > 0:
		return fmt.Sprintf("%d.%d.%d", v.Year, v.Month, v.Patch)
	}
	return fmt.Sprintf("%d.%d", v.Year, v.Month)
}

var versionWords = regexp.MustCompile(`OPNsense (\d\d)\.(\d+)(?:\.(\d+))?`)

// Version asks which release runs. A key without the right to know learns an unknown one.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var answer struct{ Versions []string }
	err := c.Get(ctx, "diagnostics/system/system_information", &answer)
	if status := RefusedWith(err); status == http.StatusForbidden || status == http.StatusNotFound {
		return Version{}, nil
	}
	if err != nil {
		return Version{}, err
	}
	for _, text := range answer.Versions {
		if m := versionWords.FindStringSubmatch(text); m != nil {
			return Version{atoi(m[1]), atoi(m[2]), atoi(m[3])}, nil
		}
	}
	return Version{}, nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // digits, or nothing
	return n
}

func uuid(s string) bool { return len(s) == 36 && strings.Trim(s, "0123456789abcdefABCDEF-") == "" }

// A TableSize is how full pf's tables are.
type TableSize struct {
	Size, Used int
	Details    Uses
}

// Uses tells of each table how often rules have compared a packet with it; nil
// where the version (before 26.1) does not count that.
type Uses map[string]struct {
	Match   *int `json:"eval_match"`
	NoMatch *int `json:"eval_nomatch"`
}

// UnmarshalJSON takes a list for no table: PHP writes an empty map as one.
func (u *Uses) UnmarshalJSON(b []byte) error {
	if string(b) == "[]" {
		return nil
	}
	return json.Unmarshal(b, (*map[string]struct {
		Match   *int `json:"eval_match"`
		NoMatch *int `json:"eval_nomatch"`
	})(u))
}

// TableSize returns how full pf's tables are.
func (c *Client) TableSize(ctx context.Context) (t TableSize, err error) {
	err = c.Get(ctx, "firewall/alias/get_table_size", &t)
	return t, err
}
