package hook

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// purpose is what a person may be asked to allow, with the places where the answer may stand.
type purpose struct {
	name  string
	place preset.Place
}

// purposesOf are those of the agreement, contact, and those that the map of the source names. A preset with patterns for fields has the
// answers under consent, beside the fields.
func purposesOf(a *agreement.Agreement, m preset.Mapping) []purpose {
	names := slices.Concat([]string{agreement.Contact}, a.Consent.Purposes, slices.Collect(maps.Keys(m.Consent)))
	slices.Sort(names)
	var out []purpose
	for _, name := range slices.Compact(names) {
		if place := placeOf(m.Consent, name, m.Any, "consent."+name); len(place) > 0 {
			out = append(out, purpose{name, place})
		}
	}
	return out
}

// objectionsOf are the flags by which a tool says that somebody does not want something.
func objectionsOf(m preset.Mapping) []purpose {
	var out []purpose
	for _, name := range slices.Sorted(maps.Keys(m.Objections)) {
		out = append(out, purpose{name, m.Objections[name]})
	}
	return out
}

// consents reads what the person allows and forbids: a flag for each purpose, or a kind of event that grants or withdraws one.
func (s *Source) consents(r *reader, lr *eventv1.LeadReceived, sc scope) {
	if n, ok := sc.first(s.Map.Purposes); ok {
		if _, isObject := n.(object); !isObject && !s.means(s.Map.Purposes) {
			r.fail(errors.New(`consent: write purpose: true or false, as {"contact": false}`))
		}
	}
	for _, p := range s.purposes {
		if v := p.flag(r, sc); v != nil {
			record(lr, p.name, v.GetFlag())
		}
	}
	for _, p := range s.objections {
		if p.flag(r, sc).GetFlag() {
			record(lr, p.name, false)
		}
	}
	if name, ok := s.Map.Grants[lr.GetKind()]; ok {
		record(lr, name, true)
	}
	if name, ok := s.Map.Withdrawals[lr.GetKind()]; ok {
		record(lr, name, false)
	}
}

// means says that the agreement has a field or a purpose at a place.
func (s *Source) means(place preset.Place) bool {
	at := func(other preset.Place) bool {
		return slices.ContainsFunc(other, func(paths []preset.Path) bool { return preset.Place{paths}.String() == place.String() })
	}
	return slices.ContainsFunc(s.fields, func(f field) bool { return at(f.place) }) || slices.ContainsFunc(s.purposes, func(p purpose) bool { return at(p.place) })
}

// flag is the answer that stands in an event; nil when there is none.
func (p purpose) flag(r *reader, sc scope) *eventv1.Value {
	n, ok := sc.value(p.place)
	if !ok {
		return nil
	}
	v, err := typed(agreement.Flag, n)
	if err != nil {
		r.fail(fmt.Errorf("consent to %q: %w", p.name, err))
	}
	return v
}

// record writes down the person's word on a purpose, which stands there once: of two that differ the one that forbids. It says whether
// this word is what stands there now, and no earlier one.
func record(lr *eventv1.LeadReceived, purpose string, granted bool) bool {
	for _, c := range lr.GetConsents() {
		if c.GetPurpose() == purpose {
			turned := c.GetGranted() && !granted
			c.Granted = c.GetGranted() && granted
			return turned
		}
	}
	lr.Consents = append(lr.Consents, &eventv1.Consent{Purpose: purpose, Granted: granted})
	return true
}

// confidence is how sure the event is of what it says; 0 when it does not say. At a preset's place others write other things under the
// name, and lose no lead by it.
func (s *Source) confidence(r *reader, sc scope) float64 {
	of := reader{}
	text := of.text(sc, s.Map.Confidence, maxID, joinWords)
	if of.err == nil && text == "" {
		return 0
	}
	share, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && share > 0 && share <= 1:
		return share
	case s.strict && (err != nil || share != 0):
		r.fail(errors.New("confidence is no number over 0 up to 1"))
	}
	return 0
}
