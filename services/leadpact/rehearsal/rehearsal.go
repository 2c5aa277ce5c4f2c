// Package rehearsal shows what the webhook door would make of a request, and writes requests that it takes. It asks the door's own core,
// and keeps and sends nothing.
package rehearsal

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Question asks about one request to one source.
type Question struct {
	Agreement *agreement.Agreement
	Source    agreement.Source
	Request   *hook.Request
	// Secret resolves a reference; its error never holds the value.
	Secret func(ref string) (string, error)
	// Unsigned leaves the proof out.
	Unsigned bool
	// At is when the request arrives.
	At time.Time
}

// Answer says what would become of it.
type Answer struct {
	Source string    `json:"source"`
	Preset string    `json:"preset"`
	Media  string    `json:"media_type"`
	At     time.Time `json:"at"`
	Proof  Proof     `json:"proof"`
	// Refused says why nothing of the body is taken; "" when that is not so.
	Refused string         `json:"refused,omitempty"`
	Events  []Event        `json:"events"`
	Bad     []hook.Refusal `json:"refused_events,omitempty"`
	// Omitted are events that the preset leaves out; the sender is told that all is well.
	Omitted []hook.Omission `json:"omitted_events,omitempty"`
	// Empty are the agreement's fields that no event fills.
	Empty []string `json:"empty_fields,omitempty"`
}

// Proof is what became of the sender's.
type Proof struct {
	Kind    preset.ProofKind `json:"kind"`
	Checked bool             `json:"checked"`
	Holds   bool             `json:"holds"`
	// Why says what is wrong with it, or why it was not checked.
	Why string `json:"why,omitempty"`
}

// Event is one lead event, as facts.
type Event struct {
	ID    string `json:"id"`
	Facts []Fact `json:"facts"`
}

// Fact is one thing that an event says, named as in the agreement's map.
type Fact struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	// From is where the source's map looks for it, or where else it comes from.
	From string `json:"from"`
}

// Taken says that the door would answer with success.
func (a Answer) Taken() bool {
	return (!a.Proof.Checked || a.Proof.Holds) && a.Refused == "" && (len(a.Events) > 0 || len(a.Bad) == 0)
}

// Ask answers. It fails where a proof that the request brings cannot be checked.
func Ask(q Question) (Answer, error) {
	r := q.Request
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", Media(q.Source.Tool.Formats, r.Body))
	}
	out := Answer{Source: q.Source.Name, Preset: q.Source.Tool.Name, Media: r.Header.Get("Content-Type"), At: q.At, Events: []Event{}}
	var err error
	if out.Proof, err = q.prove(); err != nil {
		return Answer{}, err
	}
	s := hook.New(q.Agreement, q.Source)
	read, refused := s.Read(r, q.At)
	if refused != nil {
		out.Refused = refused.Error()
		return out, nil //nolint:nilerr // the refusal is the answer
	}
	seen, err := s.Inspect(r)
	if err != nil {
		return out, fmt.Errorf("what was read once cannot be read again: %w", err)
	}
	out.Bad, out.Omitted = read.Refused, seen.Omitted
	filled, next := map[string]bool{}, 0
	for i, origins := range seen.Origins {
		if out.took(i) {
			out.Events = append(out.Events, q.facts(read.Events[next].Event, origins, filled))
			next++
		}
	}
	for _, f := range q.Agreement.Fields {
		if !filled[f.Name] {
			out.Empty = append(out.Empty, f.Name)
		}
	}
	return out, nil
}

// took says that the event at a place of the body is neither refused nor left out.
func (a Answer) took(i int) bool {
	return !slices.ContainsFunc(a.Bad, func(r hook.Refusal) bool { return r.Index == i }) &&
		!slices.ContainsFunc(a.Omitted, func(o hook.Omission) bool { return o.Index == i })
}

// prove holds the request to the source's secrets, when it brings a proof.
func (q Question) prove() (Proof, error) {
	out := Proof{Kind: q.Source.Verify.Kind}
	if q.Unsigned {
		out.Why = "it was not asked for"
		return out, nil
	}
	if name := missing(q.Source.Verify.Proof, q.Request); name != "" {
		out.Why = "the request has no " + name
		return out, nil
	}
	var all hook.Any
	for i, ref := range q.Source.Verify.Secrets {
		secret, err := q.Secret(ref)
		if err != nil {
			return out, fmt.Errorf("secret %d of %s: %w; or leave the proof out with --unsigned", i+1, q.Source.Name, err)
		}
		v, err := hook.NewVerifier(q.Source.Verify.Proof, secret)
		if err != nil {
			return out, fmt.Errorf("secret %d of %s: %w", i+1, q.Source.Name, err)
		}
		all = append(all, v)
	}
	out.Checked, out.Holds = true, true
	if refused := all.Verify(q.Request, q.At); refused != nil {
		out.Holds, out.Why = false, refused.Error()
	}
	return out, nil
}

// missing is what a request would have if it brought a proof; "" when it does. In a body the proof is always looked for.
func missing(p preset.Proof, r *hook.Request) string {
	header := p.Header
	switch p.Kind {
	case preset.Bearer, preset.Basic:
		header = "Authorization"
	case preset.StandardWebhook:
		header = "webhook-signature"
	case preset.Query:
		if name := p.QueryParam(); !r.Query.Has(name) {
			return "?" + name + "="
		}
		return ""
	case preset.Body:
		return ""
	case preset.HMAC, preset.Digest, preset.Header:
	}
	if len(r.Header.Values(header)) == 0 {
		return header
	}
	return ""
}

