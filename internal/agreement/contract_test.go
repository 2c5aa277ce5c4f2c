package agreement_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// full is whole with the clauses beyond the main path.
const full = whole + `summary: Marketing brings leads and sales calls them.
terms:
  mql: {stage: mql, says: A lead for sales.}
  big: {when: lead.employees >= 200, says: More than one office., review_by: 2027-06-30}
  huge: {when: is("big") && lead.employees >= 5000}
  ready: {bant: {budget: budget, authority: decides, need: need, timing: timing}}
  told: {checklist: {size: employees}}
  courtesy: We answer everybody.
  done: {when: did("won") > 0, says: Is a customer.}
personas:
  - name: olly
    traits:
      - {when: lead.employees < 50 && known("employees"), weight: 2}
      - {when: lead.industry == "software"}
    least: 60%
    worth: {win_rate: 10%, deal: 5000}
  - name: mary
    traits: [{when: lead.employees >= 50}]
icp: {when: is("big") || lead.industry == "software", review_by: 2027-01-31}
scope:
  includes: [New business, and courtesy to all who are huge, ready, told or done.]
  excludes: [{name: rivals, when: lead.industry == "rival"}]
caps:
  - {name: week, per: rep, most: 30, window: week, overflow: {within: 1h, calendar: office}}
records:
  - {name: research, party: sales, fields: [industry], before_attempt: 2, within: 1h, calendar: rep, remedies: late}
  - {name: review, party: sales, stage: won, fields: [need], within: 2w, calendar: always}
services:
  demand: {party: marketing, says: Brings MQLs., stages: [mql], promises: [volume, share]}
obligations:
  - {name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}}, target: 100, period: month, calendar: office, remedies: late}
  - {name: share, party: marketing, counterparty: sales, measure: {conversion: {from: mql, to: won}}, target: 20%, period: quarter, calendar: always, least: 30, tracked: true}
remedies:
  late: [{do: remind}, {after: 1h, do: escalate, to: the manager}, {after: 2h, do: reduce-weight, by: 50%, for: 1w}]
assets: [{name: Guide, stages: [lead], personas: [olly]}]
goals:
  - {name: q1, from: 2027-01-01, to: 2027-03-31, revenue: 90000, deal: 5000, rates: {mql: 10%, won: 20%}, teams: {north: 70%, south: 30%}}
meetings:
  - {name: Weekly, every: week, first: 2026-12-01, at: 09:30, zone: Europe/Berlin, lasts: 30m, kpis: [volume, first]}
review: {every: quarter, first: 2027-02-15, triggers: [{name: few, from: lead, to: mql, below: 10%, over: 4w, least: 50}]}
disputes: {open_within: 1w, calendar: office, steps: [{by: managers, within: 2d}], ruling: the chief}
transparency: {peers: 4}
acknowledge: {share: 90%, within: 2w}
baseline: {from: 2026-01-01, to: 2026-06-30}
proposals: [{clause: first, by: ana, says: Shorter is better.}]
`

// wholly is full with the fields that it names.
var wholly = strings.Replace(full, "  hot: flag\n", "  hot: flag\n  budget: text\n  decides: text\n  need: {type: text, ask: What do you need?}\n  timing: text\n", 1)

func fully(t testing.TB, replace ...string) *agreement.Agreement {
	t.Helper()
	a, faults := agreement.Parse("a.yaml", []byte(strings.NewReplacer(replace...).Replace(wholly)))
	for _, f := range faults {
		t.Fatal(f)
	}
	return a
}

