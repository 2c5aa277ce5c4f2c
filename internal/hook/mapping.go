package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Bounds on what one event may carry.
const (
	maxText   = 4096
	maxID     = 256
	maxEvents = 1000
	// maxEvent bounds one event in bytes, well below what a log takes as one message: a larger one would hold up the others in it.
	maxEvent = 64 << 10
)

// kinds of outcome that a source may report.
var outcomes = []string{"accepted", "attempt", "reached", "qualified", "won", "lost"}

// generic is where a generic JSON body has each thing.
var generic = agreement.Mapping{
	Events: "events", ID: "id", Kind: "type", OccurredAt: "occurred_at", Email: "email", ExternalID: "external_id",
	Name: "name", Phone: "phone", Channel: "channel", Rep: "rep", Reason: "reason",
}

// enveloped is where a Standard Webhooks body has each thing.
var enveloped = agreement.Mapping{
	ID: "data.id", Kind: "type", OccurredAt: "timestamp", Email: "data.email", ExternalID: "data.external_id",
	Name: "data.name", Phone: "data.phone", Channel: "data.channel", Rep: "data.rep", Reason: "data.reason",
}

// mapper turns one verified body of a source into lead events.
type mapper struct {
	source agreement.Source
	paths  paths
	fields []field
}

// paths are where a source has each thing.
type paths struct {
	events, id, kind, occurredAt, email, externalID, name, phone, channel, rep, reason, outcome path
	outcomes                                                                                    map[string]string
}

// field is a declared field with the places where it may stand, the first that is filled counts.
type field struct {
	agreement.Field
	path   path
	others []path
}

func newMapper(a *agreement.Agreement, s agreement.Source) *mapper {
	base, within := generic, ""
	if s.Format == agreement.StandardWebhooks {
		base, within = enveloped, "data."
	}
	where := overlay(base, s.Map)
	m := &mapper{source: s, paths: paths{
		events: split(where.Events), id: split(where.ID), kind: split(where.Kind), occurredAt: split(where.OccurredAt),
		email: split(where.Email), externalID: split(where.ExternalID), name: split(where.Name), phone: split(where.Phone),
		channel: split(where.Channel), rep: split(where.Rep), reason: split(where.Reason), outcome: split(within + "outcome"),
		outcomes: where.Outcomes,
	}}
	for _, f := range a.Fields {
		if p, mappedTo := where.Fields[f.Name]; mappedTo {
			m.fields = append(m.fields, field{Field: f, path: split(p)})
			continue
		}
		m.fields = append(m.fields, field{f, split(within + "fields." + f.Name), []path{split(within + f.Name)}})
	}
	return m
}

// webhookID is the sender's id of the whole request, where it can be believed: an HMAC covers the body alone, so whoever got hold
// of a signed body could send it again and again under ids of his own.
func (m *mapper) webhookID(h http.Header) string {
	if m.source.Format != agreement.StandardWebhooks || m.source.Verify.Kind == agreement.HMAC {
		return ""
	}
	return h.Get("Webhook-Id")
}

// overlay takes the paths of over where it has them.
func overlay(base, over agreement.Mapping) agreement.Mapping {
	pick := func(dst *string, src string) {
		if src != "" {
			*dst = src
		}
	}
	pick(&base.Events, over.Events)
	pick(&base.ID, over.ID)
	pick(&base.Kind, over.Kind)
	pick(&base.OccurredAt, over.OccurredAt)
	pick(&base.Email, over.Email)
	pick(&base.ExternalID, over.ExternalID)
	pick(&base.Name, over.Name)
	pick(&base.Phone, over.Phone)
	pick(&base.Channel, over.Channel)
	pick(&base.Rep, over.Rep)
	pick(&base.Reason, over.Reason)
	base.Fields, base.Outcomes = over.Fields, over.Outcomes
	return base
}

// mapped is what a body held, in its order.
type mapped struct {
	events  []taken
	refused []Refusal
}

// taken is one event on its way into the log.
type taken struct {
	event *eventv1.Event
	// key is the strongest identifier, by which work is split.
	key string
	// wire is the event marshalled: once, for its size, its content's hash and the log.
	wire []byte
}

// events maps a body. An error is about the body as a whole; what is wrong with one event of a batch stands in refused.
func (m *mapper) events(body []byte, webhookID string, now time.Time) (mapped, error) {
	root, err := parse(body)
	if err != nil {
		return mapped{}, err
	}
	list, batch, err := m.list(root)
	if err != nil {
		return mapped{}, err
	}
	out := mapped{events: make([]taken, 0, len(list))}
	var sum string
	for i, n := range list {
		e, err := m.event(n, webhookID, now, func() string {
			if sum == "" {
				hash := sha256.Sum256(append([]byte(m.source.Name+"\n"), body...))
				sum = hex.EncodeToString(hash[:])
			}
			if batch {
				return sum + ":" + strconv.Itoa(i)
			}
			return sum
		})
		if err != nil {
			out.refused = append(out.refused, Refusal{Index: i, ID: e.event.GetId(), Type: typeEvent, Detail: err.Error()})
			continue
		}
		out.events = append(out.events, e)
	}
	return out, nil
}