// Media is the media type in which a tool with these formats would send body.
func Media(formats []preset.Format, body []byte) string {
	var first byte
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 {
		first = trimmed[0]
	}
	for _, f := range formats {
		switch {
		case f == preset.CloudEvents && first == '[':
			return "application/cloudevents-batch+json"
		case f == preset.CloudEvents:
			return "application/cloudevents+json"
		case f == preset.JSON && (first == '{' || first == '['):
			return "application/json"
		case f == preset.XML && first == '<':
			return "text/xml"
		case f == preset.Form && parts(body) != "":
			return parts(body)
		case f == preset.Form && first != '{' && first != '[' && first != '<':
			return "application/x-www-form-urlencoded"
		}
	}
	switch {
	case slices.Contains(formats, preset.JSON):
		return "application/json"
	case slices.Contains(formats, preset.XML):
		return "text/xml"
	}
	return "application/x-www-form-urlencoded"
}

// parts is the media type of a body of several parts, which begins with the line that stands between them; "" when it is none.
func parts(body []byte) string {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	boundary, found := strings.CutPrefix(strings.TrimRight(string(line), "\r"), "--")
	if !found || boundary == "" {
		return ""
	}
	return mime.FormatMediaType("multipart/form-data", map[string]string{"boundary": boundary})
}

// facts are those of one event, with their origins in the body; the agreement's fields among them are marked as filled.
func (q Question) facts(e *eventv1.Event, origins map[string]string, filled map[string]bool) Event {
	lr := e.GetLeadReceived()
	out := Event{ID: e.GetId()}
	add := func(name string, value any, otherwise string) {
		if value != "" {
			out.Facts = append(out.Facts, Fact{name, value, cmp.Or(origins[name], otherwise)})
		}
	}
	if from := q.madeFrom(e.GetId()); from != "" {
		delete(origins, "id")
		add("id", e.GetId(), from)
	} else {
		add("id", e.GetId(), "")
	}
	add("kind", lr.GetKind(), "")
	add("occurred_at", time.UnixMicro(e.GetOccurredAt()).UTC().Format(time.RFC3339Nano), "now, as the body names no time")
	if e.GetMode() == eventv1.Mode_MODE_HISTORY {
		add("mode", "history", "")
	}
	add("email", lr.GetEmail(), "")
	add("external_id", lr.GetExternalId(), "")
	add("name", lr.GetName(), "")
	add("phone", lr.GetPhone(), "")
	if lr.GetChannel() == q.Source.Channel {
		delete(origins, "channel")
	}
	add("channel", lr.GetChannel(), "the source's own")
	values := event.Values(lr.GetFields())
	for _, f := range q.Agreement.Fields {
		if v, ok := values[f.Name]; ok {
			filled[f.Name] = true
			add("fields."+f.Name, v, "")
		}
	}
	for _, c := range lr.GetConsents() {
		add("consent."+c.GetPurpose(), c.GetGranted(), "the kind, by grants and withdrawals")
	}
	if sure := lr.GetConfidence(); sure > 0 {
		add("confidence", sure, "")
	}
	if o := lr.GetOutcome(); o != nil {
		if _, named := q.Source.Map.Outcomes[lr.GetKind()]; named {
			origins["outcome"] = "the kind, by outcomes"
		}
		add("outcome", o.GetKind(), "")
		add("rep", o.GetRep(), origins["outcome"])
		add("reason", o.GetReason(), origins["outcome"])
	}
	return out
}

// madeFrom says where an event's id comes from when it is not the event's own.
func (q Question) madeFrom(id string) string {
	switch {
	case strings.HasPrefix(id, hex.EncodeToString(hook.Digest(q.Source.Name, q.Request.Body))):
		return "the sum of source and body: two that are alike are one event"
	case q.Source.Tool.IDHeader != "" && id == q.Request.Header.Get(q.Source.Tool.IDHeader):
		return "the header " + q.Source.Tool.IDHeader
	}
	return ""
}

// Address is that of a source's hook at an origin such as https://leads.example.com.
func Address(origin, source string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the address is that of the door: http://127.0.0.1:8080 or https://leads.example.com, without ? and #")
	}
	return strings.TrimRight(origin, "/") + "/v1/hooks/" + source, nil
}

// Request is one to a source at an origin. Headers are "Name: value", parameters "name=value".
func Request(origin, source string, headers, params []string, body []byte) (*hook.Request, error) {
	address, err := Address(origin, source)
	if err != nil {
		return nil, err
	}
	r := &hook.Request{Method: http.MethodPost, URI: address, Query: url.Values{}, Header: http.Header{}, Body: body}
	for _, h := range headers {
		name, value, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" {
			return nil, errors.New(`write a header as "Name: value"`) // it may hold a secret, so it is not repeated
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	for i, p := range params {
		name, value, found := strings.Cut(p, "=")
		if !found || name == "" {
			return nil, errors.New("write a parameter as name=value")
		}
		r.Query.Add(name, value)
		r.URI += map[bool]string{true: "?", false: "&"}[i == 0] + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	return r, nil
}
