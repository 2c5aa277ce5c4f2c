package agreement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Goal goes from revenue back to leads.
type Goal struct {
	Name     string
	From, To calendar.Date // both days count
	Calendar string        // whose days make the pace; empty is every day
	Revenue  float64
	Deal     float64
	// Rates by stage, in the order of the funnel: the share of the stage before that comes to it, 0..1.
	Rates []Rate
	// Teams' shares, together 1; none when nobody splits it.
	Teams []Share
	// People is how a team's share is split among its reps: weights or equal; empty when nobody says.
	People string
	// Band is how often the forecast's interval should hold the result, 0..1; 0 when nobody says.
	Band float64
}

// Rate is a stage and the share of the stage before that comes to it.
type Rate struct {
	Stage string
	Of    float64
}

// Share is a team's part of a goal.
type Share struct {
	Team string
	Of   float64
}

// Need is how many leads must come to a stage.
type Need struct {
	Stage string
	Count int
}

// Asset is something that marketing gives sales to work with.
type Asset struct {
	Name     string
	Stages   []string
	Personas []string // empty speaks to all
	Link     string
}

// Meeting is when both sides meet.
type Meeting struct {
	Name  string
	Every string // week, fortnight, month or quarter
	First calendar.Date
	At    calendar.Clock
	Zone  string
	Lasts time.Duration
	Who   []string
	// Topics in words, and KPIs by the names of promises.
	Topics []string
	KPIs   []string
}

// Review is when the agreement itself is looked at again.
type Review struct {
	Every    string
	First    calendar.Date
	Triggers []Trigger
}

// Trigger calls for a review before its time, when too few leads come on.
type Trigger struct {
	Name     string
	From, To string
	Below    float64 // 0..1
	Over     time.Duration
	Least    int
}

// Disputes are how a verdict is contested.
type Disputes struct {
	OpenWithin time.Duration
	Calendar   string
	Steps      []Instance
	Ruling     string
}

// Instance is one who looks at a dispute.
type Instance struct {
	By     string
	Within time.Duration
}

// Transparency is who sees whose figures.
type Transparency struct {
	Breaches string // everyone, team or managers
	Peers    int    // nobody is ranked among fewer
}

// Acknowledge is by whom a new version is to be read, 0..1 of the members.
type Acknowledge struct {
	Share  float64
	Within time.Duration
}

// Baseline is the time before the agreement; both days count, and both are zero when there is none.
type Baseline struct{ From, To calendar.Date }

// Proposal is who asked for a clause.
type Proposal struct{ Clause, By, Says string }

var everies = []string{"week", "fortnight", "month", "quarter"}

// Funnel is how many leads must come to each stage for the revenue, in the order of the funnel: the last is the deals.
func (g Goal) Funnel(first string) []Need {
	count := math.Ceil(g.Revenue/g.Deal - 1e-9)
	out := []Need{}
	for _, r := range slices.Backward(g.Rates) {
		out = append(out, Need{r.Stage, int(count)})
		count = math.Ceil(count/r.Of - 1e-9)
	}
	out = append(out, Need{first, int(count)})
	slices.Reverse(out)
	return out
}

// mostLeads is more than anybody handles.
const mostLeads = 1e9

// leads is about how many the goal needs.
func (g Goal) leads() float64 {
	count := g.Revenue / g.Deal
	for _, r := range g.Rates {
		count /= r.Of
	}
	return count
}

// Split shares whole leads out by weights, so that the parts sum to the whole: what remains goes to the largest fractions, and of equal
// ones to the first. Weights that sum to nothing give nothing.
func Split(whole int, weights []float64) []int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	out := make([]int, len(weights))
	if sum <= 0 {
		return out
	}
	type rest struct {
		at int
		of float64
	}
	var rests []rest
	left := whole
	for i, w := range weights {
		exact := float64(whole) * w / sum
		out[i] = int(exact)
		left -= out[i]
		rests = append(rests, rest{i, exact - float64(out[i])})
	}
	slices.SortStableFunc(rests, func(a, b rest) int { return cmp.Compare(b.of, a.of) })
	for _, r := range rests[:min(left, len(rests))] {
		out[r.at]++
	}
	return out
}