// list finds the events of a body: an array, an array under the events path, or the one object that it is.
func (m *mapper) list(root node) (list []node, batch bool, err error) {
	switch v := root.(type) {
	case array:
		list, batch = v, true
	case object:
		if n, ok := at(v, m.paths.events); ok && m.source.Format == agreement.JSON {
			a, isArray := n.(array)
			if !isArray {
				return nil, false, fmt.Errorf("%q is not an array of events", m.paths.events)
			}
			list, batch = a, true
			break
		}
		list = []node{v}
	default:
		return nil, false, errors.New("the body is neither an object nor an array of objects")
	}
	if len(list) == 0 {
		return nil, batch, errors.New("the body holds no events")
	}
	if len(list) > maxEvents {
		return nil, batch, fmt.Errorf("the body holds %d events, at most %d are taken at once", len(list), maxEvents)
	}
	if batch && m.source.Format == agreement.StandardWebhooks {
		return nil, batch, errors.New("a Standard Webhooks body is one object with type, timestamp and data")
	}
	return list, batch, nil
}

// event maps one element; fallback is its id when the sender gave none. The event that comes with an error holds no more than its
// id.
func (m *mapper) event(n node, id string, now time.Time, fallback func() string) (taken, error) {
	e := &eventv1.Event{Source: m.source.Name, RecordedAt: event.Micros(now), Mode: eventv1.Mode_MODE_LIVE}
	data, ok := n.(object)
	if !ok {
		return taken{event: e}, errors.New("the event is not an object")
	}
	r := reader{}
	kind, when := r.text(data, m.paths.kind, maxID), r.text(data, m.paths.occurredAt, maxID)
	switch {
	case id == "":
		e.Id = r.text(data, m.paths.id, maxID)
	case len(id) > maxID || !utf8.ValidString(id):
		r.fail(fmt.Errorf("the header Webhook-Id is longer than %d bytes or not valid UTF-8", maxID))
	default:
		e.Id = id
	}
	if e.GetId() == "" {
		e.Id = fallback()
	}
	lr := &eventv1.LeadReceived{
		Kind: kind, Email: r.text(data, m.paths.email, 320), ExternalId: r.text(data, m.paths.externalID, maxID),
		Name: r.text(data, m.paths.name, maxText), Phone: r.text(data, m.paths.phone, 64), Channel: r.text(data, m.paths.channel, maxID),
	}
	if lr.GetChannel() == "" {
		lr.Channel = m.source.Channel
	}
	if err := m.fill(lr, data); err != nil {
		r.fail(err)
	}
	m.outcome(&r, lr, data)
	m.mode(&r, e, data)
	e.OccurredAt = occurred(&r, when, now)
	identifiers := lead.Identify(m.source.Name, lr.GetEmail(), lr.GetExternalId())
	if r.err == nil && len(identifiers) == 0 {
		r.fail(fmt.Errorf("the event names nobody: %q is no e-mail address and %q is empty", m.paths.email, m.paths.externalID))
	}
	if r.err != nil {
		return taken{event: &eventv1.Event{Id: e.GetId()}}, r.err
	}
	said := int64(0)
	if when != "" {
		said = e.GetOccurredAt()
	}
	wire, err := seal(e, lr, said)
	if err != nil {
		return taken{event: &eventv1.Event{Id: e.GetId()}}, err
	}
	if len(wire) > maxEvent {
		return taken{event: &eventv1.Event{Id: e.GetId()}}, fmt.Errorf("the event holds more than %d bytes", maxEvent)
	}
	return taken{event: e, key: identifiers[0], wire: wire}, nil
}

// seal makes lr the body of e, with the hash of its content, and returns the wire form. The hash covers what the event says, not
// when it was taken in: a repeat has the same hash. occurredAt is 0 when the sender did not say it.
func seal(e *eventv1.Event, lr *eventv1.LeadReceived, occurredAt int64) ([]byte, error) {
	const room = 512 // for most events, so that their content grows no buffer
	content := event.AppendReceived(make([]byte, 0, room), lr)
	end := len(content)
	content = strconv.AppendInt(content, occurredAt, 10)
	sum := sha256.Sum256(content)
	lr.ContentHash = sum[:]
	wire, err := event.Seal(e, event.AppendContentHash(content[:end], sum[:]))
	if err != nil {
		return nil, fmt.Errorf("the event cannot be written: %w", err)
	}
	e.Body = &eventv1.Event_LeadReceived{LeadReceived: lr}
	return wire, nil
}

