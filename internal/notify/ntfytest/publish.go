package ntfytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	messageLimit = 4096 // bytes that are one too many
	jsonLimit    = 32 << 10
	cacheFor     = 12 * time.Hour
	fileFor      = 3 * time.Hour
	maxActions   = 3
)

// A Message is one as the server keeps and returns it.
type Message struct {
	ID          string      `json:"id"`
	Time        int64       `json:"time"` // Unix, when it is or will be delivered
	Expires     int64       `json:"expires,omitempty"`
	Event       string      `json:"event"`
	Topic       string      `json:"topic"`
	Title       string      `json:"title,omitempty"`
	Message     string      `json:"message"`
	Priority    int         `json:"priority,omitempty"`
	Tags        []string    `json:"tags,omitempty"`
	Click       string      `json:"click,omitempty"`
	Actions     []Action    `json:"actions,omitempty"`
	Attachment  *Attachment `json:"attachment,omitempty"`
	ContentType string      `json:"content_type,omitempty"`
}

// An Action is a button.
type Action struct {
	ID      string            `json:"id"`
	Action  string            `json:"action"`
	Label   string            `json:"label"`
	Clear   bool              `json:"clear"`
	URL     string            `json:"url,omitempty"`
	Method  string            `json:"method,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// An Attachment is what a text becomes that is too long.
type Attachment struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Size    int    `json:"size"`
	Expires int64  `json:"expires"`
	URL     string `json:"url"`
}

// A publication is what a client asks to publish, however it asked.
type publication struct {
	topic, title, click string
	text                []byte
	priority            string
	tags                []string
	markdown, uncached  bool
	actions             []Action
	delay               string
	host                string
}

var topicName = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// fromJSON reads the body of POST /.
func (s *Server) fromJSON(body []byte) (publication, error) {
	if len(body) > jsonLimit {
		return publication{}, errJSONTooBig
	}
	var j struct {
		Topic, Title, Message, Click string
		Priority                     int
		Tags                         []string
		Markdown                     bool
		Actions                      []Action
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&j); err != nil {
		if json.Unmarshal(body, &j) != nil {
			return publication{}, errJSON
		}
		s.odd = append(s.odd, "publication: "+err.Error())
	}
	if !topicName.MatchString(j.Topic) {
		return publication{}, errTopic
	}
	p := publication{
		topic: j.Topic, title: j.Title, click: j.Click, text: []byte(j.Message),
		tags: j.Tags, markdown: j.Markdown, actions: j.Actions,
	}
	if j.Priority != 0 {
		p.priority = strconv.Itoa(j.Priority)
	}
	return p, nil
}

// fromHeaders reads POST /TOPIC.
func fromHeaders(r *http.Request, body []byte) publication {
	h := r.Header
	title := h.Get("Title")
	if decoded, err := new(mime.WordDecoder).DecodeHeader(title); err == nil {
		title = decoded
	}
	p := publication{
		topic: strings.TrimPrefix(r.URL.Path, "/"), title: title, click: h.Get("Click"), text: body,
		priority: h.Get("Priority"), markdown: h.Get("Markdown") == "yes", uncached: h.Get("Cache") == "no",
		actions: simpleActions(h.Get("Actions")), delay: h.Get("Delay"), host: r.Host,
	}
	if tags := h.Get("Tags"); tags != "" {
		p.tags = strings.Split(tags, ",")
	}
	return p
}

// simpleActions reads "action, label, url, key=value; ...", as far as no comma or
// semicolon is quoted.
func simpleActions(header string) []Action {
	var actions []Action
	for part := range strings.SplitSeq(header, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		var a Action
		for i, field := range strings.Split(part, ",") {
			key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			name, isHeader := strings.CutPrefix(key, "headers.")
			switch {
			case i == 0:
				a.Action = key
			case i == 1:
				a.Label = key
			case i == 2:
				a.URL = strings.TrimSpace(field)
			case key == "method":
				a.Method = value
			case key == "body":
				a.Body = value
			case key == "clear":
				a.Clear = value == "true"
			case isHeader:
				a.Headers = map[string]string{name: value}
			}
		}
		actions = append(actions, a)
	}
	return actions
}

// publish stores p if v may still ask, u may write, and p is sound.
func (s *Server) publish(v *visitor, u *User, p publication) (answer, error) {
	now := time.Now()
	if !v.requests.take(now) {
		return answer{}, errRequests
	}
	if u == nil || !allows(u.Write, p.topic) {
		return answer{}, errForbidden
	}
	m, err := p.message(now)
	if err != nil {
		return answer{}, err
	}
	if !v.allowed(s.opt.Daily, now) {
		return answer{}, errMessages
	}
	if len(p.text) >= messageLimit || !utf8.Valid(p.text) {
		if !s.opt.Attachments {
			return answer{}, errAttachment
		}
		m.Message = "You received a file: attachment.txt"
		m.Attachment = &Attachment{
			"attachment.txt", "text/plain; charset=utf-8", len(p.text), now.Add(fileFor).Unix(),
			"http://" + p.host + "/file/" + m.ID + ".txt",
		}
	}
	s.messages = append(s.messages, m)
	return inJSON(m)
}

// message returns p as it will be kept.
func (p publication) message(now time.Time) (Message, error) {
	m := Message{
		ID: randomID(12), Time: now.Unix(), Event: "message", Topic: p.topic, Title: p.title,
		Message: string(p.text), Tags: p.tags, Click: p.click, Actions: p.actions,
	}
	if p.markdown {
		m.ContentType = "text/markdown"
	}
	var err error
	if m.Priority, err = priority(p.priority); err != nil {
		return Message{}, err
	}
	if p.delay != "" {
		d, err := time.ParseDuration(p.delay)
		if err != nil {
			return Message{}, errDelay
		}
		m.Time += int64(d / time.Second)
	}
	if !p.uncached {
		m.Expires = m.Time + int64(cacheFor/time.Second)
	}
	return m, checkActions(m.Actions)
}

// checkActions gives each action its name, or says why one may not be.
func checkActions(actions []Action) error {
	refused := errActions
	if len(actions) > maxActions {
		refused.Text += fmt.Sprintf("; only %d actions allowed", maxActions)
		return refused
	}
	for i, a := range actions {
		if a.Action == "http" && a.URL == "" {
			refused.Text += "; parameter 'url' is required for action 'http'"
			return refused
		}
		actions[i].ID = randomID(10)
	}
	return nil
}

func priority(s string) (int, error) {
	switch strings.ToLower(s) {
	case "":
		return 0, nil
	case "1", "min":
		return 1, nil
	case "2", "low":
		return 2, nil
	case "3", "default":
		return 3, nil
	case "4", "high":
		return 4, nil
	case "5", "max", "urgent":
		return 5, nil
	}
	return 0, errPriority
}
