package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/preset"
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

// TypeEvent is the problem type of an event that cannot be taken.
const TypeEvent = "/problems/event"

// ErrAccount says that a body comes from an account that the agreement does not list for the source.
var ErrAccount = errors.New("the body comes from an account that the agreement does not name for this source")

// Source reads the bodies of one source of an agreement. It is safe for concurrent use.
type Source struct {
	agreement.Source

	fields   []field
	channels []string  // of the agreement
	purposes []purpose // sorted
	// objections are flags that are true where somebody does not want a thing.
	objections []purpose
	// strict says that the agreement itself names the place of the confidence: what stands there is meant.
	strict bool
}

// field is a declared field with the places where it may stand.
type field struct {
	agreement.Field

	place preset.Place
}

// Read is what a body held, in its order.
type Read struct {
	Events  []Event
	Refused []Refusal
	// Skipped counts events that the preset leaves out, such as tests.
	Skipped int
}

// Event is one event on its way into the log.
type Event struct {
	Event *eventv1.Event
	// Index is its place in the body, from 0.
	Index int
	// Unnamed says that the sender gave no id: it is made of the source and the body.
	Unnamed bool
	// Key is the strongest identifier, by which work is split.
	Key string
	// Wire is the event marshalled: once, for its size, its content's hash and the log.
	Wire []byte
}