func TestClausesBeyondTheMainPath(t *testing.T) {
	t.Parallel()
	a := fully(t)
	if a.Transparency.Breaches != "everyone" || a.Transparency.Peers != 4 || a.Review.Triggers[0].Below != 0.1 || a.Disputes.Steps[0].Within != 48*time.Hour {
		t.Errorf("rules: %+v %+v %+v", a.Transparency, a.Review, a.Disputes)
	}
	if o := a.Obligations[0]; o.Target != 100 || o.Measure.Per != "rep" || !o.Measure.LessRejected || o.Party != agreement.Marketing || o.Remedies != "late" || o.Least != 1 {
		t.Errorf("obligation %+v", o)
	}
	if o := a.Obligations[1]; o.Target != 0.2 || o.Least != 30 || !o.Tracked {
		t.Errorf("obligation %+v", o)
	}
	if s := a.Ladders[0].Steps; len(s) != 3 || s[1].After != time.Hour || s[2].By != 0.5 || s[2].For != 7*24*time.Hour {
		t.Errorf("steps %+v", s)
	}
	if m := a.Meetings[0]; m.First != (calendar.Date{Year: 2026, Month: 12, Day: 1}) || m.At.String() != "09:30" || m.Lasts != 30*time.Minute {
		t.Errorf("meeting %+v", m)
	}
	pending := map[string]bool{}
	for _, f := range a.Pending() {
		pending[f.Path] = true
		if f.Line == 0 || !strings.HasPrefix(f.Message, "not enforced yet") {
			t.Errorf("%v", f)
		}
	}
	for _, path := range []string{"records", "obligations", "remedies", "caps", "goals", "review", "disputes", "scope.excludes", "fields.need.ask"} {
		if !pending[path] {
			t.Errorf("nobody is told that %s is not enforced", path)
		}
	}
}

func TestTermsStandForTheirRules(t *testing.T) {
	t.Parallel()
	a := fully(t, "when: lead.employees > 200, pool: big", `when: 'is("huge") || is("ready")', pool: big`)
	when := a.Handoff.Routes[0].When
	for _, c := range []struct {
		fields map[string]any
		want   bool
	}{
		{map[string]any{"employees": 5000.0}, true},
		{map[string]any{"employees": 4999.0}, false},
		{map[string]any{"budget": "1", "decides": "me", "need": "it", "timing": "now"}, true},
		{map[string]any{"budget": "1", "decides": "me", "need": "it"}, false},
	} {
		got, err := when.Holds(&agreement.Lead{Fields: c.fields})
		if err != nil || got != c.want {
			t.Errorf("%v: %v, %v; want %v", c.fields, got, err, c.want)
		}
	}
}

// TestProseUsesTerms writes a term as people do; without it the text would have a fault.
func TestProseUsesTerms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ term, old, new string }{
		{"company", "We answer everybody.", "We answer companies."},
		{"box", "We answer everybody.", "We answer with Boxes."},
		{"class", "We answer everybody.", "Classes of 2026."},
		{"deal", "We answer everybody.", "From lead-to-deal."},
		{"big-deal", "We answer everybody.", "A big-deal."},
		{"big-deal", "We answer everybody.", "Big deals."},
		{"big_deal", "We answer everybody.", "The big-deals' day."},
		{"board", "ruling: the chief", "ruling: The board"},
		{"director", "{by: managers,", "{by: Directors,"},
		{"arbiter", "by: ana,", "by: An arbiter,"},
		{"question", "ask: What do you need?", "ask: One question?"},
		{"leads-of-both", "title: Leads", "title: Leads of both"},
		{"waived", "handoff:\n", "handoff:\n  needs: {waiver: not waived}\n"},
		{"dear", "{clause: first,", "{clause: dear,"},
	} {
		t.Run(c.new, func(t *testing.T) {
			t.Parallel()
			defined := "terms:\n  " + c.term + ": It says this.\n"
			faultyIn(t, wholly, "terms:\n", strings.Replace(defined, c.term, mark+c.term, 1), "is defined and not used")
			fully(t, "terms:\n", defined, c.old, c.new)
		})
	}
}

