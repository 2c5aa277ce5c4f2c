package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Record is what somebody writes down about a lead, and until when: research before an attempt, the fields that a stage asks for, the
// review of a deal that is won or lost.
type Record struct {
	Name  string
	Says  string
	Party Side
	// Stage is where its time begins; empty at the handoff.
	Stage string
	// Grades it holds for; empty means all.
	Grades []string
	// Fields that must be known.
	Fields   []string
	Within   time.Duration
	Calendar string
	// BeforeAttempt says that it comes before the attempt of this number; 0 before none.
	BeforeAttempt int
	Remedies      string // or ""
}

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

// Step is one rung of a ladder of remedies.
type Step struct {
	// After is the time since the breach.
	After time.Duration
	Do    string
	To    string
	For   time.Duration
	By    float64 // 0..1
	Leads int
}

// Ladder is what follows a breach, in the order of time.
type Ladder struct {
	Name  string
	Steps []Step
}

// remedies are the words for what follows a breach.
func remedies() []string {
	return []string{"remind", "escalate", "reassign", "bench", "reduce-weight", "credit", "executive-notice"}
}

// Service is what a side does for the other.
type Service struct {
	Name     string
	Party    Side
	Says     string
	Stages   []string
	Promises []string
}

func (b *builder) readRecords(n *node) {
	b.pending(n, "records")
	for _, item := range b.rows(n, "records") {
		v := b.fields(item, &recordShape)
		if v == nil {
			continue
		}
		r := Record{
			Name: b.name(b.need(v, "name"), b.promisedAt), Says: b.prose(v.get("says")), Party: b.side(b.need(v, "party")),
			Stage: b.ref(v.get("stage"), "stage", b.words.stages), Grades: b.refs(v.get("grades"), "grade", b.words.grades),
			Fields: b.some(b.need(v, "fields"), "field", b.fieldNames), Within: b.duration(b.need(v, "within")),
			Calendar: b.ref(b.need(v, "calendar"), "calendar", append(slices.Clone(b.calendars), RepHours)),
			Remedies: b.ladder(v.get("remedies")),
		}
		if before := v.get("before_attempt"); before != nil {
			r.BeforeAttempt = b.count(before, 1000)
		}
		b.checkReach(v, Clock{Calendar: r.Calendar, Within: r.Within})
		b.checkResearch(v, r)
		b.a.Records = append(b.a.Records, r)
	}
}

// some are names of which there is one at least.
func (b *builder) some(n *node, what string, declared []string) []string {
	if n != nil && len(b.items(n)) == 0 {
		b.at(n, "nothing is named here", "name a "+what)
	}
	return b.refs(n, what, declared)
}

// checkResearch refuses what is due after the attempt that it comes before: a promise of an attempt runs out first, whatever the day. Open
// time runs no faster than the wall's.
func (b *builder) checkResearch(v *node, r Record) {
	for _, c := range b.a.Clocks {
		if r.BeforeAttempt == 0 || r.Stage != "" || c.Count < r.BeforeAttempt || !slices.Contains(c.StopsOn, Attempt) ||
			c.Calendar != Always && c.Calendar != r.Calendar || !gradesMeet(r.Grades, c.Grades) {
			continue
		}
		if r.Within > c.Within {
			b.at(v.get("within"), fmt.Sprintf("the research is due after %s, and the attempt that it comes before is promised within %s (%s)",
				spell(r.Within), spell(c.Within), quote(c.Name)), "ask for it earlier, or before a later attempt")
			return
		}
	}
}

func gradesMeet(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(g string) bool { return slices.Contains(b, g) })
}

func (b *builder) ladder(n *node) string {
	name := b.ref(n, "ladder of remedies", b.ladders)
	if name != "" {
		b.usedLadders[name] = true
	}
	return name
}

func (b *builder) readRemedies(n *node) {
	b.pending(n, "ladders of remedies")
	for _, p := range b.entries(n, "remedies") {
		l := Ladder{Name: p.key.text}
		for _, item := range b.rows(p.value, "a ladder of remedies") {
			v := b.fields(item, &stepShape)
			if v == nil {
				continue
			}
			s := Step{After: b.duration(v.get("after")), Do: b.oneOf(b.need(v, "do"), "remedy", remedies()...), To: b.text(v.get("to")), For: b.duration(v.get("for"))}
			if by := v.get("by"); by != nil {
				s.By = float64(b.percent(by, 1, 100)) / 100
			}
			if leads := v.get("leads"); leads != nil {
				s.Leads = b.count(leads, 1_000_000)
			}
			b.checkStep(v, s)
			if k := len(l.Steps); k > 0 && s.After < l.Steps[k-1].After {
				b.at(v, "this step comes before the one above it", "write the steps in the order of their time")
			}
			l.Steps = append(l.Steps, s)
		}
		if p.value.kind == null || p.value.kind == list && len(p.value.items) == 0 {
			b.at(p.value, "a ladder of remedies has a step", "write - {do: remind}")
		}
		if !b.usedLadders[l.Name] {
			b.at(p.key, fmt.Sprintf("no promise names the remedies %s", quote(l.Name)), "name them: remedies: "+l.Name+"; or take them out")
		}
		b.a.Ladders = append(b.a.Ladders, l)
	}
}

