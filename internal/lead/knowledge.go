package lead

import (
	"maps"
	"math"
	"time"
)

// Terms is what an agreement says of facts. Its answers depend on their arguments alone.
type Terms interface {
	// Rank of a source for a field, 0 the best. "email", "name" and "phone" are fields here too.
	Rank(field, source string) int
	// Declared says whether the field is wanted and the value, a string, a float64 or a bool, is of its type.
	Declared(field string, value any) bool
	// Engage says what a touch earns, at most once for a rule.
	Engage(touch Fact) []Gain
	// Recycles says whether a lead that is rejected for this reason goes back to marketing.
	Recycles(reason string) bool
	// Purpose says whether consent to it counts. Contact always does, whatever this answers.
	Purpose(name string) bool
}

// Value is what the winning source says of one thing.
type Value struct {
	// A string, a float64 or a bool.
	Value any   `json:"value"`
	Stamp Stamp `json:"stamp"`
}

// Moment is one touch, as the first and the last are remembered.
type Moment struct {
	At      time.Time `json:"at"`
	Source  string    `json:"source"`
	ID      string    `json:"id"`
	Channel string    `json:"channel,omitempty"`
}

// Knowledge is what is known of a lead under one agreement. Its size is bounded by the agreement, not by the number of facts. The zero
// value is that of a lead without facts. A Knowledge is never changed: Fold and Merge return new ones.
type Knowledge struct {
	// First and Last are the earliest and the newest touch; zero while there is none.
	First Moment `json:"first,omitzero"`
	Last  Moment `json:"last,omitzero"`
	// Latest is the newest instant of any fact.
	Latest time.Time `json:"latest,omitzero"`
	// As the winning source wrote them.
	Name  Value `json:"name,omitzero"`
	Email Value `json:"email,omitzero"`
	Phone Value `json:"phone,omitzero"`
	// By declared field.
	Fields map[string]Value `json:"fields,omitempty"`
	// By kind, ascending in time.
	Deeds map[string][]Deed `json:"deeds,omitempty"`
	// By engagement rule, ascending by E.
	Engaged map[string][]Bin `json:"engaged,omitempty"`
	// By purpose: the word that holds.
	Consents map[string]Word `json:"consents,omitempty"`
}

// Touched says whether marketing's side ever reported the lead. Outcomes alone make no lead.
func (k Knowledge) Touched() bool { return !k.First.At.IsZero() }

// Fold adds facts to what is known. A fact that stands twice in the call, by source and id, counts once; one that k holds already
// must not be given again: the store says which facts are fresh.
func Fold(terms Terms, k Knowledge, facts ...Fact) Knowledge {
	d := draft{Knowledge: k}
	if len(facts) == 1 {
		d.tell(terms, facts[0])
		return d.Knowledge
	}
	type key struct{ source, id string }
	seen := make(map[key]bool, len(facts))
	for _, f := range facts {
		if id := (key{f.Source, f.ID}); !seen[id] {
			seen[id] = true
			d.tell(terms, f)
		}
	}
	return d.Knowledge
}

// Merge unites what is known from two disjoint sets of facts under the same terms.
func Merge(a, b Knowledge) Knowledge {
	d := draft{Knowledge: a}
	if b.Touched() {
		d.touch(b.First, b.Last)
	}
	d.reach(b.Latest)
	d.Name, d.Email, d.Phone = greater(a.Name, b.Name), greater(a.Email, b.Email), greater(a.Phone, b.Phone)
	for field, value := range b.Fields {
		d.field(field, value)
	}
	for kind, deeds := range b.Deeds {
		d.deed(kind, deeds)
	}
	for rule, bins := range b.Engaged {
		d.engage(rule, bins)
	}
	for purpose, word := range b.Consents {
		d.consent(purpose, word)
	}
	return d.Knowledge
}

// draft is a Knowledge in the making. Facts and other knowledge come into it by the same few additions, each commutative and
// associative by itself, so that all of it is: maxima and minima over keys that no two facts share, addDeeds and addBins.
//
// It shares the maps of the Knowledge that it began with until it first writes into one, and their slices for good, since addDeeds and
// addBins make new ones.
type draft struct {
	Knowledge
	ownFields, ownDeeds, ownEngaged, ownConsents bool
}

