// Package score turns what is known of a lead into points, a grade and the reasons for both, as an agreement says. It is pure.
package score

import (
	"slices"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
)

// Unlisted is what a channel is called that the agreement does not list.
const Unlisted = "unlisted"

// Terms is what an agreement says of facts, in the form that the fold asks for. It is immutable.
type Terms struct {
	agreement *agreement.Agreement
	types     map[string]agreement.FieldType
	// By field, then source.
	ranks    map[string]map[string]int
	recycles map[string]bool
}

var _ lead.Terms = (*Terms)(nil)

// NewTerms prepares an agreement for folding.
func NewTerms(a *agreement.Agreement) *Terms {
	t := &Terms{
		agreement: a, types: map[string]agreement.FieldType{}, ranks: map[string]map[string]int{}, recycles: map[string]bool{},
	}
	for _, f := range a.Fields {
		t.types[f.Name] = f.Type
		t.ranks[f.Name] = map[string]int{}
		for i, source := range f.Precedence {
			t.ranks[f.Name][source] = i
		}
	}
	for _, r := range a.Rejections {
		t.recycles[r.Reason] = r.Recycle
	}
	return t
}

// Rank is a source's place in the field's precedence; one that is not listed comes after all that are.
func (t *Terms) Rank(field, source string) int {
	ranks := t.ranks[field]
	if rank, listed := ranks[source]; listed {
		return rank
	}
	return len(ranks)
}

// Declared says whether the field is declared and the value of its type.
func (t *Terms) Declared(field string, value any) bool {
	declared, is := t.types[field]
	if !is {
		return false
	}
	switch value.(type) {
	case string:
		return declared == agreement.Text
	case float64:
		return declared == agreement.Number
	case bool:
		return declared == agreement.Flag
	}
	return false
}

// Engage gives the points of every engagement rule that the touch meets. A condition that costs too much to evaluate on
// it does not hold.
func (t *Terms) Engage(f lead.Fact) []lead.Gain {
	// Conditions name declared fields only, and do not see values of another type.
	touch := &agreement.Touch{Kind: f.Name, Source: f.Source, Channel: Channel(t.agreement, f.Channel), Fields: f.Fields}
	var room [64]int
	places := t.agreement.Scoring.Engaging(room[:0], touch)
	out := make([]lead.Gain, 0, len(places))
	for _, place := range places {
		r := &t.agreement.Scoring.Rules[place]
		if holds, err := r.On.Matches(touch); err == nil && holds {
			out = append(out, lead.Gain{Rule: r.Name, Points: r.Points, HalfLife: r.HalfLife})
		}
	}
	return out
}

// Recycles says whether the agreement sends a lead that is rejected for this reason back to marketing.
func (t *Terms) Recycles(reason string) bool { return t.recycles[reason] }

// Purpose says whether the agreement asks people to allow it.
func (t *Terms) Purpose(name string) bool { return slices.Contains(t.agreement.Consent.Purposes, name) }

// Channel is the channel as the agreement lists it, or Unlisted; so whoever counts by channel counts a bounded set.
func Channel(a *agreement.Agreement, channel string) string {
	if slices.Contains(a.Channels, channel) {
		return channel
	}
	return Unlisted
}
