package hook

import (
	"fmt"

	"github.com/leadpact/leadpact/internal/preset"
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
	out := Inspection{Account: (&reader{}).text(items[0], s.Account, maxID, joinWords)}
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
		"reason": m.Reason, "mode": m.Mode, "confidence": m.Confidence, "outcome": m.Outcome,
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
	for _, p := range s.purposes {
		if from := sc.answered(p.place); from != "" {
			out["consent."+p.name] = from
		}
	}
	return out
}

// filled is the first alternative of a place that holds something; whole asks for all its parts.
func (sc scope) filled(place preset.Place, whole bool) string {
	for _, paths := range place {
		found := 0
		for _, path := range paths {
			if n, ok := sc.at(path); ok && n != "" {
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
