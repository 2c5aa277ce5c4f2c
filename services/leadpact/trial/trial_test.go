package trial_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/trial"
)

func TestHubspot(t *testing.T) {
	t.Parallel()
	a, r := hubspot(t)
	for _, c := range []struct {
		name, lead string
		want       string // score, persona, grade, stage, pool, rep, clocks
	}{
		{
			"a good fit that reads a little is no MQL yet",
			`{"source": "website", "fields": {"employees": 120, "industry": "software", "job_title": "Marketing", "country": "US"}, "touches": [{"kind": "page_viewed"}]}`,
			"37 marketing-mary B lead would americas ana first-call:2026-11-30T16:00 persistence:2026-12-09T16:00",
		},
		{
			"a form makes it one",
			`{"source": "website", "fields": {"employees": 120, "industry": "software", "job_title": "Marketing", "country": "US"},
			  "touches": [{"kind": "page_viewed"}, {"kind": "form_submitted"}]}`,
			"52 marketing-mary B mql made americas ana first-call:2026-11-30T16:00:open persistence:2026-12-09T16:00:open",
		},
		{
			"a hand that is raised is enough, and is answered in the rep's own hours",
			`{"source": "forms", "fields": {"hand_raiser": true, "country": "IE"}, "touches": [{"kind": "form_submitted"}]}`,
			"15 unmatched A mql made emea aoife hand-raiser:2026-11-25T16:05:open persistence:2026-12-09T16:00:open",
		},
		{
			"interest of two half-lives ago is worth a quarter",
			`{"source": "website", "touches": [{"kind": "form_submitted", "at": "2026-09-26T16:00:00Z"}]}`,
			"3.75 unmatched B lead would americas ana first-call:2026-11-30T16:00 persistence:2026-12-09T16:00",
		},
		{
			"what was decided stays: it was handed off when it was fresh, and nobody called",
			`{"source": "website", "fields": {"employees": 120, "industry": "software"},
			  "touches": [{"kind": "form_submitted", "at": "2026-09-25T16:00:00Z"}]}`,
			"38.66 unmatched B mql made americas ana first-call:2026-09-28T16:00:breached persistence:2026-10-09T16:00:breached",
		},
		{
			"a rep who reached it keeps both promises",
			`{"source": "forms", "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}], "did": {"accepted": 1, "reached": 1}}`,
			"15 unmatched A sal made americas ana hand-raiser:2026-11-25T16:05:met persistence:2026-12-09T16:00:met",
		},
		{
			"given back",
			`{"source": "forms", "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}], "did": {"rejected": 1}, "reason": "not-a-fit"}`,
			"15 unmatched A recycled made americas ana hand-raiser:2026-11-25T16:05:open persistence:2026-12-09T16:00:open",
		},
		{
			"back again after it was recycled",
			`{"source": "forms", "stage": "recycled", "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}]}`,
			"15 unmatched A mql made americas ana hand-raiser:2026-11-25T16:05:open persistence:2026-12-09T16:00:open",
		},
		{
			"behind the handoff point nobody is woken again",
			`{"source": "forms", "stage": "sal", "touches": [{"kind": "page_viewed"}], "did": {"qualified": 1}}`,
			"2 unmatched B sql was made americas ana first-call:2026-11-30T16:00 persistence:2026-12-09T16:00",
		},
		{
			"who forbids contact is handed to nobody",
			`{"source": "forms", "consent": {"contact": false}, "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}]}`,
			"15 unmatched A mql withheld americas ana hand-raiser:2026-11-25T16:05 persistence:2026-12-09T16:00",
		},
		{
			"and is taken back from who works on it",
			`{"source": "forms", "stage": "sal", "consent": {"contact": false}, "touches": [{"kind": "page_viewed"}]}`,
			"2 unmatched B sal withheld americas ana first-call:2026-11-30T16:00 persistence:2026-12-09T16:00",
		},
		{
			"who allows it is like anybody",
			`{"source": "forms", "consent": {"contact": true}, "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}]}`,
			"15 unmatched A mql made americas ana hand-raiser:2026-11-25T16:05:open persistence:2026-12-09T16:00:open",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, trial.Question{Agreement: a, Roster: r, Lead: read(t, c.lead), At: at})
			var clocks []string
			for _, p := range got.Handoff.Clocks {
				clock := p.Name + ":" + p.Due.Format("2006-01-02T15:04")
				if p.State != "" {
					clock += ":" + string(p.State)
				}
				clocks = append(clocks, clock)
			}
			is := fmt.Sprintf("%v %s %s %s %s %s %s %s", got.Score, got.Persona, got.Grade, got.Stage, got.Handoff.State, got.Handoff.Pool, got.Handoff.Rep, strings.Join(clocks, " "))
			if is != c.want {
				t.Errorf("got  %s\nwant %s", is, c.want)
			}
			sum := 0.0
			for _, reason := range got.Reasons {
				sum += reason.Points
			}
			if diff := sum - got.Score; diff > 0.005 || diff < -0.005 {
				t.Errorf("reasons sum to %v, the score is %v", sum, got.Score)
			}
		})
	}
}