// fill takes the declared fields: from their mapped paths, else from "fields.NAME", else from "NAME", beside the other things. What the
// agreement does not declare is dropped.
func (m *mapper) fill(lr *eventv1.LeadReceived, data node) error {
	for _, f := range m.fields {
		n, ok := at(data, f.path)
		for _, other := range f.others {
			if !ok {
				n, ok = at(data, other)
			}
		}
		if !ok {
			continue
		}
		v, err := typed(f.Type, n)
		if err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		if v == nil {
			continue
		}
		if lr.Fields == nil {
			lr.Fields = make(map[string]*eventv1.Value, len(m.fields))
		}
		lr.Fields[f.Name] = v
	}
	return nil
}

// typed reads a scalar as the field's type; an empty text is no knowledge and gives nil.
func typed(t agreement.FieldType, n node) (*eventv1.Value, error) {
	s, ok := textOf(n)
	if !ok {
		return nil, errors.New("neither text, number nor true/false")
	}
	if s == "" {
		return nil, nil //nolint:nilnil // nothing was said
	}
	switch t {
	case agreement.Number:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != f || f > 1e300 || f < -1e300 {
			return nil, errors.New("not a number")
		}
		return &eventv1.Value{Kind: &eventv1.Value_Number{Number: f}}, nil
	case agreement.Flag:
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return nil, errors.New("neither true nor false")
		}
		return &eventv1.Value{Kind: &eventv1.Value_Flag{Flag: b}}, nil
	case agreement.Text:
	}
	if len(s) > maxText {
		return nil, fmt.Errorf("longer than %d bytes", maxText)
	}
	return &eventv1.Value{Kind: &eventv1.Value_Text{Text: s}}, nil
}

// outcome reads what sales did: an object or a word under "outcome", or a kind that the source's mapping calls an outcome. Who did
// it and why stands in that object, else where the mapping says.
func (m *mapper) outcome(r *reader, lr *eventv1.LeadReceived, data node) {
	out := &eventv1.Outcome{Kind: m.paths.outcomes[lr.GetKind()]}
	if n, ok := at(data, m.paths.outcome); ok && out.GetKind() == "" {
		if o, isObject := n.(object); isObject {
			out.Kind, out.Rep, out.Reason = r.text(o, path{"kind"}, maxID), r.text(o, path{"rep"}, maxID), r.text(o, path{"reason"}, maxText)
		} else {
			out.Kind = r.text(data, m.paths.outcome, maxID)
		}
		if out.GetKind() == "" && n != "" {
			r.fail(errors.New("the outcome has no kind"))
		}
	}
	if out.GetKind() == "" {
		return
	}
	if !slices.Contains(outcomes, out.GetKind()) {
		r.fail(fmt.Errorf("the outcome is none of %s", strings.Join(outcomes, ", ")))
	}
	if out.GetRep() == "" {
		out.Rep = r.text(data, m.paths.rep, maxID)
	}
	if out.GetReason() == "" {
		out.Reason = r.text(data, m.paths.reason, maxText)
	}
	lr.Outcome = out
}

// mode is history when the event says so and the agreement lets the source.
func (m *mapper) mode(r *reader, e *eventv1.Event, o object) {
	switch s := r.text(o, path{"mode"}, 16); s {
	case "", "live":
	case "history":
		if !m.source.History {
			r.fail(errors.New("the agreement does not let this source send history: set history: true on it"))
			return
		}
		e.Mode = eventv1.Mode_MODE_HISTORY
	default:
		r.fail(errors.New(`mode is neither "live" nor "history"`))
	}
}

// occurred reads RFC 3339, or seconds or milliseconds since 1970; nothing means now.
func occurred(r *reader, s string, now time.Time) int64 {
	if s == "" {
		return event.Micros(now)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		n, numErr := strconv.ParseInt(s, 10, 64)
		switch {
		case numErr != nil:
			r.fail(errors.New("occurred_at is neither RFC 3339 (2026-01-31T09:00:00Z) nor seconds or milliseconds since 1970"))
			return 0
		case n > 1e11 || n < -1e11:
			t = time.UnixMilli(n)
		default:
			t = time.Unix(n, 0)
		}
	}
	if y := t.UTC().Year(); y < 1970 || y > 2200 {
		r.fail(errors.New("occurred_at lies before 1970 or after 2200"))
		return 0
	}
	return event.Micros(t)
}

// reader takes texts from a tree and keeps the first error.
type reader struct{ err error }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) text(n node, path path, limit int) string {
	v, ok := at(n, path)
	if !ok {
		return ""
	}
	s, ok := textOf(v)
	if !ok {
		r.fail(fmt.Errorf("%q is neither text, number nor true/false", path))
		return ""
	}
	if len(s) > limit || !utf8.ValidString(s) {
		r.fail(fmt.Errorf("%q is longer than %d bytes", path, limit))
		return ""
	}
	return s
}
