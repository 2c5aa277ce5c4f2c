package agreement_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/preset"
)

// whole has every section of the language in a compact form.
const whole = `title: Leads
version: 1.10
parties: {marketing: Mara, sales: Theo}
fields:
  employees: {type: number, precedence: [crm, web]}
  industry: text
  hot: flag
channels: [organic, paid]
sources:
  web:
    format: json
    verify: {hmac: {secret: [env:NEW, file:/run/old], header: X-Sig, encoding: base64, prefix: "v1=", algorithm: sha1}}
    channel: organic
    map:
      kind: event.name
      fields: {employees: company.size}
  crm:
    format: json
    verify: {bearer: env:CRM}
    history: true
    map: {outcomes: {deal.won: won}}
calendars:
  office:
    zone: Europe/Berlin
    hours:
      mon-thu: 09:00-12:00, 13:00-17:00
      fri: 09:00-12:00
    dates: {2026-12-24: closed, 2026-12-30: [10:00-11:00, 12:00-13:00]}
    breaks: {2026-12-29: 10:00-10:30}
    holidays: [2026-12-25]
scoring:
  - {name: size, points: 20, when: lead.employees >= 50}
  - {name: visit, points: -2.5, on: touch.kind == "page_viewed", half_life: 30d, cap: 40}
grades:
  - {name: A, when: lead.hot}
  - name: B
stages:
  - name: lead
  - {name: mql, when: score >= 50}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
  - {name: recycled, recycled: true}
handoff:
  at: mql
  routes:
    - {when: lead.employees > 200, pool: big}
    - pool: all
  unassigned: {within: 10m, calendar: office, warn: [50%]}
pools:
  big: {teams: north}
  all: {teams: [north, south]}
clocks:
  - name: first
    grades: A
    within: 1h30m
    calendar: rep
    stops_on: [attempt, reached]
    count: 2
    met_by: [won]
    warn: [50, 80%]
    on_breach: reassign
  - {name: any, within: 2w, calendar: always, stops_on: [accepted]}
rejections: {no-fit: recycle, no-time: reassign}
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, faults := agreement.Parse("a.yaml", []byte(whole))
	for _, f := range faults {
		t.Fatal(f)
	}
	sum := sha256.Sum256([]byte(whole))
	hours := func(open, end string) calendar.Span {
		o, err1 := calendar.ParseClock(open)
		c, err2 := calendar.ParseClock(end)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return calendar.Span{Open: o, Close: c}
	}
	long := []calendar.Span{hours("09:00", "12:00"), hours("13:00", "17:00")}
	plain, err := preset.ByName("json")
	if err != nil {
		t.Fatal(err)
	}
	want := &agreement.Agreement{
		Title: "Leads", Version: "1.10", UnderWay: agreement.Stay, Hash: hex.EncodeToString(sum[:]), Text: []byte(whole),
		Parties: agreement.Parties{Marketing: agreement.Party{Name: "Mara"}, Sales: agreement.Party{Name: "Theo"}},
		Fields: []agreement.Field{
			{Name: "employees", Type: agreement.Number, Precedence: []string{"crm", "web"}},
			{Name: "industry", Type: agreement.Text},
			{Name: "hot", Type: agreement.Flag},
		},
		Channels: []string{"organic", "paid"},
		Sources: []agreement.Source{
			{
				Name: "web", Tool: plain, Channel: "organic",
				Verify: agreement.Verify{
					Secrets: []string{"env:NEW", "file:/run/old"},
					Proof:   preset.Proof{Kind: preset.HMAC, Header: "X-Sig", Encoding: "base64", Prefix: "v1=", Algorithm: "sha1"},
				},
				Map: preset.Mapping{Kind: at(t, "event.name"), Fields: map[string]preset.Place{"employees": at(t, "company.size")}}.Over(plain.Map),
			},
			{
				Name: "crm", Tool: plain, History: true,
				Verify: agreement.Verify{Proof: preset.Proof{Kind: preset.Bearer}, Secrets: []string{"env:CRM"}},
				Map:    preset.Mapping{Outcomes: map[string]string{"deal.won": "won"}}.Over(plain.Map),
			},
		},
		Calendars: []calendar.Spec{{
			Name: "office", Zone: "Europe/Berlin",
			Weekly: map[time.Weekday][]calendar.Span{
				time.Monday: long, time.Tuesday: long, time.Wednesday: long, time.Thursday: long,
				time.Friday: {hours("09:00", "12:00")},
			},
			Dates: map[calendar.Date][]calendar.Span{
				{Year: 2026, Month: 12, Day: 24}: nil,
				{Year: 2026, Month: 12, Day: 30}: {hours("10:00", "11:00"), hours("12:00", "13:00")},
			},
			Breaks:   map[calendar.Date][]calendar.Span{{Year: 2026, Month: 12, Day: 29}: {hours("10:00", "10:30")}},
			Holidays: []calendar.Date{{Year: 2026, Month: 12, Day: 25}},
		}},
		Scoring: agreement.Scoring{Rules: []agreement.Rule{
			{Name: "size", Points: 20},
			{Name: "visit", Points: -2.5, HalfLife: 30 * 24 * time.Hour, Cap: 40},
		}},
		Grades: []agreement.Grade{{Name: "A"}, {Name: "B"}},
		Stages: []agreement.Stage{
			{Name: "lead", Owner: agreement.Marketing}, {Name: "mql", Owner: agreement.Sales}, {Name: "won", Final: true, Owner: agreement.Sales},
			{Name: "lost", Final: true, Owner: agreement.Sales}, {Name: "recycled", Recycled: true, Owner: agreement.Marketing},
		},
		Handoff: agreement.Handoff{
			At: "mql", Routes: []agreement.Route{{Pool: "big"}, {Pool: "all"}},
			Unassigned: agreement.Clock{
				Name: "unassigned", Within: 10 * time.Minute, Calendar: "office", Warn: []int{50}, Count: 1, Breach: agreement.Notify,
			},
		},
		Pools: []agreement.Pool{{Name: "big", Teams: []string{"north"}}, {Name: "all", Teams: []string{"north", "south"}}},
		Clocks: []agreement.Clock{
			{
				Name: "first", Grades: []string{"A"}, Within: 90 * time.Minute, Calendar: "rep", StopsOn: []string{"attempt", "reached"},
				Count: 2, MetBy: []string{"won"}, Warn: []int{50, 80}, Breach: agreement.Reassign,
			},
			{Name: "any", Within: 14 * 24 * time.Hour, Calendar: "always", StopsOn: []string{"accepted"}, Count: 1, Breach: agreement.Notify},
		},
		Rejections: []agreement.Rejection{{Reason: "no-fit", Recycle: true}, {Reason: "no-time"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(&agreement.Condition{}), cmpopts.IgnoreUnexported(agreement.Agreement{}, agreement.Scoring{}, agreement.Source{}, preset.Path{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, c := range []struct {
		got  *agreement.Condition
		want string
	}{
		{got.Scoring.Rules[0].When, "lead.employees >= 50"},
		{got.Scoring.Rules[0].On, ""},
		{got.Scoring.Rules[1].On, `touch.kind == "page_viewed"`},
		{got.Scoring.Rules[1].When, ""},
		{got.Grades[0].When, "lead.hot"},
		{got.Stages[2].When, `did("won") >= 1`},
		{got.Handoff.Routes[0].When, "lead.employees > 200"},
	} {
		if c.got.String() != c.want {
			t.Errorf("condition %q, want %q", c.got, c.want)
		}
	}
	if got.Grades[1].When != nil || got.Stages[0].When != nil || got.Handoff.Routes[1].When != nil {
		t.Error("a condition stands where the text has none")
	}
}

// mark is where a fault is expected: the text is read without it.
const mark = "‸"

// faulty replaces part of whole, reads it, and wants one fault at each mark with the given words.
func faulty(t *testing.T, old, replacement string, want ...string) {
	t.Helper()
	faultyIn(t, whole, old, replacement, want...)
}

func faultyIn(t *testing.T, text, old, replacement string, want ...string) {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the text, must be once", old, strings.Count(text, old))
	}
	marked := strings.Replace(text, old, replacement, 1)
	_, faults := agreement.Parse("a.yaml", []byte(strings.ReplaceAll(marked, mark, "")))
	places := marks(marked)
	if len(places) != len(want) {
		t.Fatalf("%d marks and %d expected faults", len(places), len(want))
	}
	var got, wanted []string
	for i, f := range faults {
		s := fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Message)
		if i < len(want) && strings.Contains(s, want[i]) {
			s = fmt.Sprintf("%d:%d …%s…", f.Line, f.Column, want[i])
		}
		got = append(got, s)
	}
	for i, w := range want {
		wanted = append(wanted, fmt.Sprintf("%s …%s…", places[i], w))
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// marks are the places of the marks as "line:column".
func marks(text string) []string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		before, rest, ok := strings.Cut(line, mark)
		for column := 1; ok; before, rest, ok = strings.Cut(rest, mark) {
			column += len([]rune(before))
			out = append(out, fmt.Sprintf("%d:%d", i+1, column))
		}
	}
	return out
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"unknown key":           {"version: 1.10", "version: 1.10\n‸verzion: 2", []string{`no key "verzion"`}},
		"unknown key below":     {"header: X-Sig", "‸heder: X-Sig", []string{`no key "heder"`}},
		"duplicate key":         {"version: 1.10", "version: 1.10\n‸version: 2", []string{`"version" stands twice`}},
		"duplicate name":        {"{name: visit,", "{name: ‸size,", []string{`name "size" is taken`}},
		"duplicate event":       {"deal.won: won}", "deal.won: won, ‸deal.won: lost}", []string{`"deal.won" stands twice`}},
		"two at once":           {"title: Leads", "‸titel: Leads\nclokcs: 1", nil},
		"missing":               {"title: Leads\n", "", nil},
		"no name":               {"- name: B", "- ‸{when: score > 1}", []string{"needs name"}},
		"bad name":              {"  big: {", "  ‸b g: {", nil},
		"unknown precedence":    {"precedence: [crm, web]", "precedence: [crm, ‸wbe]", []string{`no source is named "wbe"`}},
		"unknown type":          {"industry: text", "industry: ‸string", []string{`"string" is no type`}},
		"word of the language":  {"industry: text", "industry: text\n  ‸kind: text", []string{"another meaning"}},
		"unknown channel":       {"channel: organic", "channel: ‸organik", []string{`no channel is named "organik"`}},
		"literal secret":        {"bearer: env:CRM", "bearer: ‸hunter2hunter2", []string{"never the secret itself"}},
		"nothing to fetch":      {"history: true", "history: true\n    fetch: ‸{token: env:T}", []string{"are whole"}},
		"three secrets":         {"[env:NEW, file:/run/old]", "[env:A, env:B, env:C]", nil},
		"same secrets":          {"[env:NEW, file:/run/old]", "[env:A, ‸env:A]", []string{"both secrets are the same"}},
		"two proofs":            {"{bearer: env:CRM}", "‸{bearer: env:CRM, hmac: env:X}", nil},
		"unknown thing signed":  {"hmac: {secret: [env:NEW, file:/run/old],", "hmac: ‸{signed: \"{body}{host}\", secret: [env:NEW, file:/run/old],", []string{"a thing that is not known"}},
		"secret in an HMAC":     {"hmac: {secret: [env:NEW, file:/run/old],", "hmac: ‸{signed: \"{secret}{body}\", secret: [env:NEW, file:/run/old],", []string{"{secret} stands in what a digest covers"}},
		"time not signed":       {"hmac: {secret: [env:NEW, file:/run/old],", "hmac: ‸{time: {header: X-Time}, secret: [env:NEW, file:/run/old],", []string{"stands as {time} in what is signed"}},
		"own source":            {"  crm:\n    format", "  ‸scoring:\n    format", nil},
		"unknown mapped field":  {"{employees: company.size}", "{‸employes: company.size}", []string{`no field is named "employes"`}},
		"bad path":              {"company.size", "‸company..size", []string{"is not a path"}},
		"bad outcome":           {"deal.won: won", "deal.won: ‸rejected", []string{`"rejected" is no outcome`}},
		"bad zone":              {"Europe/Berlin", "‸Europe/Berlim", []string{"not a time zone"}},
		"bad day":               {"      fri:", "      ‸fry:", []string{`"fry" names no days`}},
		"day twice":             {"      fri:", "      ‸thu-fri:", []string{"Thursday has hours already"}},
		"bad hours":             {"fri: 09:00-12:00", "fri: ‸9-12", []string{"are no hours"}},
		"hours backwards":       {"fri: 09:00-12:00", "fri: ‸17:00-09:00", []string{"end before they begin"}},
		"bad date":              {"2026-12-25", "‸2026-02-30", []string{"is not a date"}},
		"reserved calendar":     {"  office:\n", "  ‸always:\n", nil},
		"no hours":              {"    hours:\n      mon-thu: 09:00-12:00, 13:00-17:00\n      fri: 09:00-12:00\n    dates: {2026-12-24: closed, 2026-12-30: [10:00-11:00, 12:00-13:00]}\n", "", nil},
		"single dates":          {"  office:\n    zone: Europe/Berlin\n    hours:\n      mon-thu: 09:00-12:00, 13:00-17:00\n      fri: 09:00-12:00\n", "  ‸office:\n    zone: Europe/Berlin\n", []string{"opens on single dates only"}},
		"more than always":      {"within: 2w", "within: ‸2921d", []string{"the calendar \"always\" opens too little"}},
		"more than a rep":       {"within: 1h30m", "within: ‸2921d", []string{"the calendar \"rep\" opens too little"}},
		"unassigned too long":   {"within: 10m", "within: ‸12885h", []string{"the calendar \"office\" opens too little"}},
		"bad duration":          {"within: 2w", "within: ‸2 weeks", []string{"a length of time"}},
		"duration of nothing":   {"within: 2w", "within: ‸0s", []string{"more than nothing"}},
		"duration for ever":     {"within: 2w", "within: ‸99999w", []string{"at most 10 years"}},
		"half-life of nothing":  {"half_life: 30d", "half_life: ‸0d", []string{"more than nothing"}},
		"half-life of fit":      {"when: lead.employees >= 50}", "when: lead.employees >= 50, half_life: ‸1d}", []string{"goes with 'on' only"}},
		"when and on":           {"{name: size, points: 20,", "‸{on: touch.hot, name: size, points: 20,", []string{"either 'when' or 'on'"}},
		"neither when nor on":   {"points: 20, when: lead.employees >= 50}", "points: 20}", nil},
		"no points":             {"points: 20", "points: ‸0", []string{"changes nothing"}},
		"points in words":       {"points: 20", `points: ‸"20"`, []string{"a number"}},
		"negative cap":          {"cap: 40", "cap: ‸-40", []string{"above 0"}},
		"grade never reached":   {"{name: A, when: lead.hot}", "‸{name: A}", []string{"holds always"}},
		"first stage guarded":   {"- name: lead", "- ‸{name: lead, when: score > 1}", []string{"where every lead begins"}},
		"stage without guard":   {"{name: mql, when: score >= 50}", "‸{name: mql}", []string{"needs 'when'"}},
		"recycled by guard":     {"recycled: true}", "recycled: true, when: ‸score > 1}", []string{"a rejection does"}},
		"handoff nowhere":       {"at: mql", "at: ‸mqls", []string{`no stage is named "mqls"`}},
		"handoff at first":      {"at: mql", "at: ‸lead", []string{"cannot start"}},
		"handoff at final":      {"at: mql", "at: ‸won", []string{"cannot start"}},
		"last route guarded":    {"- pool: all", "- {pool: all, when: ‸score > 1}", []string{"has no condition"}},
		"route hides others":    {"- {when: lead.employees > 200, pool: big}", "- ‸{pool: big}", []string{"none comes"}},
		"route by a deed":       {"lead.employees > 200", "‸did(\"won\") >= 1", []string{"cannot look at what was done"}},
		"unknown pool":          {"- pool: all", "- pool: ‸al", []string{`no pool is named "al"`}},
		"unassigned of a rep":   {"within: 10m, calendar: office", "within: 10m, calendar: ‸rep", []string{"no calendar"}},
		"unknown calendar":      {"calendar: rep", "calendar: ‸ofice", []string{`no calendar is named "ofice"`}},
		"unknown grade":         {"grades: A\n", "grades: ‸C\n", []string{`no grade is named "C"`}},
		"unknown activity":      {"stops_on: [accepted]", "stops_on: [‸acepted]", []string{`no activity is named "acepted"`}},
		"stops on nothing":      {"stops_on: [accepted]", "stops_on: ‸[]", []string{"can only be broken"}},
		"cannot be kept":        {"stops_on: [accepted]", "stops_on: [accepted, won], count: ‸3", []string{"2 times at most"}},
		"count of none":         {"count: 2", "count: ‸0", []string{"a whole number from 1"}},
		"met by what stops":     {"stops_on: [accepted]", "stops_on: [accepted], met_by: [‸accepted]", []string{"stops the clock already"}},
		"warnings descend":      {"[50, 80%]", "[80, ‸50]", []string{"ascending"}},
		"warning twice":         {"[50, 80%]", "[50, ‸50]", []string{"ascending"}},
		"warning at the breach": {"[50, 80%]", "[50, ‸100]", []string{"from 1 to 99"}},
		"unknown remedy":        {"on_breach: reassign", "on_breach: ‸reasign", []string{`"reasign" is no remedy`}},
		"reserved clock":        {"{name: any, within", "{name: ‸unassigned, within", nil},
		"recycle to nowhere":    {"  - {name: recycled, recycled: true}\n", "", nil},
		"a list for a mapping":  {"parties: {marketing: Mara, sales: Theo}", "parties: ‸[Mara, Theo]", []string{"keys with values"}},
		"anchor":                {"title: Leads", "title: ‸&a Leads", nil},
		"two documents":         {"title: Leads", "title: x\n---\ntitle: Leads", nil},
		"tab":                   {"  industry: text", "\tindustry: text", nil},
		"control character":     {"title: Leads", "title: Le‸\x01ads", []string{"control character"}},
		"bidirectional control": {"title: Leads", "title: Le‸\u202eads", []string{"U+202E"}},
		"invalid UTF-8":         {"title: Leads", "title: Le‸\xffads", []string{"not UTF-8"}},
		"escape sequence":       {"title: Leads", `title: "Le‸\e[2Jads"`, []string{"control character 0x1b"}},
		"escape of eight bits":  {"title: Leads", `title: "Le‸\u009bads"`, []string{"control character 0x9b"}},
		"eight bits":            {"title: Leads", "title: Le‸\u009bads", []string{"control character 0x9b"}},
		"escaped bidirectional": {"title: Leads", `title: "Le‸\u202eads"`, []string{"U+202E"}},
		"escape in a key":       {"  industry: text", `  ‸"in‸\u2066dustry": text`, []string{"is not a name", "U+2066"}},
		"escaped line feed":     {"title: Leads", `title: "Le‸\nads"`, []string{"has a line feed"}},
		"folded line feed":      {"title: Leads", "title: 'Le‸\n\n  ads'", []string{"has a line feed"}},
		"line separator":        {"title: Leads", `title: "Le‸\Lads"`, []string{"U+2028"}},
		"title of two lines":    {"title: Leads", "title: ‸|\n  Leads\n  in force", []string{"of one line"}},
		"NUL":                   {"title: Leads", "title: Le‸\x00ads", []string{"control character 0x00"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.want != nil {
				faulty(t, c.old, c.new, c.want...)
				return
			}
			text := strings.ReplaceAll(strings.Replace(whole, c.old, c.new, 1), mark, "")
			a, faults := agreement.Parse("a.yaml", []byte(text))
			if len(faults) == 0 || a != nil {
				t.Errorf("no fault found, agreement %v", a)
			}
			for _, f := range faults {
				t.Log(f)
			}
		})
	}
}

// TestADealEndsTheFunnel wants a final stage for either end of a deal, whatever else is known of the lead.
func TestADealEndsTheFunnel(t *testing.T) {
	t.Parallel()
	const won, lost = "  - {name: won, when: did(\"won\") >= 1, final: true}\n", "  - {name: lost, when: did(\"lost\") >= 1, final: true}\n"
	funnel := func(ends string) string {
		return "stages:\n  - name: lead\n  - {name: mql, when: score >= 50}\n" + ends
	}
	for ends, want := range map[string][]string{
		won:  {"a lead that is lost"},
		lost: {"a lead that is won"},
		"":   {"a lead that is won", "a lead that is lost"},
		won + strings.Replace(lost, ", final: true", "", 1):                  {"a lead that is lost"},
		won + strings.Replace(lost, ">= 1", ">= 2", 1):                       {"a lead that is lost"},
		won + strings.Replace(lost, ">= 1", ">= 1 && lead.hot", 1):           {"a lead that is lost"},
		strings.Replace(won, ">= 1", ">= 1 && did(\"lost\") >= 1", 1) + lost: {"a lead that is won"},
		won + strings.Replace(lost, ">= 1", ">= 1 || lead.hot", 1):           {},
		strings.Replace(won, ">= 1", "+ did(\"lost\") >= 1", 1):              {},
	} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			marked := funnel(ends)
			if len(want) > 0 {
				marked = strings.Replace(marked, "  - name: lead", "  "+strings.Repeat(mark, len(want))+"- name: lead", 1)
			}
			faulty(t, funnel(won+lost), marked, want...)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	for _, file := range []string{"../../docs/examples/minimal/agreement.yaml", "../../docs/examples/hubspot/roster.yaml"} {
		f.Add(read(f, file))
	}
	f.Add([]byte("a: [b, {c: |\n  d\n  e}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var faults, more []agreement.Fault
		took := measure(func() {
			var a *agreement.Agreement
			if a, faults = agreement.Parse("a.yaml", text); a != nil {
				faults = a.Doubts(nil)
			}
			_, more = agreement.ParseRoster("r.yaml", text)
		})
		if took > patience {
			t.Errorf("took %v", took)
		}
		lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
		for _, fault := range append(faults, more...) {
			if fault.Line < 1 || fault.Line > len(lines) || fault.Column < 1 || fault.Column > len([]rune(lines[fault.Line-1]))+1 {
				t.Errorf("%v stands outside of the text", fault)
			}
			if fault.Message == "" {
				t.Errorf("%v says nothing", fault)
			}
		}
	})
}

func at(t *testing.T, path string) preset.Place {
	t.Helper()
	p, err := preset.At(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The token with which the rest of a thin event is had stands in the contract as a reference, and never itself in a fault.
func TestFetch(t *testing.T) {
	t.Parallel()
	thin := strings.Replace(whole, "    format: json\n    verify: {bearer: env:CRM}\n    history: true\n    map: {outcomes: {deal.won: won}}\n",
		"    preset: hubspot-app\n    secret: env:APP\n    witness: true\n    fetch: {token: env:TOKEN}\n", 1)
	a, faults := agreement.Parse("agreement.yaml", []byte(thin))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if src, _ := a.Source("crm"); src.Fetch != "env:TOKEN" || !src.Witness {
		t.Errorf("read as %+v", src)
	}
	words := fmt.Sprint(a.Contract())
	for _, want := range []string{"{completed with env:TOKEN}", "{is a witness yes}"} {
		if !strings.Contains(words, want) {
			t.Errorf("the contract does not say %s", want)
		}
	}
	if strings.Contains(fmt.Sprint(a.Pending()), "witness") {
		t.Error("witnesses are told as not enforced yet")
	}
	_, faults = agreement.Parse("agreement.yaml", []byte(strings.Replace(thin, "env:TOKEN", "pat-na1-hunter2", 1)))
	if len(faults) != 1 || !faults[0].Secret || strings.Contains(faults[0].Error(), "hunter2") {
		t.Errorf("a token that stands in the text: %v", faults)
	}
}