// Refusal is one event of a body that cannot be taken. Detail repeats nothing of it.
type Refusal struct {
	Index  int    `json:"index"`
	ID     string `json:"id,omitempty"`
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// New makes a source of a ready.
func New(a *agreement.Agreement, s agreement.Source) *Source {
	out := &Source{Source: s, channels: a.Channels, purposes: purposesOf(a, s.Map), objections: objectionsOf(s.Map), strict: len(s.OwnMap().Confidence) > 0}
	for _, f := range a.Fields {
		if place := placeOf(s.Map.Fields, f.Name, s.Map.Any, f.Name); len(place) > 0 {
			out.fields = append(out.fields, field{f, place})
		}
	}
	return out
}

// placeOf is where a thing stands: its own place, or else wherever the patterns have something of that name.
func placeOf(own map[string]preset.Place, thing string, patterns []string, name string) preset.Place {
	if place, ok := own[thing]; ok {
		return place
	}
	var out preset.Place
	for _, pattern := range patterns {
		if more, err := preset.At(strings.ReplaceAll(pattern, "{name}", name)); err == nil { // a preset's patterns are good: a test says so
			out = append(out, more...)
		}
	}
	return out
}

// Read maps a body to lead events. An error is about the body as a whole, ErrAccount or one for the sender to read; what is wrong
// with one event of several stands in Refused.
func (s *Source) Read(r *Request, now time.Time) (Read, error) {
	root, err := s.decode(r)
	if err != nil {
		return Read{}, err
	}
	items, batch, err := list(root, s.Map.Events)
	if err != nil {
		return Read{}, err
	}
	id := s.requestID(r)
	out := Read{Events: make([]Event, 0, len(items))}
	var sum string
	for i, sc := range items {
		switch keep, err := s.wanted(sc); {
		case err != nil:
			return Read{}, err
		case !keep:
			out.Skipped++
			continue
		}
		e, err := s.event(sc, id, now, func() string {
			if sum == "" && r.Digest != nil {
				sum = hex.EncodeToString(r.Digest)
			} else if sum == "" {
				sum = hex.EncodeToString(Digest(s.Name, r.Body))
			}
			if batch {
				return sum + ":" + strconv.Itoa(i)
			}
			return sum
		})
		if err != nil {
			out.Refused = append(out.Refused, Refusal{Index: i, ID: e.Event.GetId(), Type: TypeEvent, Detail: err.Error()})
			continue
		}
		e.Index = i
		out.Events = append(out.Events, e)
	}
	return out, nil
}

// requestID is the sender's id of the whole request, where it can be believed.
func (s *Source) requestID(r *Request) string {
	if s.Tool.IDHeader == "" || !s.BelievesID() {
		return ""
	}
	return r.Header.Get(s.Tool.IDHeader)
}

// BelievesID says whether an id in a header counts. A signature may cover the body alone, so whoever got hold of a signed body could
// send it again and again under ids of his own.
func (s *Source) BelievesID() bool {
	return s.Verify.Kind != preset.HMAC && s.Verify.Kind != preset.Digest
}

// wanted says whether an event counts, by the preset's rules and the accounts that the agreement lists.
func (s *Source) wanted(sc scope) (bool, error) {
	if len(s.Accounts) > 0 {
		r := reader{}
		if account := r.text(sc, s.Tool.Account, maxID, joinWords); r.err != nil || !slices.Contains(s.Accounts, account) {
			return false, ErrAccount
		}
	}
	_, omitted := s.omits(sc)
	return !omitted, nil
}

func holds(sc scope, test preset.Test) bool {
	r := reader{}
	got := r.text(sc, test.At, maxText, joinWords)
	if len(test.Is) == 0 {
		return got != ""
	}
	return slices.Contains(test.Is, got)
}

// event maps one element; fallback is its id when the sender gave none. The event that comes with an error holds no more than its
// id.
func (s *Source) event(sc scope, id string, now time.Time, fallback func() string) (Event, error) {
	e := &eventv1.Event{Source: s.Name, RecordedAt: event.Micros(now), Mode: eventv1.Mode_MODE_LIVE}
	switch n := sc.event.(type) {
	case object:
	case unreadable:
		return Event{Event: e}, n.error
	default:
		return Event{Event: e}, errors.New("the event is not an object")
	}
	r := reader{err: s.unnamed(sc)}
	where := &s.Map
	kind, when := r.text(sc, where.Kind, maxID, joinWords), r.text(sc, where.OccurredAt, maxID, joinWords)
	switch {
	case id == "":
		e.Id = r.text(sc, where.ID, maxID, joinID)
	case len(id) > maxID || !utf8.ValidString(id):
		r.fail(fmt.Errorf("the header %s is longer than %d bytes or not valid UTF-8", s.Tool.IDHeader, maxID))
	default:
		e.Id = id
	}
	unnamed := e.GetId() == ""
	if unnamed {
		e.Id = fallback()
	}
	lr := &eventv1.LeadReceived{
		Kind: kind, Email: r.text(sc, where.Email, 320, joinWords), ExternalId: r.text(sc, where.ExternalID, maxID, joinID),
		Name: r.text(sc, where.Name, maxText, joinWords), Phone: r.text(sc, where.Phone, 64, joinWords), Channel: r.text(sc, where.Channel, maxID, joinWords),
	}
	if s.Fetch != "" {
		lr.Fetch = where.Fetch
	}
	if s.Channel != "" && !slices.Contains(s.channels, lr.GetChannel()) {
		lr.Channel = s.Channel
	}
	if err := s.fill(lr, sc); err != nil {
		r.fail(err)
	}
	s.consents(&r, lr, sc)
	lr.Confidence = s.confidence(&r, sc)
	s.outcome(&r, lr, sc)
	s.mode(&r, e, sc)
	e.OccurredAt = occurred(&r, when, now)
	identifiers := lead.Identify(s.Name, lr.GetEmail(), lr.GetExternalId())
	if r.err == nil && len(identifiers) == 0 {
		r.fail(nobody(where, lr))
	}
	if r.err != nil {
		return Event{Event: &eventv1.Event{Id: e.GetId()}}, r.err
	}
	said := int64(0)
	if when != "" {
		said = e.GetOccurredAt()
	}
	wire, err := seal(e, lr, said)
	if err != nil {
		return Event{Event: &eventv1.Event{Id: e.GetId()}}, err
	}
	if len(wire) > maxEvent {
		return Event{Event: &eventv1.Event{Id: e.GetId()}}, fmt.Errorf("the event holds more than %d bytes", maxEvent)
	}
	return Event{Event: e, Unnamed: unnamed, Key: identifiers[0], Wire: wire}, nil
}

// nobody says that what the event has for the person's address and id names nobody.
func nobody(m *preset.Mapping, lr *eventv1.LeadReceived) error {
	var empty, why []string
	if lr.GetEmail() == "" && len(m.Email) > 0 {
		empty = append(empty, quoted(m.Email))
	}
	if lr.GetExternalId() == "" && len(m.ExternalID) > 0 {
		empty = append(empty, quoted(m.ExternalID))
	}
	if len(empty) > 0 {
		why = append(why, "nothing stands at "+strings.Join(empty, " or "))
	}
	if lr.GetEmail() != "" {
		why = append(why, quoted(m.Email)+" is no e-mail address")
	}
	if lr.GetExternalId() != "" {
		why = append(why, quoted(m.ExternalID)+" is blank")
	}
	return errors.New("the event names nobody: " + strings.Join(why, ", and "))
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

// fill takes the declared fields from their places. What the agreement does not declare is dropped.
func (s *Source) fill(lr *eventv1.LeadReceived, sc scope) error {
	for _, f := range s.fields {
		n, ok := sc.value(f.place)
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
			lr.Fields = make(map[string]*eventv1.Value, len(s.fields))
		}
		lr.Fields[f.Name] = v
	}
	return nil
}