// tell adds what one fact says.
func (d *draft) tell(terms Terms, f Fact) {
	d.reach(f.OccurredAt)
	say := func(field string, value any) Value {
		return Value{Value: value, Stamp: Stamp{
			Rank: terms.Rank(field, f.Source), Confidence: partial(f.Confidence), OccurredAt: f.OccurredAt, Source: f.Source, ID: f.ID,
		}}
	}
	if f.FullName != "" {
		d.Name = greater(d.Name, say("name", f.FullName))
	}
	if f.Email != "" {
		d.Email = greater(d.Email, say("email", f.Email))
	}
	if f.Phone != "" {
		d.Phone = greater(d.Phone, say("phone", f.Phone))
	}
	for field, value := range f.Fields {
		if finite(value) && terms.Declared(field, value) {
			d.field(field, say(field, value))
		}
	}
	for _, c := range f.Consents {
		if c.Purpose == Contact || terms.Purpose(c.Purpose) {
			d.consent(c.Purpose, Word{Granted: c.Granted, At: f.OccurredAt, Source: f.Source, ID: f.ID})
		}
	}
	switch f.Kind {
	case Touch:
		m := Moment{At: f.OccurredAt, Source: f.Source, ID: f.ID, Channel: f.Channel}
		d.touch(m, m)
		for _, g := range terms.Engage(f) {
			bin := [1]Bin{g.bin(f.OccurredAt)}
			d.engage(g.Rule, bin[:])
		}
	case Outcome, Activity:
		if !IsDeed(f.Name) {
			break
		}
		deed := Deed{At: f.OccurredAt, Source: f.Source, ID: f.ID, Rep: f.Rep}
		if f.Kind == Activity {
			deed.Cycle = f.Cycle
			deed.Recycles = f.Name == Rejected && terms.Recycles(f.Reason)
		}
		d.deed(f.Name, []Deed{deed})
	}
}

func (d *draft) touch(first, last Moment) {
	if !d.Touched() || first.compare(d.First) < 0 {
		d.First = first
	}
	if last.compare(d.Last) > 0 {
		d.Last = last
	}
}

func (d *draft) reach(t time.Time) {
	if t.After(d.Latest) {
		d.Latest = t
	}
}

func (d *draft) field(name string, value Value) {
	own(&d.Fields, &d.ownFields)
	d.Fields[name] = greater(d.Fields[name], value)
}

func (d *draft) deed(kind string, deeds []Deed) {
	own(&d.Deeds, &d.ownDeeds)
	d.Deeds[kind] = addDeeds(d.Deeds[kind], deeds)
}

func (d *draft) engage(rule string, bins []Bin) {
	own(&d.Engaged, &d.ownEngaged)
	d.Engaged[rule] = addBins(d.Engaged[rule], bins)
}

func (d *draft) consent(purpose string, word Word) {
	if held, said := d.Consents[purpose]; said && held.Compare(word) >= 0 {
		return
	}
	own(&d.Consents, &d.ownConsents)
	d.Consents[purpose] = word
}

// own makes the map the draft's, if it is not yet.
func own[V any](m *map[string]V, is *bool) {
	if *is {
		return
	}
	*is = true
	if *m = maps.Clone(*m); *m == nil {
		*m = map[string]V{}
	}
}

func (m Moment) compare(o Moment) int {
	return Deed{At: m.At, Source: m.Source, ID: m.ID}.Compare(Deed{At: o.At, Source: o.Source, ID: o.ID})
}

// greater is the value with the greater stamp; a value that nobody gave loses against any.
func greater(a, b Value) Value {
	switch {
	case a.Value == nil:
		return b
	case b.Value == nil || a.Stamp.Compare(b.Stamp) >= 0:
		return a
	}
	return b
}

// partial is a confidence as stamps keep it: nothing of one that is full.
func partial(confidence float64) float64 {
	if confidence > 0 && confidence < 1 {
		return confidence
	}
	return 0
}

// finite says whether the value can be written down and compared.
func finite(value any) bool {
	number, is := value.(float64)
	return !is || !math.IsNaN(number) && !math.IsInf(number, 0)
}
