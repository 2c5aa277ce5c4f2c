package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Obligation is what a side owes the other over a period.
type Obligation struct {
	Name         string
	Says         string
	Party        Side
	Counterparty Side
	Measure      Measure
	// Target is a count, or a share 0..1; TargetTime is used instead where a time is measured, and is the most it may be.
	Target     float64
	TargetTime time.Duration
	Period     string // week, month, quarter or year
	Calendar   string // whose days make the pace; empty is every day
	// Least is the fewest cases that a verdict is given over.
	Least int
	// Floor is the share of the pace, 0..1, below which it is warned.
	Floor float64
	// Tracked says that nobody is held to it.
	Tracked  bool
	Remedies string // or ""
}

// Measure is what an obligation counts; which of the rest is set follows from Kind.
type Measure struct {
	Kind         string
	Stage        string
	From, To     string
	By           string // count or value
	Per          string // rep, team or all
	LessRejected bool
	Attribution  string
	Stages       []string
	Personas     []string
	Of           string // a clock's or a record's name
}

// The measures.
const (
	MeasureVolume      = "volume"
	MeasureConversion  = "conversion"
	MeasureICP         = "icp_share"
	MeasureNetNew      = "net_new"
	MeasureRevenue     = "revenue_share"
	MeasureCoverage    = "coverage"
	MeasureAttainment  = "attainment"
	MeasureFeedback    = "feedback"
	MeasurePersonaData = "persona_data"
	MeasureTime        = "time"
)

// counted measures have a number for a target, and time has a time; all others a share.
func (m Measure) counted() bool {
	return m.Kind == MeasureVolume || m.Kind == MeasureNetNew || m.Kind == MeasurePersonaData
}

func (b *builder) readObligations(n *node) {
	b.pending(n, "obligations")
	for _, item := range b.rows(n, "obligations") {
		v := b.fields(item, &obligationShape)
		if v == nil {
			continue
		}
		o := Obligation{
			Name: b.name(b.need(v, "name"), b.promisedAt), Says: b.prose(v.get("says")),
			Party: b.side(b.need(v, "party")), Counterparty: b.side(b.need(v, "counterparty")),
			Measure: b.measure(b.need(v, "measure")), Period: b.oneOf(b.need(v, "period"), "period", "week", "month", "quarter", "year"),
			Calendar: b.ref(b.need(v, "calendar"), "calendar", b.calendars), Least: b.count(v.get("least"), 1_000_000),
			Floor: float64(b.percent(v.get("floor"), 0, 100)) / 100, Tracked: b.flag(v.get("tracked")), Remedies: b.ladder(v.get("remedies")),
		}
		b.target(b.need(v, "target"), &o)
		if o.Party != "" && o.Party == o.Counterparty {
			b.at(v.get("counterparty"), "a side owes nothing to itself", "name the other one")
		}
		switch ladder := v.get("remedies"); {
		case ladder == nil && !o.Tracked:
			b.at(v, "an obligation needs remedies", "name what follows when it is not met, or write tracked: true")
		case ladder != nil && o.Tracked:
			b.at(ladder, "what is only tracked has no remedies", "take out one of the two")
		}
		b.a.Obligations = append(b.a.Obligations, o)
	}
}

func (b *builder) target(n *node, o *Obligation) {
	switch {
	case n == nil || o.Measure.Kind == "":
	case o.Measure.Kind == MeasureTime:
		o.TargetTime = b.duration(n)
	case o.Measure.counted():
		o.Target = b.amount(n)
	default:
		o.Target = float64(b.percent(n, 1, 100)) / 100
	}
}