func TestPersonaOf(t *testing.T) {
	t.Parallel()
	a := fully(t)
	for _, c := range []struct {
		fields map[string]any
		name   string
		margin float64
	}{
		{map[string]any{"employees": 10.0, "industry": "software"}, "olly", 0.4},
		{map[string]any{"employees": 10.0}, "olly", 2.0/3 - 0.6},
		{map[string]any{"employees": 60.0, "industry": "software"}, "mary", 0},
		{map[string]any{"industry": "software"}, agreement.Unmatched, 0.6 - 1.0/3},
		{nil, agreement.Unmatched, 0.6},
	} {
		name, margin := a.PersonaOf(&agreement.Lead{Fields: c.fields})
		if name != c.name || margin < c.margin-1e-9 || margin > c.margin+1e-9 {
			t.Errorf("%v: %s by %v, want %s by %v", c.fields, name, margin, c.name, c.margin)
		}
	}
	// A condition may ask for it.
	b := fully(t, "when: lead.employees > 200, pool: big", `when: 'persona == "mary"', pool: big`)
	if holds, err := b.Handoff.Routes[0].When.Holds(&agreement.Lead{Fields: map[string]any{"employees": 60.0}}); !holds || err != nil {
		t.Errorf("persona == mary: %v, %v", holds, err)
	}
}

// TestEveryLeadIsOnePersona asks for any lead: it is exactly one, or unmatched, and the margin is a share of weight.
func TestEveryLeadIsOnePersona(t *testing.T) {
	t.Parallel()
	a := fully(t)
	rapid.Check(t, func(t *rapid.T) {
		fields := map[string]any{}
		if rapid.Bool().Draw(t, "known") {
			fields["employees"] = float64(rapid.IntRange(0, 100).Draw(t, "employees"))
		}
		if rapid.Bool().Draw(t, "has industry") {
			fields["industry"] = rapid.SampledFrom([]string{"software", "law"}).Draw(t, "industry")
		}
		l := &agreement.Lead{Fields: fields}
		name, margin := a.PersonaOf(l)
		if again, _ := a.PersonaOf(l); again != name {
			t.Fatalf("%s, then %s", name, again)
		}
		if name != "olly" && name != "mary" && name != agreement.Unmatched || margin < 0 || margin > 1 {
			t.Fatalf("%v: %q by %v", fields, name, margin)
		}
	})
}

func TestGoals(t *testing.T) {
	t.Parallel()
	g := fully(t).Goals[0]
	want := []agreement.Need{{Stage: "lead", Count: 900}, {Stage: "mql", Count: 90}, {Stage: "won", Count: 18}}
	if diff := cmp.Diff(want, g.Funnel("lead")); diff != "" {
		t.Error(diff)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]int{34, 33, 33}, agreement.Split(100, []float64{1, 1, 1})); diff != "" {
		t.Error(diff)
	}
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.IntRange(0, 100_000).Draw(t, "whole")
		weights := rapid.SliceOfN(rapid.Float64Range(0, 50), 1, 40).Draw(t, "weights")
		all := 0.0
		for _, w := range weights {
			all += w
		}
		parts, sum := agreement.Split(whole, weights), 0
		for i, p := range parts {
			sum += p
			if exact := float64(whole) * (weights[i] / max(all, math.SmallestNonzeroFloat64)); all > 0 && (float64(p) < exact-1 || float64(p) > exact+1) {
				t.Fatalf("part %d is %d of exactly %v", i, p, exact)
			}
		}
		if all > 0 && sum != whole {
			t.Fatalf("%v sum to %d, not %d", parts, sum, whole)
		}
	})
}

