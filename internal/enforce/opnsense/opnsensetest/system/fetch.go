package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// fetched is when a url table was last asked for, and from where.
type fetched struct {
	from string
	at   time.Time
}

// Due returns the url tables whose time has come, or all.
func (s *System) Due(all bool) (out []model.Alias) {
	for _, a := range s.Conf.Aliases {
		if s.Fetch == nil || a.Disabled || !a.IsURL() {
			continue
		}
		before, asked := s.fetched[a.Name]
		days, err := strconv.ParseFloat(a.UpdateFreq, 64)
		over := err == nil && days > 0 && time.Since(before.at) >= time.Duration(days*24*float64(time.Hour))
		if all || !asked || over || before.from != strings.Join(a.Content, "\n") {
			out = append(out, *a)
		}
	}
	return out
}

// Store keeps what Download returned. A list that could not be had leaves what
// there was until the next time; one that is empty empties the table.
func (s *System) Store(a model.Alias, lines []string, err error) {
	s.fetched[a.Name] = fetched{strings.Join(a.Content, "\n"), time.Now()}
	if have := s.Conf.Alias(a.Name); have != nil && err == nil {
		have.Fetched = lines
	}
}

// Download asks for the lists of a url table.
func (s *System) Download(a model.Alias) (lines []string, err error) {
	for _, url := range a.Content {
		got, err := s.download(&a, url)
		if err != nil {
			return nil, err
		}
		lines = append(lines, got...)
	}
	return lines, nil
}

// download is one GET, as the product makes it.
func (s *System) download(a *model.Alias, url string) ([]string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "OPNsense")
	switch a.AuthType {
	case "Basic":
		req.SetBasicAuth(a.Username, a.Password)
	case "Bearer":
		req.Header.Set("Authorization", "Bearer "+a.Password)
	case "Header":
		req.Header.Set(a.Username, a.Password)
	}
	res, err := (&http.Client{Transport: s.Fetch, Timeout: 2 * time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && a.Type == "urljson" {
		return selected(body, a.PathExpression), nil
	}
	return listed(body), err
}

// listed are the entries of a list: the first word of each line that begins with
// one.
func listed(body []byte) (out []string) {
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		line := lines.Text()
		word, _, _ := strings.Cut(line, "//")
		if end := strings.IndexAny(word, " \t,;|#"); end >= 0 {
			word = word[:end]
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return out
}

// selected are the strings that a path like .bans[].ip leads to. The product
// takes all of jq.
func selected(body []byte, path string) (out []string) {
	var all any
	if json.Unmarshal(body, &all) != nil {
		return nil
	}
	at := []any{all}
	for _, step := range strings.FieldsFunc(strings.ReplaceAll(path, "[]", ".[]"), func(r rune) bool { return r == '.' }) {
		var next []any
		for _, v := range at {
			if list, is := v.([]any); is && step == "[]" {
				next = append(next, list...)
			} else if object, is := v.(map[string]any); is && object[step] != nil {
				next = append(next, object[step])
			}
		}
		at = next
	}
	for _, v := range at {
		if text, is := v.(string); is {
			out = append(out, text)
		}
	}
	return out
}

// entries are what pf gets for a line of an alias: an address, a network, or the
// networks of a range. A name would be resolved; here it is none.
func entries(line string) []string {
	line = strings.ToLower(strings.TrimSpace(line))
	if text, ok := pf.Spell(line); ok {
		return []string{text}
	}
	from, to, _ := strings.Cut(line, "-")
	return model.Between(from, to)
}
