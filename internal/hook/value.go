package hook

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// kinds of outcome that a source may report.
var outcomes = []string{"accepted", "attempt", "reached", "qualified", "won", "lost"}

// typed reads a value as the field's type; an empty text is no knowledge and gives nil. A list says as text what it holds, and is
// otherwise as good as its one element.
func typed(t agreement.FieldType, n node) (*eventv1.Value, error) {
	s, ok := textOf(n)
	if list, isList := n.(array); isList {
		s, ok = textOfList(list)
	}
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
		b, err := flag(s)
		if err != nil {
			return nil, err
		}
		return &eventv1.Value{Kind: &eventv1.Value_Flag{Flag: b}}, nil
	case agreement.Text:
	}
	if len(s) > maxText {
		return nil, fmt.Errorf("longer than %d bytes", maxText)
	}
	return &eventv1.Value{Kind: &eventv1.Value_Text{Text: s}}, nil
}

func flag(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "on":
		return true, nil
	case "no", "off":
		return false, nil
	}
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return false, errors.New("neither true nor false")
	}
	return b, nil
}

func textOfList(list array) (string, bool) {
	texts := make([]string, 0, len(list))
	for _, n := range list {
		s, ok := textOf(n)
		if !ok {
			return "", false
		}
		texts = append(texts, s)
	}
	return strings.Join(texts, ", "), true
}

// outcome reads what sales did: an object or a word at its place, or a kind of event that the mapping calls an outcome. Who did it
// and why stands in that object, else where the mapping says.
func (s *Source) outcome(r *reader, lr *eventv1.LeadReceived, sc scope) {
	out, _ := s.reported(r, sc)
	if ours, ok := s.Map.Outcomes[lr.GetKind()]; ok {
		out.Kind = ours
	}
	if !slices.Contains(outcomes, out.GetKind()) {
		if out.GetKind() != "" && len(s.Map.Outcomes) == 0 { // where the words are translated, others mean nothing to us
			r.fail(fmt.Errorf("the outcome is none of %s", strings.Join(outcomes, ", ")))
		}
		return
	}
	if out.GetRep() == "" {
		out.Rep = r.text(sc, s.Map.Rep, maxID, joinWords)
	}
	if out.GetReason() == "" {
		out.Reason = r.text(sc, s.Map.Reason, maxText, joinWords)
	}
	lr.Outcome = out
}

// reported is what stands at the outcome's place, and at which alternative; nil when none of them says an outcome.
func (s *Source) reported(r *reader, sc scope) (out *eventv1.Outcome, at preset.Place) {
	out = &eventv1.Outcome{}
	for i := range s.Map.Outcome {
		at = s.Map.Outcome[i : i+1]
		if s.outcomeAt(r, out, sc, at); slices.Contains(outcomes, out.GetKind()) {
			return out, at // a word that is none may stand before one that is
		}
	}
	return out, nil
}

// outcomeAt reads the outcome at one place: an object with kind, rep and reason, or a word.
func (s *Source) outcomeAt(r *reader, out *eventv1.Outcome, sc scope, place preset.Place) {
	n, ok := sc.first(place)
	if !ok {
		return
	}
	if _, isObject := n.(object); isObject {
		of := scope{root: sc.root, event: n}
		out.Kind, out.Rep = r.text(of, memberNamed("kind"), maxID, joinWords), r.text(of, memberNamed("rep"), maxID, joinWords)
		out.Reason = r.text(of, memberNamed("reason"), maxText, joinWords)
		if out.GetKind() == "" && !opened(s.Map.Outcome, place[0][0]) {
			r.fail(errors.New("the outcome has no kind"))
		}
	} else {
		out.Kind = r.text(sc, place, maxID, joinWords)
	}
	if ours, ok := s.Map.Outcomes[out.GetKind()]; ok {
		out.Kind = ours
	}
}

// memberNamed is the place of an object's own member.
func memberNamed(name string) preset.Place {
	return preset.Place{{{Steps: []preset.Step{{Name: name}}}}}
}

// mode is history when the event says so and the agreement lets the source.
func (s *Source) mode(r *reader, e *eventv1.Event, sc scope) {
	switch r.text(sc, s.Map.Mode, 16, joinWords) {
	case "", "live":
	case "history":
		if !s.History {
			r.fail(errors.New("the agreement does not let this source send history: set history: true on it"))
			return
		}
		e.Mode = eventv1.Mode_MODE_HISTORY
	default:
		r.fail(errors.New(`mode is neither "live" nor "history"`))
	}
}

// occurred reads RFC 3339, a date and time without a zone, which is UTC's, or seconds or milliseconds since 1970; nothing means now.
func occurred(r *reader, s string, now time.Time) int64 {
	if s == "" {
		return event.Micros(now)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		n, numErr := strconv.ParseInt(s, 10, 64)
		switch {
		case numErr != nil:
			if t, err = time.Parse(time.DateTime, s); err != nil {
				r.fail(errors.New("occurred_at is neither RFC 3339 (2026-01-31T09:00:00Z) nor seconds or milliseconds since 1970"))
				return 0
			}
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