// Gaps are the stages and personas that no asset serves, as "sql × mary", of what the obligation wants covered.
func (a *Agreement) Gaps(m Measure) []string {
	stages, personas := m.Stages, m.Personas
	if m.Kind != MeasureCoverage {
		return nil
	}
	if len(stages) == 0 {
		for _, s := range a.Stages {
			if s.Name == a.Handoff.At {
				break
			}
			stages = append(stages, s.Name)
		}
	}
	if len(personas) == 0 {
		for _, p := range a.Personas {
			personas = append(personas, p.Name)
		}
	}
	var out []string
	for _, stage := range stages {
		serves := func(persona string) bool {
			return slices.ContainsFunc(a.Assets, func(x Asset) bool {
				return slices.Contains(x.Stages, stage) && (len(x.Personas) == 0 || persona != "" && slices.Contains(x.Personas, persona))
			})
		}
		if len(personas) == 0 && !serves("") {
			out = append(out, stage)
		}
		for _, persona := range personas {
			if !serves(persona) {
				out = append(out, stage+" × "+persona)
			}
		}
	}
	return out
}

func (b *builder) readAssets(n *node) {
	seen := map[string]bool{}
	for _, item := range b.rows(n, "assets") {
		v := b.fields(item, &assetShape)
		if v == nil {
			continue
		}
		x := Asset{
			Name: b.prose(b.need(v, "name")), Stages: b.refs(b.need(v, "stages"), "stage", b.words.stages),
			Personas: b.refs(v.get("personas"), "persona", b.words.personas),
		}
		if link := v.get("link"); link != nil {
			x.Link = b.address(link)
		}
		if x.Name != "" && seen[x.Name] {
			b.at(v.get("name"), fmt.Sprintf("the asset %s stands twice", quote(x.Name)), "keep one")
		}
		seen[x.Name] = true
		b.a.Assets = append(b.a.Assets, x)
	}
}

func (b *builder) readGoals(n *node) {
	b.pending(n, "goals")
	seen := map[string]place{}
	for _, item := range b.rows(n, "goals") {
		v := b.fields(item, &goalShape)
		if v == nil {
			continue
		}
		g := Goal{
			Name: b.name(b.need(v, "name"), seen), From: b.day(b.need(v, "from")), To: b.day(b.need(v, "to")),
			Calendar: b.ref(v.get("calendar"), "calendar", b.calendars), Revenue: b.amount(b.need(v, "revenue")), Deal: b.amount(b.need(v, "deal")),
			Rates: b.rates(b.need(v, "rates")), Teams: b.shares(v.get("teams")),
		}
		if people := v.get("people"); people != nil {
			g.People = b.oneOf(people, "way to split", "weights", "equal")
		}
		if band := v.get("band"); band != nil {
			g.Band = float64(b.percent(band, 1, 99)) / 100
		}
		b.span(v, g.From, g.To)
		if g.Deal > 0 && len(g.Rates) > 0 && g.leads() > mostLeads {
			b.at(v.get("revenue"), fmt.Sprintf("the goal asks for more than %s leads", number(mostLeads)), "look at the revenue, the deal and the rates")
		}
		b.a.Goals = append(b.a.Goals, g)
	}
}

// span refuses a time that ends before it begins.
func (b *builder) span(v *node, from, to calendar.Date) {
	if from != (calendar.Date{}) && to != (calendar.Date{}) && to.String() < from.String() {
		b.at(v.get("to"), fmt.Sprintf("%s lies before %s", to, from), "")
	}
}

// rates reads the shares in the order of the funnel: from its second stage to the deal, without a gap.
func (b *builder) rates(n *node) []Rate {
	var out []Rate
	of := map[string]float64{}
	for _, p := range b.entries(n, "rates") {
		if stage := b.ref(p.key, "stage", b.words.stages); stage != "" {
			of[stage] = float64(b.percent(p.value, 1, 100)) / 100
		}
	}
	if n == nil {
		return nil
	}
	ended := false
	for i, s := range b.a.Stages {
		rate, ok := of[s.Name]
		switch {
		case !ok && i > 0 && !s.Final && !s.Recycled && !ended:
			b.at(n, fmt.Sprintf("the rates leave out the stage %s", quote(s.Name)), "say what share of the stage before comes to it")
			return nil
		case ok && (i == 0 || s.Recycled):
			b.at(n, fmt.Sprintf("no rate leads to the stage %s", quote(s.Name)), "name the stages from the second one to the deal")
			return nil
		case ok && ended:
			b.at(n, "the rates go on behind the end of the funnel", "end with one final stage, as won")
			return nil
		case ok:
			out = append(out, Rate{s.Name, rate})
			ended = s.Final
		}
	}
	if k := len(out) - 1; !ended && len(of) > 0 || ended && !b.won(out[k].Stage) {
		b.at(n, "the rates do not come to a deal", "end with the stage of those who buy, as won")
	}
	return out
}

// won says whether a deal that is won leads to the stage.
func (b *builder) won(stage string) bool {
	return slices.ContainsFunc(b.a.Stages, func(s Stage) bool {
		holds, err := s.When.Holds(&Lead{Did: map[string]int64{Won: 1}})
		return s.Name == stage && err == nil && holds
	})
}

