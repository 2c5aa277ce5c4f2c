package agreement_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

// seeded are mistakes in the example of docs/examples/hubspot. Each replaces text, old and new by turns, and has the mark where the finding is
// to stand; where that is elsewhere, at begins the text that stands there. One that says nothing else is the only finding.
var seeded = map[string]struct {
	replace []string
	at      string
	want    string
	warning bool
}{
	// What does not read.
	"a key that there is not":          {[]string{"    warn: [50%, 75%]", "    ‸wran: [50%, 75%]"}, "", `a clock has no key "wran"`, false},
	"a text without quotes":            {[]string{"title: Leads for", "title: ‸Leads: for"}, "", "this is not YAML", false},
	"a field that there is not":        {[]string{"when: lead.employees >= 10", "when: ‸lead.emplyees >= 10"}, "", `no field is named "emplyees"`, false},
	"a number that is a text":          {[]string{"when: score >= 50", `when: score ‸>= "50"`}, "", "stands between a number and a text", false},
	"a pattern that is none":           {[]string{`"chief|founder|head|director|vp"`, `‸"chief|(founder"`}, "", "the pattern is faulty", false},
	"a secret in the text":             {[]string{"env:LEADPACT_WEBSITE_SECRET", "‸hunter2-hunter2"}, "", "never the secret itself", false},
	"a zone that there is not":         {[]string{"zone: Europe/Dublin", "zone: ‸Europe/Dubln"}, "", "is not a time zone", false},
	"a date that there is not":         {[]string{"- 2027-02-01 #", "- ‸2027-02-30 #"}, "", "is not a date", false},
	"hours that end before they begin": {[]string{"fri: 09:00-12:30, 13:30-16:30", "fri: ‸09:00-12:30, 13:30-06:30"}, "", "end before they begin", false},
	"warnings that descend":            {[]string{"[50%, 75%]", "[75%, ‸50%]"}, "", "ascending order", false},
	"an activity that there is not":    {[]string{"met_by: [reached, qualified", "met_by: [‸reachd, qualified"}, "", `no activity is named "reachd"`, false},
	"a remedy that there is not":       {[]string{"on_breach: notify", "on_breach: ‸remind"}, "", `is no remedy`, false},

	// What does not fit together.
	"a calendar that there is not":         {[]string{"calendar: workdays\n    stops_on", "calendar: ‸wokdays\n    stops_on"}, "", `no calendar is named "wokdays"`, false},
	"a calendar that never opens":          {[]string{"  workdays:\n", "  ‸workdays:\n", "mon-fri: 00:00-24:00", "mon-fri: closed"}, "", "never opens", false},
	"a promise that the calendar does not": {[]string{"within: 24h\n    calendar: workdays\n    stops_on", "within: ‸2500d\n    calendar: workdays\n    stops_on"}, "", "opens too little", false},
	"two clocks of one name":               {[]string{"  - name: persistence\n", "  - {name: ‸hand-raiser, within: 5h, calendar: rep, stops_on: [won]}\n  - name: persistence\n"}, "", `the name "hand-raiser" is taken`, false},
	"two rules of one name":                {[]string{"- name: webinar", "- name: ‸form"}, "", `the name "form" is taken`, false},
	"a grade that there is not":            {[]string{"grades: [B]", "grades: [‸C]"}, "", `no grade is named "C"`, false},
	"a stage that there is not":            {[]string{"at: mql", "at: ‸sqll"}, "", `no stage is named "sqll"`, false},
	"a pool that there is not":             {[]string{"pool: emea", "pool: ‸europe"}, "", `no pool is named "europe"`, false},
	"a channel that there is not":          {[]string{"channel: paid", "channel: ‸paied"}, "", `no channel is named "paied"`, false},
	"a mapped field that there is not":     {[]string{"country: visitor.country", "‸contry: visitor.country"}, "", `no field is named "contry"`, false},
	"a count that cannot be reached":       {[]string{"stops_on: [attempt]\n", "stops_on: [accepted]\n", "count: 5", "count: ‸5"}, "", "can happen 1 times at most", false},
	"a deal that nothing ends":             {[]string{`did("lost") >= 1`, `did("lost") >= 2`, "  - name: lead\n", "  ‸- name: lead\n"}, "", "no final stage ends the way of a lead that is lost", false},
	"two ways back":                        {[]string{"- name: won", "- ‸name: back\n    recycled: true\n  - name: won"}, "  - name: recycled", "there is one recycled stage", false},
	"a rule that looks at the score":       {[]string{"when: lead.employees >= 10", "when: ‸score >= 10"}, "", "a rule cannot look at the score", false},
	"a route that looks at deeds":          {[]string{"when: lead.country in", `when: ‸did("won") == 0 && lead.country in`}, "", "a route cannot look at what was done", false},
	"a route that takes all":               {[]string{"  routes:\n", "  routes:\n    - ‸pool: americas\n"}, "", "takes every lead", false},
	"a last route that does not take all":  {[]string{"    - pool: americas\n", "    - pool: americas\n      when: ‸lead.country == \"US\"\n"}, "", "the last route takes every lead that is left", false},
	"a grade that all have":                {[]string{"- name: A # raised", "- ‸name: AA\n  - name: A # raised"}, "", "no lead comes to the grades below", false},

	"an answer that there is not": {[]string{"title: Leads for", "under_way: ‸moves\ntitle: Leads for"}, "", `"moves" is no answer for leads under way`, false},
	"leads under way twice":       {[]string{"title: Leads for", "under_way: move\n‸under_way: stay\ntitle: Leads for"}, "", `the key "under_way" stands twice`, false},
	"the other side's clock":      {[]string{"net-new, sourced-revenue, material]", "net-new, sourced-revenue, material, ‸first-call]"}, "", `sales promises "first-call", and marketing does this service`, false},

	// What can never be.
	"bounds that cross":          {[]string{"lead.employees >= 10 && lead.employees < 2000", "‸lead.employees >= 2000 && lead.employees < 10"}, "", "no lead ever gets its points", false},
	"two values at once":         {[]string{`lead.industry in ["software", "professional services", "manufacturing"]`, `‸lead.industry == "software" && lead.industry == "manufacturing"`}, "", "can never hold", false},
	"unknown, and something":     {[]string{"lead.employees >= 10 && lead.employees < 2000", `‸lead.employees > 10 && !known("employees")`}, "", "can never hold", false},
	"a capital in lower case":    {[]string{`.contains("student")`, `.contains("Student")`, "when: lead.job_title.lower().contains", "when: ‸lead.job_title.lower().contains"}, "", "can never hold", false},
	"a touch of two kinds":       {[]string{`on: touch.kind == "webinar_attended"`, `on: ‸touch.kind == "webinar_attended" && touch.kind == "webinar_replayed"`}, "", "no touch ever gets its points", false},
	"more deeds than are kept":   {[]string{`did("qualified") >= 1`, `‸did("qualified") >= 100`}, "", `no lead ever enters the stage "sql"`, false},
	"a stage behind itself":      {[]string{`when: did("accepted") >= 1`, `when: ‸did("accepted") >= 1 && stage == "sql"`}, "", `no lead ever enters the stage "sal"`, false},
	"a grade of no lead":         {[]string{"- name: A # raised", "- name: AA\n    when: ‸lead.hand_raiser && !lead.hand_raiser\n  - name: A # raised", "grades: [A]", "grades: [A, AA]"}, "", `no lead ever has the grade "AA"`, false},
	"a route of no grade":        {[]string{"    - when: lead.country in", "    - when: ‸grade != \"A\" && grade != \"B\"\n      pool: emea\n    - when: lead.country in"}, "", `no lead ever takes the route to "emea"`, false},
	"a route behind another":     {[]string{"    - pool: americas\n", "    - when: ‸lead.country == \"DE\" && lead.employees > 500\n      pool: americas\n    - pool: americas\n"}, "", `the route to "emea" in line`, false},
	"a route behind two":         {[]string{"    - pool: americas\n", "    - when: lead.employees < 100\n      pool: americas\n    - when: ‸lead.employees < 50 || lead.country == \"FR\"\n      pool: americas\n    - pool: americas\n"}, "", `come first for every such lead`, false},
	"a route behind a wider one": {[]string{"    - when: lead.country in", "    - when: lead.job_title.contains(\"VP\")\n      pool: emea\n    - when: ‸lead.job_title.contains(\"SVP\")\n      pool: americas\n    - when: lead.country in"}, "", `comes first for every such lead`, false},
	"a grade behind another":     {[]string{"  - name: B # everybody else", "  - name: AB\n    when: ‸lead.hand_raiser && score > 90\n  - name: B", "grades: [A]", "grades: [A, AB]"}, "", `no lead ever has the grade "AB": the grade "A" in line`, false},

	// What is surely not meant.
	"more points than there are":        {[]string{"when: score >= 50 || lead.hand_raiser", "when: ‸score >= 200"}, "", `no lead ever enters the stage "mql": the rules bring a score between -40 and 155`, true},
	"more fit than there is":            {[]string{"when: score >= 50 || lead.hand_raiser", "when: ‸fit > 50 || lead.hand_raiser"}, "", "fit > 50: the rules bring a fit between -40 and 50", true},
	"a part that can never be":          {[]string{"when: score >= 50 || lead.hand_raiser", "when: ‸score >= 50 || lead.hand_raiser && lead.employees < 0 && lead.employees > 9"}, "", "a part of the condition can never hold: lead.hand_raiser && lead.employees < 0", true},
	"a rule of which all are":           {[]string{"when: lead.employees >= 10 && lead.employees < 2000", `when: ‸lead.country != "DE" || lead.country != "FR"`}, "", `the condition of the rule "right-size" always holds`, true},
	"a rule that counts twice":          {[]string{"  - name: our-industry\n", "  - name: size-again\n    points: 5\n    when: ‸(2000 > lead.employees) && 10 <= lead.employees\n  - name: our-industry\n"}, "", `asks what the rule "right-size" in line`, true},
	"a grade that nothing is left to":   {[]string{"- name: B # everybody else", "- name: B\n    when: \"!lead.hand_raiser\"\n  - name: ‸C"}, "", `no lead ever has the grade "C"`, true},
	"a grade without a promise":         {[]string{"name: B #", "name: ‸B #", "grades: [B]", "grades: [A]", "  - name: persistence\n", "  - name: persistence\n    grades: [A]\n"}, "", `nothing is promised for a lead of grade "B"`, true},
	"no grade and no promise":           {[]string{"- name: B # everybody else", "- name: ‸B\n    when: lead.employees > 5", "  - name: persistence\n", "  - name: persistence\n    grades: [A]\n"}, "", "a lead may have no grade", true},
	"a pool without a route":            {[]string{"  emea: {teams: [dublin]}", "  emea: {teams: [dublin]}\n  ‸asia: {teams: [dublin]}"}, "", `no route leads to the pool "asia"`, true},
	"a pool that nothing is left to":    {[]string{"    - pool: americas\n", "    - when: '!(lead.country in [\"IE\", \"GB\", \"DE\", \"FR\", \"NL\"])'\n      pool: americas\n    - pool: asia\n", "  emea: {teams: [dublin]}", "  emea: {teams: [dublin]}\n  ‸asia: {teams: [dublin]}"}, "", `no lead comes to the pool "asia"`, true},
	"a promise that says nothing":       {[]string{"  - name: persistence\n", "  - {name: slow, within: ‸48h, calendar: workdays, grades: [B], stops_on: [attempt, reached], on_breach: reassign}\n  - name: persistence\n"}, "", `who breaks "slow" has broken "first-call" before`, true},
	"warnings at once":                  {[]string{"within: 5m\n", "within: ‸30s\n", "stops_on: [attempt, reached]\n    warn: [50%, 80%]", "stops_on: [attempt, reached]\n    warn: [50%, 52%]"}, "", "fall into one second", true},
	"a way back that nobody goes":       {[]string{"not-a-fit: recycle", "not-a-fit: reassign", "no-budget-this-year: recycle", "no-budget-this-year: reassign", "student-or-competitor: recycle", "student-or-competitor: reassign", "- name: recycled", "- name: ‸recycled"}, "", `no lead ever comes back to the stage "recycled"`, true},
	"a team of nobody":                  {[]string{"  emea: {teams: [dublin]}", "  ‸emea: {teams: [dublin, cork]}"}, "", `nobody is in the team "cork"`, true},
	"a calendar that nobody works by":   {[]string{"  dublin:\n    zone", "  ‸cork:\n    zone: Europe/Dublin\n    hours: {mon: 09:00-17:00}\n  dublin:\n    zone"}, "", `no promise runs on the calendar "cork"`, true},
	"a lead that the guard keeps away":  {[]string{"name: B #", "name: B #", "grades: [B]", "grades: [A]", "  - name: persistence\n", "  - name: persistence\n    grades: [A]\n", "when: score >= 50 || lead.hand_raiser", "when: grade == \"A\""}, "", "", true},
	"a promise for another moment":      {[]string{"  - name: persistence\n", "  - {name: slow, within: 48h, calendar: workdays, grades: [B], stops_on: [attempt], on_breach: notify}\n  - name: persistence\n"}, "", "", true},
	"points that fade in another while": {[]string{"  - name: webinar\n", "  - {name: form-long, points: 5, on: touch.kind == \"form_submitted\", half_life: 180d}\n  - name: webinar\n"}, "", "", true},
}

