package agreement

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Scope is what the agreement is about, and what it is not.
type Scope struct {
	Includes []string
	Excludes []Exclusion
}

// Exclusion are leads that the agreement is not about.
type Exclusion struct {
	Name string
	When *Condition
	Says string
}

// Needs are what must be known of a lead before the handoff.
type Needs struct {
	Fields  []string
	Persona bool
	Waiver  string // who may let a lead pass without
}

// Cap bounds how many leads come in a time; what comes above waits, and breaks nothing by it.
type Cap struct {
	Name   string
	Per    string // rep, team or all
	Most   int
	Window string // day, week or month
	// Within is the promise on a lead that waits; 0 is none.
	Within   time.Duration
	Calendar string
}

// Skill is what a rep must be able to do for certain leads of a pool.
type Skill struct {
	When *Condition
	Name string
}

// Group bounds what several scoring rules bring together.
type Group struct {
	Name string
	Cap  float64
}

func (b *builder) readScope(n *node) {
	v := b.fields(n, &scopeShape)
	if v == nil {
		return
	}
	for _, item := range b.items(v.get("includes")) {
		if text := b.prose(item); text != "" {
			b.a.Scope.Includes = append(b.a.Scope.Includes, text)
		}
	}
	b.pending(v.get("excludes"), "exclusions")
	seen := map[string]place{}
	for _, item := range b.rows(v.get("excludes"), "exclusions") {
		if e := b.fields(item, &exclusionShape); e != nil {
			b.a.Scope.Excludes = append(b.a.Scope.Excludes, Exclusion{
				Name: b.name(b.need(e, "name"), seen), When: b.condition(b.need(e, "when"), b.language.lead, barredInRoutes), Says: b.prose(e.get("says")),
			})
		}
	}
}

func (b *builder) readNeeds(n *node) Needs {
	b.pending(n, "what the handoff needs")
	v := b.fields(n, &needsShape)
	if v == nil {
		return Needs{}
	}
	needs := Needs{Fields: b.refs(v.get("fields"), "field", b.fieldNames), Persona: b.flag(v.get("persona")), Waiver: b.prose(v.get("waiver"))}
	if needs.Persona && len(b.words.personas) == 1 {
		b.at(v.get("persona"), "no persona is declared", "write personas, or take this out")
	}
	return needs
}

func (b *builder) readGroups(n *node) {
	b.pending(n, "groups of scoring rules")
	for _, p := range b.entries(n, "groups") {
		if v := b.fields(p.value, &groupShape); v != nil {
			b.a.Scoring.Groups = append(b.a.Scoring.Groups, Group{Name: p.key.text, Cap: b.amount(b.need(v, "cap"))})
		}
	}
}

// checkGroups finds those that no rule is in.
func (b *builder) checkGroups(n *node) {
	for _, p := range b.entries(n, "groups") {
		if !b.usedGroups[p.key.text] {
			b.at(p.key, fmt.Sprintf("no rule is in the group %s", quote(p.key.text)), "write group: "+p.key.text+" to the rules that it bounds, or take it out")
		}
	}
}

func (b *builder) readCaps(n *node) {
	b.pending(n, "caps")
	seen := map[string]place{}
	for _, item := range b.rows(n, "caps") {
		v := b.fields(item, &capShape)
		if v == nil {
			continue
		}
		before := len(b.list)
		c := Cap{
			Name: b.name(b.need(v, "name"), seen), Per: b.oneOf(b.need(v, "per"), "way to count", "rep", "team", "all"),
			Most: b.count(b.need(v, "most"), 1_000_000), Window: b.oneOf(b.need(v, "window"), "window", "day", "week", "month"),
		}
		if o := b.fields(v.get("overflow"), &overflowShape); o != nil {
			c.Within = b.duration(b.need(o, "within"))
			c.Calendar = b.ref(b.need(o, "calendar"), "calendar", b.calendars)
			b.checkReach(o, Clock{Calendar: c.Calendar, Within: c.Within})
		}
		if before == len(b.list) {
			b.checkVolume(v, c)
		}
		b.a.Caps = append(b.a.Caps, c)
	}
}

// checkVolume refuses a cap that lets fewer leads through than marketing owes.
func (b *builder) checkVolume(v *node, c Cap) {
	for _, o := range b.a.Obligations {
		if o.Measure.Kind != MeasureVolume || o.Measure.By != "count" || o.Measure.Per != c.Per || o.Measure.Stage != b.a.Handoff.At || b.a.Handoff.At == "" {
			continue
		}
		if most := float64(c.Most) * windows(c.Window, o.Period); most > 0 && o.Target > most {
			b.at(v.get("most"), fmt.Sprintf("the cap lets at most %s leads a %s through, and %s owes %s (%s)", number(most), o.Period, o.Party, number(o.Target), quote(o.Name)),
				"raise the cap, or owe less")
		}
	}
}

// windows is how many windows of a cap a period can touch at most.
func windows(window, period string) float64 {
	days := map[string]float64{"week": 7, "month": 31, "quarter": 92, "year": 366}
	per := map[string]float64{"day": 1, "week": 7, "month": 28}
	months := map[string]float64{"month": 1, "quarter": 3, "year": 12}
	switch {
	case days[period] == 0 || per[window] == 0:
		return 0
	case window == "month" && months[period] > 0:
		return months[period]
	case window == period:
		return 1
	}
	return math.Ceil((days[period]-1)/per[window]) + 1
}

func (a *Agreement) sayScope() Section {
	s := Section{Title: "What it is about"}
	for _, text := range a.Scope.Includes {
		s.add(text, text, nil)
	}
	for _, e := range a.Scope.Excludes {
		s.add("\n"+e.Name, "not about "+e.Name, nil, Fact{"when", e.When.words()}, Fact{"because", e.Says})
		s.Clauses[len(s.Clauses)-1].Pending = true
	}
	return s
}

func (a *Agreement) sayCaps() Section {
	s := Section{Title: "How many leads at most", Pending: true}
	for _, c := range a.Caps {
		s.add(c.Name, c.Name, a.everyone(), Fact{"per", c.Per}, Fact{"at most", fmt.Sprint(c.Most)}, Fact{"each", c.Window}, Fact{"what waits is taken within", spell(c.Within)}, Fact{"hours", c.Calendar})
	}
	return s
}

// facts tell what the handoff needs.
func (n Needs) facts() []Fact {
	return []Fact{{"needs", strings.Join(n.Fields, ", ")}, {"needs a persona", yes(n.Persona)}, {"without, by leave of", n.Waiver}}
}