func (b *builder) shares(n *node) []Share {
	var teams []string
	for _, p := range b.a.Pools {
		teams = append(teams, p.Teams...)
	}
	var out []Share
	sum := 0
	for _, p := range b.entries(n, "teams") {
		percent := b.percent(p.value, 1, 100)
		sum += percent
		out = append(out, Share{b.ref(p.key, "team", teams), float64(percent) / 100})
	}
	if n != nil && len(out) > 0 && sum != 100 {
		b.at(n, fmt.Sprintf("the teams' shares sum to %d %%", sum), "make them sum to 100")
	}
	return out
}

func (b *builder) readMeetings(n *node) {
	b.pending(n, "meetings' figures")
	seen := map[string]bool{}
	for _, item := range b.rows(n, "meetings") {
		v := b.fields(item, &meetingShape)
		if v == nil {
			continue
		}
		m := Meeting{
			Name: b.prose(b.need(v, "name")), Every: b.oneOf(b.need(v, "every"), "rhythm", everies...), First: b.day(b.need(v, "first")),
			At: b.timeOfDay(b.need(v, "at")), Zone: b.zone(b.need(v, "zone")), Lasts: b.duration(b.need(v, "lasts")),
			Who: b.texts(v.get("who")), Topics: b.texts(v.get("topics")), KPIs: b.refs(v.get("kpis"), "promise", b.promises),
		}
		if m.Name != "" && seen[m.Name] {
			b.at(v.get("name"), fmt.Sprintf("the meeting %s stands twice", quote(m.Name)), "give it another name")
		}
		seen[m.Name] = true
		b.a.Meetings = append(b.a.Meetings, m)
	}
}

func (b *builder) readReview(n *node) {
	b.pending(n, "reviews")
	v := b.fields(n, &reviewShape)
	if v == nil {
		return
	}
	r := &Review{Every: b.oneOf(b.need(v, "every"), "rhythm", everies...), First: b.day(b.need(v, "first"))}
	seen := map[string]place{}
	for _, item := range b.rows(v.get("triggers"), "triggers") {
		t := b.fields(item, &triggerShape)
		if t == nil {
			continue
		}
		x := Trigger{
			Name: b.name(b.need(t, "name"), seen), From: b.ref(b.need(t, "from"), "stage", b.words.stages), To: b.ref(b.need(t, "to"), "stage", b.words.stages),
			Below: float64(b.percent(b.need(t, "below"), 1, 99)) / 100, Over: b.duration(b.need(t, "over")), Least: b.count(b.need(t, "least"), 1_000_000),
		}
		b.checkWay(t, x.From, x.To)
		r.Triggers = append(r.Triggers, x)
	}
	b.a.Review = r
}

func (b *builder) readDisputes(n *node) {
	b.pending(n, "disputes")
	v := b.fields(n, &disputesShape)
	if v == nil {
		return
	}
	d := &Disputes{OpenWithin: b.duration(b.need(v, "open_within")), Calendar: b.ref(b.need(v, "calendar"), "calendar", b.calendars), Ruling: b.prose(b.need(v, "ruling"))}
	if steps := v.get("steps"); steps != nil && steps.kind == list && len(steps.items) == 0 {
		b.at(steps, "a dispute has a step", "say who looks at it first: - {by: The managers, within: 2d}")
	}
	for _, item := range b.rows(b.need(v, "steps"), "the steps of a dispute") {
		if s := b.fields(item, &disputeShape); s != nil {
			d.Steps = append(d.Steps, Instance{By: b.prose(b.need(s, "by")), Within: b.duration(b.need(s, "within"))})
		}
	}
	b.a.Disputes = d
}

// readRules reads the small sections about the agreement itself.
func (b *builder) readRules(n *node) {
	if v := b.fields(n.get("transparency"), &transparencyShape); v != nil {
		b.pending(n.get("transparency"), "transparency")
		b.a.Transparency = &Transparency{Breaches: "everyone", Peers: 5}
		if who := v.get("breaches"); who != nil {
			b.a.Transparency.Breaches = b.oneOf(who, "circle", "everyone", "team", "managers")
		}
		if peers := v.get("peers"); peers != nil {
			b.a.Transparency.Peers = b.count(peers, 1000)
		}
	}
	if v := b.fields(n.get("acknowledge"), &acknowledgeShape); v != nil {
		b.pending(n.get("acknowledge"), "acknowledgement")
		b.a.Acknowledge = &Acknowledge{Share: float64(b.percent(b.need(v, "share"), 1, 100)) / 100, Within: b.duration(b.need(v, "within"))}
	}
	if v := b.fields(n.get("baseline"), &baselineShape); v != nil {
		b.pending(n.get("baseline"), "the baseline")
		b.a.Baseline = Baseline{From: b.day(b.need(v, "from")), To: b.day(b.need(v, "to"))}
		b.span(v, b.a.Baseline.From, b.a.Baseline.To)
	}
	clauses := slices.Concat(b.promises, b.words.grades, b.words.stages, sortedKeys(b.language.terms))
	for _, item := range b.rows(n.get("proposals"), "proposals") {
		if v := b.fields(item, &proposalShape); v != nil {
			b.a.Proposals = append(b.a.Proposals, Proposal{Clause: b.ref(b.need(v, "clause"), "clause", clauses), By: b.prose(b.need(v, "by")), Says: b.prose(v.get("says"))})
		}
	}
}