// TestSeededFaults finds each mistake where it stands, and nothing besides.
func TestSeededFaults(t *testing.T) {
	t.Parallel()
	const file = "../../docs/examples/hubspot/agreement.yaml"
	text := string(read(t, file))
	roster, faults := agreement.ParseRoster("roster.yaml", read(t, filepath.Join(filepath.Dir(file), "roster.yaml")))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if len(seeded) < 40 {
		t.Errorf("%d mistakes", len(seeded))
	}
	for name, c := range seeded {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marked := text
			for i := 0; i < len(c.replace); i += 2 {
				if strings.Count(marked, c.replace[i]) != 1 && c.replace[i] != c.replace[i+1] {
					t.Fatalf("%q stands %d times in the text, want once", c.replace[i], strings.Count(marked, c.replace[i]))
				}
				marked = strings.Replace(marked, c.replace[i], c.replace[i+1], 1)
			}
			if c.at != "" {
				marked = strings.ReplaceAll(marked, mark, "")
				marked = strings.Replace(marked, c.at, strings.Replace(c.at, strings.TrimLeft(c.at, " -"), mark+strings.TrimLeft(c.at, " -"), 1), 1)
			}
			a, found := agreement.Parse("a.yaml", []byte(strings.ReplaceAll(marked, mark, "")))
			if c.warning {
				if a == nil {
					t.Fatal(found)
				}
				found = a.Doubts(roster)
			}
			if c.want == "" {
				if len(found) > 0 {
					t.Errorf("a false alarm: %v", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("%d findings: %v", len(found), found)
			}
			f := found[0]
			if place := fmt.Sprintf("%d:%d", f.Line, f.Column); place != marks(marked)[0] || !strings.Contains(f.Message, c.want) {
				t.Errorf("got  %v\nwant %s … %s", f, marks(marked)[0], c.want)
			}
			if f.File != "a.yaml" || f.Path == "" && c.want != "this is not YAML" {
				t.Errorf("it stands in the file %q at %q", f.File, f.Path)
			}
			t.Log(f)
		})
	}
}