// measure reads the one thing that is counted.
func (b *builder) measure(n *node) Measure {
	v := b.fields(n, &measureShape)
	if v == nil {
		return Measure{}
	}
	if len(v.pairs) != 1 {
		b.at(v, "an obligation has one measure", "write one of "+strings.Join(measureShape.names(), ", "))
		return Measure{}
	}
	m := Measure{Kind: v.pairs[0].key.text}
	i := slices.IndexFunc(measureShape.keys, func(k member) bool { return k.key == m.Kind })
	if i < 0 {
		return Measure{} // it was refused a moment ago
	}
	value := v.pairs[0].value
	if value.kind == null {
		value = &node{place: v.pairs[0].key.place, path: value.path, kind: mapping}
	}
	of := b.fields(value, measureShape.keys[i].form.shapes[0])
	if of == nil {
		return m
	}
	stage := func(key string) string { return b.ref(b.need(of, key), "stage", b.words.stages) }
	per := func() string {
		if of.get("per") == nil {
			return "all"
		}
		return b.oneOf(of.get("per"), "way to count", "rep", "team", "all")
	}
	switch m.Kind {
	case MeasureVolume:
		m.Stage, m.Per, m.LessRejected, m.By = stage("stage"), per(), b.flag(of.get("less_rejected")), "count"
		if by := of.get("by"); by != nil {
			m.By = b.oneOf(by, "way to count", "count", "value")
		}
		if m.By == "value" && !slices.ContainsFunc(b.a.Personas, func(p Persona) bool { return p.Deal > 0 }) {
			b.at(of.get("by"), "nobody says what a lead is worth", "give the personas worth: {win_rate: 20%, deal: 9000}")
		}
	case MeasureICP:
		m.Stage = stage("stage")
		if b.a.ICP == nil {
			b.at(v.pairs[0].key, "nobody says who the ideal customer is", "write icp: {when: …}")
		}
	case MeasureConversion, MeasureTime:
		m.From, m.To = stage("from"), stage("to")
		b.checkWay(of, m.From, m.To)
	case MeasureNetNew:
		m.Per = per()
	case MeasureRevenue:
		m.Attribution = b.oneOf(b.need(of, "attribution"), "attribution", "first-touch", "last-touch", "linear")
	case MeasureCoverage:
		m.Stages, m.Personas = b.refs(of.get("stages"), "stage", b.words.stages), b.refs(of.get("personas"), "persona", b.words.personas)
	case MeasureAttainment:
		m.Of = b.ref(b.need(of, "of"), "clock or record", b.perLead)
	}
	return m
}

// checkWay refuses a way that no lead goes: the funnel has an order, and ends. From the recycled stage a lead goes all the way again, and
// from any other it may come back there.
func (b *builder) checkWay(n *node, from, to string) {
	at := func(name string) int {
		return slices.IndexFunc(b.a.Stages, func(s Stage) bool { return s.Name == name })
	}
	i, j := at(from), at(to)
	switch {
	case i < 0 || j < 0:
	case b.a.Stages[i].Final:
		b.at(n.get("from"), fmt.Sprintf("no lead comes from %s: the stage is final", quote(from)), "name a stage before it")
	case i != j && (b.a.Stages[i].Recycled || b.a.Stages[j].Recycled):
	case i >= j:
		b.at(n.get("to"), fmt.Sprintf("no lead comes from %s to %s: the funnel goes the other way", quote(from), quote(to)), "name the earlier stage first")
	}
}

// sayObligations are those of one side.
func (a *Agreement) sayObligations(side Side) Section {
	s := Section{Title: "What " + string(side) + " owes over time", Pending: true}
	for _, o := range a.Obligations {
		if o.Party != side {
			continue
		}
		least := ""
		if o.Least > 1 {
			least = plural(float64(o.Least), "case", "cases") + " on"
		}
		tracked := ""
		if o.Tracked {
			tracked = "yes"
		}
		s.add(o.Name, o.Name, a.teamsOf(side), Fact{"", o.Says}, Fact{"to", string(o.Counterparty)}, Fact{"measure", o.Measure.words()}, Fact{"target", o.target()},
			Fact{"each", o.Period}, Fact{"days of", o.Calendar}, Fact{"from", least}, Fact{"not below", share(o.Floor)},
			Fact{"only tracked", tracked}, Fact{"remedies", o.Remedies})
	}
	return s
}

func (o Obligation) target() string {
	switch {
	case o.Measure.Kind == MeasureTime:
		return "at most " + spell(o.TargetTime)
	case o.Measure.counted():
		return "at least " + number(o.Target)
	}
	return "at least " + percentage(o.Target)
}

// words tell a measure: "leads that come to mql, less those given back, per rep".
func (m Measure) words() string {
	var s string
	switch m.Kind {
	case MeasureVolume:
		s = "leads that come to " + m.Stage
		if m.By != "count" {
			s += ", by " + m.By
		}
		if m.LessRejected {
			s += ", less those given back"
		}
	case MeasureConversion:
		s = "share of " + m.From + " that comes to " + m.To
	case MeasureICP:
		s = "share of ideal customers at " + m.Stage
	case MeasureNetNew:
		s = "people who were not known before"
	case MeasureRevenue:
		s = "share of closed revenue that marketing brought, by " + m.Attribution
	case MeasureCoverage:
		s = "stages and personas with an asset"
		if list := append(slices.Clone(m.Stages), m.Personas...); len(list) > 0 {
			s += ": " + strings.Join(m.Stages, ", ") + " / " + strings.Join(m.Personas, ", ")
		}
	case MeasureAttainment:
		s = "share of " + m.Of + " that is kept"
	case MeasureFeedback:
		s = "share of handed leads that are accepted, or given back with a reason"
	case MeasurePersonaData:
		s = "answers on personas"
	case MeasureTime:
		s = "median time from " + m.From + " to " + m.To
	}
	if m.Per != "" && m.Per != "all" {
		s += ", per " + m.Per
	}
	return s
}