func TestGaps(t *testing.T) {
	t.Parallel()
	a := fully(t)
	if diff := cmp.Diff([]string{"lead × mary"}, a.Gaps(agreement.Measure{Kind: agreement.MeasureCoverage})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mql × olly"}, a.Gaps(agreement.Measure{Kind: agreement.MeasureCoverage, Stages: []string{"lead", "mql"}, Personas: []string{"olly"}})); diff != "" {
		t.Error(diff)
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	a := fully(t)
	for day, want := range map[int]int{30: 0, 31: 0} {
		if got := a.Stale(calendar.Date{Year: 2027, Month: 1, Day: day}); len(got) != want {
			t.Errorf("%d: %v", day, got)
		}
	}
	if got := a.Stale(calendar.Date{Year: 2027, Month: 2, Day: 1}); len(got) != 1 || got[0].Path != "icp.review_by" {
		t.Errorf("%v", got)
	}
	if got := a.Stale(calendar.Date{Year: 2027, Month: 7, Day: 1}); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestFaultsBeyondTheMainPath(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1201)
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"summary too long":         {"summary: Marketing brings leads and sales calls them.", "summary: ‸" + long, []string{"1201 characters"}},
		"undefined term":           {"says: More than one office.", "says: More than one ‸SAL.", []string{"the term SAL is used and not defined"}},
		"undefined in a title":     {"title: Leads", "title: Leads as MQL-to-‸SAL", []string{"the term SAL is used and not defined"}},
		"undefined in a waiver":    {"handoff:\n", "handoff:\n  needs: {waiver: the ‸SAL team}\n", []string{"the term SAL is used and not defined"}},
		"undefined in a ruling":    {"ruling: the chief", "ruling: the ‸SAL team", []string{"the term SAL is used and not defined"}},
		"undefined in a step":      {"{by: managers,", "{by: ‸SALs,", []string{"the term SAL is used and not defined"}},
		"undefined in a proposal":  {"by: ana,", "by: an ‸SAL,", []string{"the term SAL is used and not defined"}},
		"undefined in a question":  {"ask: What do you need?", "ask: Is it an ‸SAL?", []string{"the term SAL is used and not defined"}},
		"alike but for a hyphen":   {"  courtesy: We answer everybody.", "  mid-size: Fifty.\n  ‸mid_size: Sixty.\n  courtesy: Mid-size or not.", []string{`may mean "mid-size" as well`}},
		"alike but for capitals":   {"  courtesy: We answer everybody.", "  ‸Big: Fifty.\n  courtesy: Big or not.", []string{`may mean "big" as well`}},
		"alike but for the icp":    {"  courtesy: We answer everybody.", "  ‸ICP: Fifty.\n  courtesy: ICP or not.", []string{`may mean "icp" as well`}},
		"undefined in a condition": {`is("big") && lead`, `is(‸"bigg") && lead`, []string{`no term is named "bigg"`}},
		"unused term":              {"  courtesy: We answer", "  ‸idle: Nothing says it.\n  courtesy: We answer", []string{`the term "idle" is defined and not used`}},
		"term of itself":           {"  courtesy: We answer", "  ring: {when: is(‸\"ring\")}\n  courtesy: We answer", []string{`the term "ring" is defined by itself`}},
		"term in prose only":       {`is("big") && lead`, `is(‸"courtesy") && lead`, []string{"no rule is bound"}},
		"two rules":                {"{checklist: {size: employees}}", "‸{checklist: {size: employees}, stage: mql}", []string{"bound to one rule"}},
		"half of BANT":             {"{budget: budget, authority: decides, need: need, timing: timing}", "‸{budget: budget, authority: decides, need: need}", []string{"bant needs timing"}},
		"no such field":            {"{size: employees}", "{size: ‸employes}", []string{"no field"}},
		"term of no stage":         {"mql: {stage: mql, says", "mql: {stage: ‸mqll, says", []string{"no stage"}},
		"persona by score":         {"traits: [{when: lead.employees >= 50}]", "traits: [{when: ‸score >= 50}]", []string{"follows from what is known"}},
		"persona twice":            {"- name: mary", "- name: ‸olly", []string{"is taken"}},
		"persona of nobody":        {"traits: [{when: lead.employees >= 50}]", "traits: ‸[]", []string{"is nobody"}},
		"unknown persona":          {"personas: [olly]}", "personas: [‸olli]}", []string{"no persona"}},
		"ideal customer by term":   {`icp: {when: is("big")`, `icp: {when: is‸("mql")`, []string{"not from the stage"}},
		"cap against volume":       {"most: 30,", "most: ‸10,", []string{"at most 60 leads a month"}},
		"research after response":  {"before_attempt: 2, within: 1h,", "before_attempt: 2, within: ‸2h,", []string{"research is due after 2 hours"}},
		"promise named twice":      {"{name: review, party", "{name: ‸any, party", []string{`"any" is taken`}},
		"service of nothing":       {"promises: [volume, share]}\nobligations:\n  - {name: volume,", "promises: [‸volumes, share]}\nobligations:\n  - {name: ‸volume,", []string{`no promise is named "volumes"`, `no service has the obligation "volume"`}},
		"service of another":       {"promises: [volume, share]}", "promises: [volume, ‸first, share, ‸research]}", []string{`sales promises "first", and marketing does this service`, `sales promises "research"`}},
		"obligation of no service": {"promises: [volume, share]}\nobligations:\n  - {name: volume,", "promises: [share]}\nobligations:\n  - {name: ‸volume,", []string{`no service has the obligation "volume"`}},
		"no measure":               {"{name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}},", "‸{name: volume, party: marketing, counterparty: sales,", []string{"needs measure"}},
		"two measures":             {"{conversion: {from: mql, to: won}}", "‸{conversion: {from: mql, to: won}, net_new: {}}", []string{"one measure"}},
		"unknown measure":          {"{conversion: {from: mql, to: won}}", "{‸conversions: {from: mql, to: won}}", []string{"no key"}},
		"backwards":                {"{conversion: {from: mql, to: won}}", "{conversion: {from: mql, to: ‸lead}}", []string{"the other way"}},
		"value of nothing":         {"per: rep, less_rejected: true", "per: rep, by: ‸values", []string{"no way to count"}},
		"owes itself":              {"counterparty: sales, measure: {volume", "counterparty: ‸marketing, measure: {volume", []string{"nothing to itself"}},
		"no party":                 {"{name: volume, party: marketing, ", "‸{name: volume, ", []string{"needs party"}},
		"no remedy":                {"  - {name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}}, target: 100, period: month, calendar: office, remedies: late}", "  - ‸{name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}}, target: 100, period: month, calendar: office}", []string{"needs remedies"}},
		"tracked with remedies":    {"least: 30, tracked: true", "least: 30, tracked: true, remedies: ‸late", []string{"only tracked"}},
		"target of a share":        {"target: 20%", "target: ‸200%", []string{"percentage"}},
		"target of a count":        {"target: 100,", "target: ‸0,", []string{"above 0"}},
		"unknown ladder":           {"calendar: rep, remedies: late", "calendar: rep, remedies: ‸lat", []string{"no ladder"}},
		"steps out of order":       {"{after: 2h, do: reduce", "‸{after: 30m, do: reduce", []string{"comes before the one above"}},
		"step without its part":    {"{after: 2h, do: reduce-weight, by: 50%, for: 1w}", "‸{after: 2h, do: reduce-weight, by: 50%}", []string{"needs for"}},
		"step with another's":      {"[{do: remind},", "[{do: remind, leads: ‸4},", []string{"does not go with remind"}},
		"goal without a stage":     {"rates: {mql: 10%, won: 20%}", "rates: ‸{won: 20%}", []string{"leave out the stage"}},
		"goal without an end":      {"rates: {mql: 10%, won: 20%}", "rates: ‸{mql: 10%}", []string{"do not come to a deal"}},
		"shares":                   {"{north: 70%, south: 30%}", "‸{north: 70%, south: 40%}", []string{"sum to 110 %"}},
		"goal backwards":           {"to: 2027-03-31,", "to: ‸2026-03-31,", []string{"lies before"}},
		"meeting at no time":       {"at: 09:30", "at: ‸24:30", []string{"no time of day"}},
		"meeting over nothing":     {"kpis: [volume, first]", "kpis: [volume, ‸second]", []string{"no promise"}},
		"trigger backwards":        {"from: lead, to: mql, below", "from: mql, to: ‸lead, below", []string{"the other way"}},
		"proposal of nothing":      {"[{clause: first, by", "[{clause: ‸second, by", []string{"no clause"}},
		"nobody has the steps":     {"{open_within: 1w, calendar: office, steps: [{by: managers, within: 2d}], ", "‸{open_within: 1w, calendar: office, ", []string{"disputes needs steps"}},
		"stage goes back":          {"- {name: mql, when: score >= 50}", "- {name: mql, when: score >= 50, next: [‸lead]}", []string{`"lead" does not come after "mql"`}},
		"no way to a stage":        {"- name: lead\n  - {name: mql, when: score >= 50}\n  - {name: won, when: did(\"won\") >= 1, final: true}\n  - {name: lost,", "- name: lead\n    next: [won]\n  - ‸{name: mql, when: score >= 50}\n  - {name: won, when: did(\"won\") >= 1, final: true}\n  - ‸{name: lost,", []string{`no way leads to the stage "mql"`, `no way leads to the stage "lost"`}},
		"attempts do not fit":      {"calendar: always, stops_on: [accepted]}", "calendar: always, stops_on: [attempt], count: 3, spacing: ‸{least: 8d}}", []string{"do not go into"}},
		"more channels":            {"    count: 2\n", "    count: 2\n    channels: ‸3\n", []string{"cannot be made on 3 channels"}},
		"include":                  {"summary: Marketing", "include: ‸b.yaml\nsummary: Marketing", []string{"not read here"}},
		"a term of what was done":  {"excludes: [{name: rivals, when: lead.industry == \"rival\"}]", "excludes: [{name: rivals, when: '‸is(\"done\")'}]", []string{"cannot look at what was done"}},
		"cap of nothing":           {"- {name: week, per: rep, most: 30, window: week", "- ‸{name: week, per: rep, window: week", []string{"needs most"}},
		"record of nothing":        {"fields: [need], within", "fields: ‸[], within", []string{"nothing is named"}},
		"dispute without a step":   {"steps: [{by: managers, within: 2d}]", "steps: ‸[]", []string{"has a step"}},
		"BANT of one field":        {"{budget: budget, authority: decides, need: need, timing: timing}", "{budget: budget, authority: ‸budget, need: need, timing: timing}", []string{"stands for the budget already"}},
		"goal that is lost":        {"rates: {mql: 10%, won: 20%}", "rates: ‸{mql: 10%, lost: 20%}", []string{"do not come to a deal"}},
		"goal of all the world":    {"revenue: 90000, deal: 5000", "revenue: ‸90000, deal: 0.00001", []string{"more than 1,000,000,000 leads"}},
		"from the end":             {"{conversion: {from: mql, to: won}}", "{conversion: {from: ‸lost, to: won}}", []string{"is final"}},
		"no calendar":              {"- {name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}}, target: 100, period: month, calendar: office,", "- ‸{name: volume, party: marketing, counterparty: sales, measure: {volume: {stage: mql, per: rep, less_rejected: true}}, target: 100, period: month,", []string{"needs calendar"}},
		"persona of none":          {"when: lead.employees > 200, pool: big", "when: 'persona == ‸\"olli\"', pool: big", []string{"no persona"}},
		"a term with a fault":      {"huge: {when: is(\"big\") && lead.employees >= 5000}", "huge: {when: is(\"big\") && ‸lead.emploees >= 5000}", []string{"no field is named"}},
		"rule of no group":         {"points: 20,", "points: 20, group: ‸web,", []string{"no group"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultyIn(t, wholly, c.old, c.new, c.want...)
		})
	}
}

// TestTermsStayBounded grows terms by doubling: each names the one before twice.
func TestTermsStayBounded(t *testing.T) {
	t.Parallel()
	var terms strings.Builder
	terms.WriteString("terms:\n  base: {when: lead.hot}\n")
	for i := range 40 {
		terms.WriteString(strings.NewReplacer("N", string(rune('a'+i%26))+string(rune('0'+i/26)), "P", func() string {
			if i == 0 {
				return "base"
			}
			return string(rune('a'+(i-1)%26)) + string(rune('0'+(i-1)/26))
		}()).Replace("  N: {when: is(\"P\") || is(\"P\")}\n"))
	}
	var faults []agreement.Fault
	if took := measure(func() { _, faults = agreement.Parse("a.yaml", []byte(whole+terms.String())) }); took > patience/10 {
		t.Errorf("took %v", took)
	}
	if len(faults) == 0 || !strings.Contains(faults[0].Message, "too long with its terms") {
		t.Errorf("faults %v", faults)
	}
}