// TestWhatIsMissing: how far from the next stage, and which rules would bring it.
func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	l := read(t, `{"source": "website", "fields": {"employees": 120, "industry": "software"}, "touches": [{"kind": "page_viewed"}]}`)
	got := ask(t, trial.Question{Agreement: a, Lead: l, At: at})
	if got.Next == nil || got.Next.Stage != "mql" || len(got.Next.Missing) != 1 {
		t.Fatalf("next is %+v", got.Next)
	}
	gap := got.Next.Missing[0]
	var rules []string
	for _, g := range gap.Rules {
		rules = append(rules, fmt.Sprintf("%s+%v", g.Rule, g.Points))
	}
	if is := fmt.Sprintf("%s %v of %v: %s", gap.Of, gap.Has, gap.Needs, strings.Join(rules, " ")); is != "score 37 of 50: decides+15 form+15 webinar+20 visit+2" {
		t.Error(is)
	}
	if got.Handoff.Rep != "" || got.Handoff.Reps != 0 || got.Handoff.Pool != "americas" {
		t.Errorf("without a roster: %+v", got.Handoff)
	}
	ways := map[string][]string{}
	for _, o := range got.Otherwise {
		for _, w := range o.Ways {
			ways[o.Decision] = append(ways[o.Decision], w.Words+" = "+w.Becomes)
		}
	}
	for decision, want := range map[string]string{
		"stage": `job_title: not known → "chief" = mql`, "grade": `hand_raiser: not known → true = A`,
		"persona": `job_title: not known → "chief" = owner-ollie`, "route": `country: not known → "IE" = emea`,
	} {
		if len(ways[decision]) == 0 || ways[decision][0] != want {
			t.Errorf("%s: %v, want first %s", decision, ways[decision], want)
		}
	}
	if strings.Join(got.Notes, "; ") != "the handoff needs country, which is not known" {
		t.Errorf("notes %v", got.Notes)
	}
}

// TestConsent: why nobody gets the lead is told in words, and what the agreement asks for is tried.
func TestConsent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(examples + "hubspot/agreement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "when: score >= 50 || lead.hand_raiser", `when: consent("news") || lead.hand_raiser`, 1)
	a, faults := agreement.Parse("a.yaml", []byte(changed+"\nconsent: {purposes: [news], needed: [news]}\n"))
	if a == nil {
		t.Fatal(faults)
	}
	for _, c := range []struct{ lead, want string }{
		{`{"source": "forms", "fields": {"hand_raiser": true}, "touches": [{"kind": "x"}]}`, "none, because its person has not allowed what the agreement needs"},
		{`{"source": "forms", "consent": {"news": true, "contact": false}, "touches": [{"kind": "x"}]}`, "none, because its person forbids all contact"},
		{`{"source": "forms", "consent": {"news": true, "contact": false}, "touches": [{"kind": "x"}]}`, "→ mql, not handed off"},
		{`{"source": "forms", "touches": [{"kind": "x"}]}`, "consent to news: not known → true"},
		{`{"source": "forms", "consent": {"news": true}, "touches": [{"kind": "x"}]}`, "consent to news: true → false"},
		{`{"source": "forms", "consent": {"news": true}, "touches": [{"kind": "x"}]}`, "→ mql, handed off"},
	} {
		got := ask(t, trial.Question{Agreement: a, At: at, Lead: read(t, c.lead)})
		var out strings.Builder
		if err := got.Write(&out); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s\n\tdoes not tell %q, %v:\n%s", c.lead, c.want, err, out.String())
		}
	}
}

