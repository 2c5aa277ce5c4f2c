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
}

// Touched says whether marketing's side ever reported the lead. Outcomes alone make no lead.
func (k Knowledge) Touched() bool { return !k.First.At.IsZero() }

// Fold adds facts to what is known. A fact that stands twice in the call, by source and id, counts once; one that k holds already
// must not be given again: the store says which facts are fresh.
func Fold(terms Terms, k Knowledge, facts ...Fact) Knowledge {
	type key struct{ source, id string }
	seen := make(map[key]bool, len(facts))
	out := k.clone()
	for _, f := range facts {
		if id := (key{f.Source, f.ID}); !seen[id] {
			seen[id] = true
			absorb(&out, single(terms, f))
		}
	}
	return out
}

// Merge unites what is known from two disjoint sets of facts under the same terms.
func Merge(a, b Knowledge) Knowledge {
	out := a.clone()
	absorb(&out, b)
	return out
}

// single is what one fact tells. Fold is Merge of singles, so its laws are those of absorb.
func single(terms Terms, f Fact) Knowledge {
	k := Knowledge{Latest: f.OccurredAt}
	say := func(field string, value any) Value {
		return Value{Value: value, Stamp: Stamp{
			Rank: terms.Rank(field, f.Source), OccurredAt: f.OccurredAt, Source: f.Source, ID: f.ID,
		}}
	}
	if f.FullName != "" {
		k.Name = say("name", f.FullName)
	}
	if f.Email != "" {
		k.Email = say("email", f.Email)
	}
	if f.Phone != "" {
		k.Phone = say("phone", f.Phone)
	}
	for field, value := range f.Fields {
		if !finite(value) || !terms.Declared(field, value) {
			continue
		}
		put(&k.Fields, field, say(field, value))
	}
	switch f.Kind {
	case Touch:
		k.First = Moment{At: f.OccurredAt, Source: f.Source, ID: f.ID, Channel: f.Channel}
		k.Last = k.First
		for _, g := range terms.Engage(f) {
			put(&k.Engaged, g.Rule, []Bin{g.bin(f.OccurredAt)})
		}
	case Outcome, Activity:
		if !IsDeed(f.Name) {
			break
		}
		d := Deed{At: f.OccurredAt, Source: f.Source, ID: f.ID, Rep: f.Rep}
		if f.Kind == Activity {
			d.Cycle = f.Cycle
			d.Recycles = f.Name == Rejected && terms.Recycles(f.Reason)
		}
		put(&k.Deeds, f.Name, []Deed{d})
	}
	return k
}

// absorb adds what o knows. Each line is commutative and associative by itself, so all of it is: maxima and minima over keys that
// no two facts share, addDeeds and addBins.
func absorb(k *Knowledge, o Knowledge) {
	if o.Touched() {
		if !k.Touched() || o.First.compare(k.First) < 0 {
			k.First = o.First
		}
		if o.Last.compare(k.Last) > 0 {
			k.Last = o.Last
		}
	}
	if o.Latest.After(k.Latest) {
		k.Latest = o.Latest
	}
	k.Name = greater(k.Name, o.Name)
	k.Email = greater(k.Email, o.Email)
	k.Phone = greater(k.Phone, o.Phone)
	for field, value := range o.Fields {
		put(&k.Fields, field, greater(k.Fields[field], value))
	}
	for kind, deeds := range o.Deeds {
		put(&k.Deeds, kind, addDeeds(k.Deeds[kind], deeds))
	}
	for rule, bins := range o.Engaged {
		put(&k.Engaged, rule, addBins(k.Engaged[rule], bins))
	}
}

// clone copies the maps; the slices in them are shared, since addDeeds and addBins make new ones.
func (k Knowledge) clone() Knowledge {
	k.Fields, k.Deeds, k.Engaged = maps.Clone(k.Fields), maps.Clone(k.Deeds), maps.Clone(k.Engaged)
	return k
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

// finite says whether the value can be written down and compared.
func finite(value any) bool {
	number, is := value.(float64)
	return !is || !math.IsNaN(number) && !math.IsInf(number, 0)
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}