// TestNoFalseAlarm finds nothing in what users are shown.
func TestNoFalseAlarm(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/*/agreement.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("find the examples: %v, %v", files, err)
	}
	for _, file := range append(files, "../../services/leadpact/demo/agreement.yaml") {
		a, _, faults, err := agreement.Load(file, os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		r, more := agreement.ParseRoster("roster.yaml", read(t, filepath.Join(filepath.Dir(file), "roster.yaml")))
		if a == nil || r == nil {
			t.Fatal(faults, more)
		}
		for _, f := range append(a.Doubts(nil), a.Doubts(r)...) {
			t.Error(f)
		}
	}
	_, rest, _ := strings.Cut(string(read(t, "../../docs/agreement.md")), "```yaml\n")
	reference, _, _ := strings.Cut(rest, "```")
	a, faults := agreement.Parse("docs/agreement.md", []byte(reference))
	if a == nil {
		t.Fatal(faults)
	}
	for _, f := range a.Doubts(nil) {
		t.Error(f)
	}
}

// TestFaultsHideNothing finds what can never be beside other faults, and takes nothing for known that another fault may be about.
func TestFaultsHideNothing(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("score >= 50", "score >= 50 && score < 40", "calendar: rep", "calendar: moon").Replace(whole)
	if _, faults := agreement.Parse("a.yaml", []byte(text)); len(faults) != 2 || !strings.Contains(faults[0].Message, "can never hold") {
		t.Errorf("found %v", faults)
	}
	text = strings.NewReplacer("- name: B\n", "- name: B C\n", "lead.employees > 200", `grade == "B C"`).Replace(whole)
	if _, faults := agreement.Parse("a.yaml", []byte(text)); len(faults) != 1 {
		t.Errorf("found %v", faults)
	}
}

func FuzzDoubts(f *testing.F) {
	for _, condition := range []string{
		`score >= 50`, `lead.employees > 10 && !known("employees")`, `lead.industry.lower() in ["a", "B"] || !(grade == "A")`,
		`(lead.hot ? score / fit > 1 : lead.industry < "m") == (did("won") >= 2.5)`, `((lead.hot == true) == true) == ((lead.hot != true) != false)`,
		`lead.industry.matches("a") && !lead.industry.contains("a") || stage in ["lead", "mql"] && channel != "paid"`,
		strings.Repeat("(lead.hot == ", 40) + "lead.hot" + strings.Repeat(")", 40),
		strings.Repeat("(lead.hot || score > 1) && ", 60) + "fit > 1", strings.Repeat("lead.hot ? lead.hot : ", 80) + "lead.hot",
	} {
		f.Add(condition)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		quoted := "'" + strings.ReplaceAll(condition, "'", "''") + "'"
		text := strings.NewReplacer("when: score >= 50", "when: "+quoted, "when: lead.employees > 200", "when: "+quoted, `on: touch.kind == "page_viewed"`, "on: "+quoted).Replace(whole)
		var a *agreement.Agreement
		var found []agreement.Fault
		took := measure(func() {
			if a, found = agreement.Parse("a.yaml", []byte(text)); a != nil {
				found = a.Doubts(nil)
			}
		})
		if took > patience {
			t.Errorf("took %v", took)
		}
		for _, one := range found {
			if one.Message == "" || one.Line < 1 {
				t.Errorf("%v says nothing, or stands nowhere", one)
			}
		}
	})
}
