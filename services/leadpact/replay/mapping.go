package replay

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/leadpact/leadpact/internal/preset"
)

// Mapping says how a recorded row becomes an event. Values are texts with {column} in them; {column|other} takes other when the
// column is empty, or a JSON row lacks it. A value that comes out empty is left away.
type Mapping struct {
	// Sign is how the source proves itself, in the words of the agreement.
	Sign Sign `yaml:"sign"`
	// Zone of times that name none: an IANA zone; UTC when empty.
	Zone string `yaml:"zone"`
	// Event is the event of a row.
	Event Event `yaml:"event"`

	location *time.Location
	hash     string // of the text
}

// Sign holds one of the three proofs.
type Sign struct {
	Bearer   string `yaml:"bearer"`
	Standard string `yaml:"standard-webhooks"`
	HMAC     *HMAC  `yaml:"hmac"`
}

// HMAC is a signature over the body.
type HMAC struct {
	Secret    string `yaml:"secret"`
	Header    string `yaml:"header"`
	Encoding  string `yaml:"encoding"`
	Prefix    string `yaml:"prefix"`
	Algorithm string `yaml:"algorithm"`
}

// Event is the templates of one event.
type Event struct {
	ID         string            `yaml:"id"`
	Type       string            `yaml:"type"`
	OccurredAt string            `yaml:"occurred_at"`
	Email      string            `yaml:"email"`
	ExternalID string            `yaml:"external_id"`
	Name       string            `yaml:"name"`
	Phone      string            `yaml:"phone"`
	Channel    string            `yaml:"channel"`
	Fields     map[string]string `yaml:"fields"`
	Outcome    *Outcome          `yaml:"outcome"`
}

// Outcome is what sales did.
type Outcome struct {
	Kind   string `yaml:"kind"`
	Rep    string `yaml:"rep"`
	Reason string `yaml:"reason"`
}

// ParseMapping reads a mapping strictly.
func ParseMapping(text []byte) (*Mapping, error) {
	var m Mapping
	if err := yaml.UnmarshalWithOptions(text, &m, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("the mapping cannot be read: %w", err)
	}
	sum := sha256.Sum256(text)
	m.hash = hex.EncodeToString(sum[:])
	var err error
	if m.location, err = zone(m.Zone); err != nil {
		return nil, err
	}
	if _, err := m.columns(); err != nil {
		return nil, err
	}
	if m.Event.ID == "" || m.Event.OccurredAt == "" {
		return nil, errors.New("the mapping needs event.id and event.occurred_at: history without them would be counted anew each time")
	}
	if m.Event.Email == "" && m.Event.ExternalID == "" {
		return nil, errors.New("the mapping needs event.email or event.external_id: they say who the lead is")
	}
	if _, _, err := m.proof(); err != nil {
		return nil, err
	}
	return &m, nil
}

// proof is how the source proves itself, and the reference of the secret.
func (m *Mapping) proof() (preset.Proof, string, error) {
	switch s := m.Sign; {
	case s.Bearer != "":
		return preset.Proof{Kind: preset.Bearer}, s.Bearer, nil
	case s.Standard != "":
		return preset.Proof{}, "", errors.New("history goes in batches, and Standard Webhooks has none: send it through a JSON source")
	case s.HMAC != nil:
		h := s.HMAC
		return preset.Proof{Kind: preset.HMAC, Header: cmp.Or(h.Header, "X-Signature"), Encoding: h.Encoding, Prefix: h.Prefix, Algorithm: h.Algorithm}, h.Secret, nil
	}
	return preset.Proof{}, "", errors.New("the mapping needs sign: bearer or hmac, as the agreement says of the source")
}

// event is the JSON of a row.
func (m *Mapping) event(row map[string]string) (map[string]any, error) {
	out := map[string]any{"mode": "history"}
	var err error
	put := func(name, template string) string {
		v, e := expand(template, row)
		if e != nil && err == nil {
			err = e
		}
		if v != "" {
			out[name] = v
		}
		return v
	}
	put("type", m.Event.Type)
	put("email", m.Event.Email)
	put("external_id", m.Event.ExternalID)
	put("name", m.Event.Name)
	put("phone", m.Event.Phone)
	put("channel", m.Event.Channel)
	id := put("id", m.Event.ID)
	occurred, e := expand(m.Event.OccurredAt, row)
	switch {
	case err != nil:
	case e != nil:
		err = e
	case id == "":
		err = errors.New("the id comes out empty")
	case strings.ContainsFunc(id, unicode.IsControl):
		err = errors.New("the id holds a tab, a line break or another control character")
	default:
		var t time.Time
		t, err = instant(occurred, m.location)
		out["occurred_at"] = t.Format(time.RFC3339Nano)
	}
	fields := map[string]any{}
	for name, template := range m.Event.Fields {
		v, e := expand(template, row)
		if e != nil && err == nil {
			err = e
		}
		if v != "" {
			fields[name] = v
		}
	}
	if len(fields) > 0 {
		out["fields"] = fields
	}
	if o := m.Event.Outcome; o != nil && err == nil {
		err = outcome(out, *o, row)
	}
	return out, err
}

func outcome(out map[string]any, o Outcome, row map[string]string) error {
	said := map[string]any{}
	for name, template := range map[string]string{"kind": o.Kind, "rep": o.Rep, "reason": o.Reason} {
		v, err := expand(template, row)
		if err != nil {
			return err
		}
		if v != "" {
			said[name] = v
		}
	}
	if said["kind"] != nil {
		out["outcome"] = said
	}
	return nil
}

// columns are those that the templates name.
func (m *Mapping) columns() ([]string, error) {
	e := m.Event
	templates := []string{e.ID, e.Type, e.OccurredAt, e.Email, e.ExternalID, e.Name, e.Phone, e.Channel}
	templates = slices.AppendSeq(templates, maps.Values(e.Fields))
	if e.Outcome != nil {
		templates = append(templates, e.Outcome.Kind, e.Outcome.Rep, e.Outcome.Reason)
	}
	var out []string
	for _, t := range templates {
		err := cut(t, func(string) {}, func(column, _ string, _ bool) error {
			out = append(out, column)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// fit says which columns of the mapping are not among those of the file: refusing every row would say it too late.
func (m *Mapping) fit(columns []string) error {
	named, err := m.columns()
	if err != nil || columns == nil {
		return err
	}
	for _, c := range named {
		if !slices.Contains(columns, c) {
			return fmt.Errorf("the mapping names the column %q; the file has %s", c, strings.Join(columns, ", "))
		}
	}
	return nil
}

// expand puts columns into a template.
func expand(template string, row map[string]string) (string, error) {
	var b strings.Builder
	err := cut(template, func(text string) { _, _ = b.WriteString(text) }, func(column, otherwise string, hasOther bool) error {
		v, ok := row[column]
		if !ok && !hasOther {
			return fmt.Errorf("the row has no column %q", column)
		}
		if v == "" {
			v = otherwise
		}
		_, _ = b.WriteString(v)
		return nil
	})
	return strings.TrimSpace(b.String()), err
}

// cut takes a template apart, in order.
func cut(template string, text func(string), column func(name, otherwise string, hasOther bool) error) error {
	for {
		before, rest, found := strings.Cut(template, "{")
		text(before)
		if !found {
			return nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return fmt.Errorf("a { without its } in the mapping: %q", template)
		}
		name, otherwise, hasOther := strings.Cut(name, "|")
		if err := column(name, otherwise, hasOther); err != nil {
			return err
		}
		template = after
	}
}