func (b *builder) texts(n *node) []string {
	var out []string
	for _, item := range b.items(n) {
		if text := b.prose(item); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (a *Agreement) sayGoals() Section {
	s := Section{Title: "What both want to reach", Pending: true}
	for _, g := range a.Goals {
		var rates, teams []string
		for _, r := range g.Rates {
			rates = append(rates, r.Stage+" "+percentage(r.Of))
		}
		for _, t := range g.Teams {
			teams = append(teams, t.Team+" "+percentage(t.Of))
		}
		s.add(g.Name, g.Name, nil, Fact{"from", g.From.String()}, Fact{"to", g.To.String()}, Fact{"days of", g.Calendar}, Fact{"revenue", number(g.Revenue)}, Fact{"a deal brings", number(g.Deal)},
			Fact{"comes on to", strings.Join(rates, ", ")}, Fact{"teams", strings.Join(teams, ", ")}, Fact{"people by", g.People}, Fact{"the forecast holds", percentage(g.Band)})
	}
	return s
}

func (a *Agreement) sayAssets() Section {
	s := Section{Title: "What marketing gives sales to work with"}
	for _, x := range a.Assets {
		s.add(x.Name, x.Name, nil, Fact{"stages", strings.Join(x.Stages, ", ")}, Fact{"personas", strings.Join(x.Personas, ", ")}, Fact{"at", x.Link})
	}
	return s
}

func (a *Agreement) sayMeetings() Section {
	s := Section{Title: "When both sides meet", Pending: true}
	for _, m := range a.Meetings {
		s.add(m.Name, m.Name, nil, Fact{"every", m.Every}, Fact{"first on", m.First.String()}, Fact{"at", m.At.String()}, Fact{"zone", m.Zone}, Fact{"for", spell(m.Lasts)}, Fact{"with", strings.Join(m.Who, ", ")},
			Fact{"about", strings.Join(m.Topics, ", ")}, Fact{"figures", strings.Join(m.KPIs, ", ")})
	}
	return s
}

// sayRules are the clauses about the agreement itself.
func (a *Agreement) sayRules() Section {
	s := Section{Title: "The agreement itself", Pending: true}
	if r := a.Review; r != nil {
		s.add("review", "review", nil, Fact{"every", r.Every}, Fact{"first on", r.First.String()})
		for _, t := range r.Triggers {
			s.add("review "+t.Name, "review for "+t.Name, nil, Fact{"when fewer come on than", percentage(t.Below)}, Fact{"from", t.From}, Fact{"to", t.To}, Fact{"over", spell(t.Over)},
				Fact{"of at least", plural(float64(t.Least), "lead", "leads")})
		}
	}
	if d := a.Disputes; d != nil {
		var steps []string
		for _, i := range d.Steps {
			steps = append(steps, i.By+" within "+spell(i.Within))
		}
		s.add("disputes", "disputes", a.everyone(), Fact{"opened within", spell(d.OpenWithin)}, Fact{"hours", d.Calendar}, Fact{"looked at by", strings.Join(steps, ", then ")}, Fact{"ended by", d.Ruling})
	}
	if t := a.Transparency; t != nil {
		s.add("transparency", "transparency", a.everyone(), Fact{"open breaches are seen by", t.Breaches}, Fact{"ranks among at least", plural(float64(t.Peers), "peer", "peers")})
	}
	if k := a.Acknowledge; k != nil {
		s.add("acknowledge", "acknowledgement", a.everyone(), Fact{"by", percentage(k.Share)}, Fact{"within", spell(k.Within)})
	}
	if a.Baseline != (Baseline{}) {
		s.add("baseline", "compared with", nil, Fact{"from", said(a.Baseline.From)}, Fact{"to", said(a.Baseline.To)})
	}
	for _, p := range a.Proposals {
		s.add("proposal "+p.Clause+" "+p.By+" "+p.Says, "proposed by "+p.By, nil, Fact{"clause", p.Clause}, Fact{"because", p.Says})
	}
	return s
}
