package hook

import (
	"fmt"

	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Inspection is what a person who tries a mapping wants to know of a body beside its events.
type Inspection struct {
	// Account is the one that its first event says it comes from; "" when it says none.
	Account string
	// Omitted are the events that the preset leaves out: those that Read counts as skipped.
	Omitted []Omission
	// Origins say of each event of the body, whatever becomes of it, which alternative of a place filled a thing: by its name in the map,
	// "fields.NAME" for a field, "consent.PURPOSE" for a consent.
	Origins []map[string]string
}

// Omission is an event that the preset leaves out, and why.
type Omission struct {
	Index int    `json:"index"`
	Why   string `json:"why"`
}

// Inspect reads a body for people who ask. The error is about the body as a whole.
func (s *Source) Inspect(r *Request) (Inspection, error) {
	root, err := s.decode(r)
	if err != nil {
		return Inspection{}, err
	}
	items, _, err := list(root, s.Map.Events)
	if err != nil {
		return Inspection{}, err
	}
	out := Inspection{Account: (&reader{}).text(items[0], s.Tool.Account, maxID, joinWords)}
	for i, sc := range items {
		if why, omitted := s.omits(sc); omitted {
			out.Omitted = append(out.Omitted, Omission{i, why})
		}
		out.Origins = append(out.Origins, s.origins(sc))
	}
	return out, nil
}

// omits says whether the preset's rules leave an event out, and in whose words. One that does not say what it is may be a lead, and is
// not left out.
func (s *Source) omits(sc scope) (why string, omitted bool) {
	if s.unnamed(sc) != nil {
		return "", false
	}
	for _, test := range s.Map.Only {
		if !holds(sc, test) {
			return test.Why, true
		}
	}
	for _, test := range s.Map.Skip {
		if holds(sc, test) {
			return test.Why, true
		}
	}
	return "", false
}

// unnamed says that nothing stands where an event says what it is, by which the preset lets it in.
func (s *Source) unnamed(sc scope) error {
	for _, test := range s.Map.Only {
		if (&reader{}).text(sc, test.At, maxText, joinWords) == "" {
			return fmt.Errorf("the event does not say what it is: %s is empty", quoted(test.At))
		}
	}
	return nil
}

func (s *Source) origins(sc scope) map[string]string {
	m, out := &s.Map, map[string]string{}
	for name, place := range map[string]preset.Place{
		"kind": m.Kind, "occurred_at": m.OccurredAt, "email": m.Email, "name": m.Name, "phone": m.Phone, "channel": m.Channel, "rep": m.Rep,
		"reason": m.Reason, "mode": m.Mode, "confidence": m.Confidence,
	} {
		if from := sc.filled(place, false); from != "" {
			out[name] = from
		}
	}
	for name, place := range map[string]preset.Place{"id": m.ID, "external_id": m.ExternalID} {
		if from := sc.filled(place, true); from != "" {
			out[name] = from
		}
	}
	for _, f := range s.fields {
		if from := sc.answered(f.place); from != "" {
			out["fields."+f.Name] = from
		}
	}
	if _, at := s.reported(&reader{}, sc); at != nil {
		out["outcome"] = at.String()
	}
	s.consentOrigins(sc, out)
	return out
}

// consentOrigins says of each purpose where the word stands that counts; of one that the kind gives or takes away nothing.
func (s *Source) consentOrigins(sc scope, out map[string]string) {
	r, said := &reader{}, &eventv1.LeadReceived{}
	for _, p := range s.purposes {
		if v := p.flag(r, sc); v != nil && record(said, p.name, v.GetFlag()) {
			out["consent."+p.name] = sc.answered(p.place)
		}
	}
	for _, p := range s.objections {
		if p.flag(r, sc).GetFlag() && record(said, p.name, false) {
			out["consent."+p.name] = sc.answered(p.place)
		}
	}
	if name, ok := s.Map.Withdrawals[r.text(sc, s.Map.Kind, maxID, joinWords)]; ok && record(said, name, false) {
		delete(out, "consent."+name)
	}
}

// filled is the first alternative of a place that holds something; whole asks for all its parts.
func (sc scope) filled(place preset.Place, whole bool) string {
	for _, paths := range place {
		found := 0
		for _, path := range paths {
			if text, ok, err := sc.text(path, maxText); ok && err == nil && text != "" {
				found++
			}
		}
		if found == len(paths) || (found > 0 && !whole) {
			return preset.Place{paths}.String()
		}
	}
	return ""
}

// answered is the alternative that gives a field its value: an object holds none.
func (sc scope) answered(place preset.Place) string {
	for i := range place {
		if n, ok := sc.value(place[i : i+1]); ok {
			if _, isObject := n.(object); !isObject {
				return place[i : i+1].String()
			}
		}
	}
	return ""
}