// TestAllAway: a refusal has its name, and the promise on a lead that nobody has begins.
func TestAllAway(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	r, faults := agreement.ParseRoster("roster.yaml", []byte(`
zone: America/New_York
teams: {boston: {manager: priya}, dublin: {manager: liam}}
reps:
  ana: {team: boston, capacity: 9, absences: [{from: 2026-11-20, to: 2026-11-30}]}
  aoife: {team: dublin, capacity: 9}
`))
	if r == nil {
		t.Fatal(faults)
	}
	h := ask(t, trial.Question{Agreement: a, Roster: r, At: at, Lead: read(t, `{"source": "forms", "fields": {"hand_raiser": true}, "touches": [{"kind": "form_submitted"}]}`)}).Handoff
	if h.Rep != "" || h.Refusal != "all_absent" || len(h.Passed) != 1 || h.Passed[0] != (trial.Pass{Rep: "ana", Reason: "absent"}) ||
		len(h.Clocks) != 1 || h.Clocks[0].Name != agreement.Unassigned || !h.Clocks[0].Due.Equal(at.Add(30*time.Minute)) {
		t.Errorf("%+v", h)
	}
}

// TestNothingTurnsIt: one pool and no grades leave nothing to turn, and that is said.
func TestNothingTurnsIt(t *testing.T) {
	t.Parallel()
	a, _, faults, err := agreement.Load(examples+"minimal/agreement.yaml", os.ReadFile)
	if err != nil || a == nil {
		t.Fatal(err, faults)
	}
	got := ask(t, trial.Question{Agreement: a, At: at, Lead: read(t, `{"source": "website", "touches": [{"kind": "page_viewed"}]}`)})
	for _, o := range got.Otherwise {
		if o.Decision == "grade" || o.Decision == "persona" || o.Decision == "route" && len(o.Ways) > 0 || o.Decision == "stage" && len(o.Ways) == 0 {
			t.Errorf("%+v", o)
		}
	}
	var out strings.Builder
	if err := got.Write(&out); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("none of the %d changes that were tried", got.Tried); got.Tried == 0 || !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, out.String())
	}
}