// checkStep wants of a step what it cannot do without, and nothing that goes with another.
func (b *builder) checkStep(v *node, s Step) {
	asks := map[string][]string{"bench": {"for"}, "reduce-weight": {"by", "for"}, "credit": {"leads"}, "escalate": {"to"}}
	for _, key := range asks[s.Do] {
		b.need(v, key)
	}
	for _, key := range []string{"to", "for", "by", "leads"} {
		extra := v.get(key)
		if extra != nil && s.Do != "" && !slices.Contains(asks[s.Do], key) && (key != "to" || s.Do != "remind") {
			b.at(extra, fmt.Sprintf("%s does not go with %s", quote(key), s.Do), "")
		}
	}
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

func (b *builder) readServices(n *node) {
	served := map[string]bool{}
	for _, p := range b.entries(n, "services") {
		v := b.fields(p.value, &serviceShape)
		if v == nil {
			continue
		}
		s := Service{
			Name: p.key.text, Party: b.side(b.need(v, "party")), Says: b.prose(b.need(v, "says")),
			Stages: b.refs(v.get("stages"), "stage", b.words.stages), Promises: b.refs(b.need(v, "promises"), "promise", b.promises),
		}
		if list := v.get("promises"); list != nil && len(b.items(list)) == 0 {
			b.at(list, fmt.Sprintf("nothing measures the service %s", quote(s.Name)), "name a clock, a record or an obligation")
		}
		for _, name := range s.Promises {
			served[name] = true
		}
		b.a.Services = append(b.a.Services, s)
	}
	if len(b.a.Services) == 0 {
		return
	}
	for _, o := range b.a.Obligations {
		if at, ok := b.promisedAt[o.Name]; ok && !served[o.Name] {
			b.add(Fault{
				Line: at.line, Column: at.column, Path: "obligations." + o.Name, Message: fmt.Sprintf("no service has the obligation %s", quote(o.Name)),
				Hint: "name it among the promises of the service that it measures",
			})
		}
	}
}

func (a *Agreement) sayRecords() Section {
	s := Section{Title: "What is written down", Pending: true}
	for _, r := range a.Records {
		from, before := r.Stage, ""
		if from == "" {
			from = "the handoff"
		}
		if r.BeforeAttempt > 0 {
			before = fmt.Sprintf("attempt %d", r.BeforeAttempt)
		}
		s.add(r.Name, r.Name, a.teamsOf(r.Party), Fact{"", r.Says}, Fact{"by", string(r.Party)}, Fact{"fields", strings.Join(r.Fields, ", ")}, Fact{"grades", grades(r.Grades)},
			Fact{"from", from}, Fact{"within", spell(r.Within)}, Fact{"hours", hoursName(r.Calendar)}, Fact{"before", before}, Fact{"remedies", r.Remedies})
	}
	return s
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

func (a *Agreement) sayRemedies() Section {
	s := Section{Title: "What follows a breach", Pending: true}
	for _, l := range a.Ladders {
		var steps []string
		for _, step := range l.Steps {
			steps = append(steps, step.words())
		}
		s.add(l.Name, l.Name, nil, Fact{"", strings.Join(steps, "; ")})
	}
	return s
}

// words tell a step: "after 4 hours: reduce the weight by 50 % for 1 week".
func (s Step) words() string {
	when, what := "at once", s.Do
	if s.After > 0 {
		when = "after " + spell(s.After)
	}
	if s.To != "" {
		what += " to " + s.To
	}
	if s.By > 0 {
		what += " by " + percentage(s.By)
	}
	if s.For > 0 {
		what += " for " + spell(s.For)
	}
	if s.Leads > 0 {
		what += " of " + plural(float64(s.Leads), "lead", "leads")
	}
	return when + ": " + what
}

func (a *Agreement) sayServices() Section {
	s := Section{Title: "What each side does for the other"}
	for _, v := range a.Services {
		s.add(v.Name, v.Name, nil, Fact{"", v.Says}, Fact{"by", string(v.Party)}, Fact{"stages", strings.Join(v.Stages, ", ")}, Fact{"measured by", strings.Join(v.Promises, ", ")})
	}
	return s
}

// teamsOf are the teams whose work a clause of that side is.
func (a *Agreement) teamsOf(side Side) []string {
	if side == Sales {
		return a.everyone()
	}
	return nil
}

// said is a day in words; nothing when there is none.
func said(day calendar.Date) string {
	if day == (calendar.Date{}) {
		return ""
	}
	return day.String()
}

func hoursName(calendar string) string {
	if calendar == RepHours {
		return "of the rep"
	}
	return calendar
}