// TestExampleLead: the file that users are shown fits its agreement.
func TestExampleLead(t *testing.T) {
	t.Parallel()
	a, r := hubspot(t)
	text, err := os.ReadFile(examples + "hubspot/lead.json")
	if err != nil {
		t.Fatal(err)
	}
	got := ask(t, trial.Question{Agreement: a, Roster: r, Lead: read(t, string(text)), At: at})
	if got.Stage != "mql" || got.Handoff.State != trial.Made || got.Handoff.Pool != "emea" {
		t.Errorf("%+v", got)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}

// TestMisread: what is wrong with a lead is said with its place and what to do.
func TestMisread(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	touches := `"touches": [{"kind": "x"}]`
	for lead, want := range map[string]string{
		``:                                       "it ends too soon",
		`{"source": "website"`:                   "it ends too soon",
		"{\n\"employees\": 5}":                   `line 2: no key is named "employees"`,
		`{"touches": {"kind": "x"}}`:             "line 1: touches is a JSON object, and a list belongs there",
		`{"touches": [{"kind": 3}]}`:             "touches.kind is a JSON number, and a text belongs there",
		`{"touches": [{"at": "now"}]}`:           `"now" is no time`,
		`{"did": {"won": "yes"}}`:                "a whole number belongs there",
		`{]`:                                     "it is no JSON",
		`{} {}`:                                  "something follows the lead",
		`{"source": "website"}`:                  "touches: a lead begins with a touch",
		`{` + touches + `}`:                      "source: say who sends it: website, forms, crm, crm-history",
		`{"source": "webside", ` + touches + `}`: `source: no source is named "webside": choose one of website`,
		`{"source": "website", "channel": "tv", ` + touches + `}`:                         `channel: no channel is named "tv": choose one of organic, paid, webinar, partner, unlisted`,
		`{"source": "website", "fields": {"employes": 5}, ` + touches + `}`:               "fields.employes: the agreement declares no such field: it has employees",
		`{"source": "website", "fields": {"employees": "5"}, ` + touches + `}`:            "fields.employees: the field is a number: write a number without quotes",
		`{"source": "website", "fields": {"hand_raiser": null}, ` + touches + `}`:         "fields.hand_raiser: the field is a flag: write true or false, or leave it out",
		`{"source": "website", "touches": [{"kind": ""}]}`:                                "touches[0].kind: say what happened",
		`{"source": "website", "touches": [{"kind": "x", "at": "2027-01-01T00:00:00Z"}]}`: "touches[0].at: 2027-01-01T00:00:00Z is after the moment of the trial",
		`{"source": "website", "touches": [{"kind": "x", "fields": {"country": 1}}]}`:     "touches[0].fields.country: the field is a text",
		`{"source": "website", "consent": {"sharing": true}, ` + touches + `}`:            "consent.sharing: the agreement asks for no such consent: it has contact",
		`{"source": "website", "did": {"called": 1}, ` + touches + `}`:                    "did.called: sales does none of the kind: choose one of accepted",
		`{"source": "website", "did": {"attempt": 33}, ` + touches + `}`:                  "did.attempt: 33 is no count that is remembered",
		`{"source": "website", "did": {"rejected": 1}, ` + touches + `}`:                  "reason: a rejection names its reason: one of not-a-fit",
		`{"source": "website", "reason": "not-a-fit", ` + touches + `}`:                   "reason: only a rejection has one",
		`{"source": "website", "stage": "mqll", ` + touches + `}`:                         `stage: no stage is named "mqll": choose one of lead, mql`,
	} {
		l, err := trial.Read([]byte(lead))
		if err == nil {
			_, err = trial.Ask(trial.Question{Agreement: a, Lead: l, At: at})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n\tgives %v\n\twant  %s", lead, err, want)
		}
	}
}

// TestThousandsOfRules: the search has a bound, and says that it left some out.
func TestThousandsOfRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(examples + "minimal/agreement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	for i := range 700 {
		fmt.Fprintf(&rules, "  - {name: w%d, points: 1, when: 'lead.employees >= %d && lead.employees < %d'}\n", i, 10*i, 10*i+1000)
		fmt.Fprintf(&rules, "  - {name: o%d, points: 1, on: 'touch.kind == \"k%d\"', half_life: 30d, cap: 40}\n", i, i)
	}
	a, faults := agreement.Parse("a.yaml", []byte(strings.Replace(string(text), "scoring:\n", "scoring:\n"+rules.String(), 1)))
	if a == nil {
		t.Fatal(faults)
	}
	got := ask(t, trial.Question{Agreement: a, At: at, Lead: read(t, `{"source": "website", "fields": {"employees": 15}, "touches": [{"kind": "page_viewed"}, {"kind": "k7"}]}`)})
	if got.Tried >= got.Suggested || got.Stage != "lead" || len(got.Otherwise[0].Ways) == 0 || got.Otherwise[0].Ways[0].Words != "employees: 15 → 130" {
		t.Errorf("%d of %d tried; %+v, score %v", got.Tried, got.Suggested, got.Otherwise, got.Score)
	}
	var out strings.Builder
	if err := got.Write(&out); err != nil || !strings.Contains(out.String(), "changes of one thing were tried, the nearest ones") {
		t.Errorf("it does not say that it left some out: %v\n%s", err, out.String())
	}
}
