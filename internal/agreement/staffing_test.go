package agreement_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// office is a small agreement on hours of its own, and people who work at others.
const office = `title: Leads
version: "1"
parties: {marketing: M, sales: S}
sources: {web: {format: json, verify: {bearer: env:WEBSITE}}}
calendars:
  promised:
    zone: Europe/Berlin
    hours: {mon-fri: 09:00-18:00}
stages:
  - {name: lead}
  - {name: mql, when: score >= 1}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff: {at: mql, routes: [{pool: all}], unassigned: {within: 10m, calendar: always}}
pools: {all: {teams: [t]}}
clocks:
  - {name: call, within: 1h, calendar: promised, stops_on: [attempt]}
`

func TestUnderstaffed(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("agreement.yaml", []byte(office))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const people = "zone: Europe/Berlin\nteams: {t: {manager: m}}\nreps:\n"
	const whole = "calendars: {whole: {zone: Europe/Berlin, hours: {mon-fri: 09:00-18:00}}, short: {zone: Europe/Berlin, hours: {mon-fri: 09:00-16:30}}, late: {zone: Europe/Berlin, hours: {mon-fri: 16:00-18:00}}}\n"
	from := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC) // a Monday, 09:00 in Berlin
	for name, c := range map[string]struct {
		reps string
		want string
	}{
		"the promised hours":               {"  ann: {team: t, capacity: 9, calendar: whole}\n", ""},
		"round the clock":                  {"  ann: {team: t, capacity: 9}\n", ""},
		"two who leave nothing out":        {"  ann: {team: t, capacity: 9, calendar: short}\n  bob: {team: t, capacity: 9, calendar: late}\n", ""},
		"an hour before closing, nobody":   {"  ann: {team: t, capacity: 9, calendar: short}\n", `nobody of the pool "all" works from Mon 2026-11-02 16:30 CET to Tue 2026-11-03 09:00 CET: a lead of the first minute breaks "call" at Mon 2026-11-02 17:30 CET`},
		"away, and another is there":       {"  ann: {team: t, capacity: 9, calendar: whole, absences: [{from: 2026-11-04, to: 2026-11-04, why: x}]}\n  bob: {team: t, capacity: 9, calendar: whole}\n", ""},
		"the only one is away for a day":   {"  ann: {team: t, capacity: 9, calendar: whole, absences: [{from: 2026-11-04, to: 2026-11-04, why: x}]}\n", `from Tue 2026-11-03 18:00 CET to Thu 2026-11-05 09:00 CET: a lead of the first minute breaks "call" at Wed 2026-11-04 10:00 CET (once in a year)`},
		"the only one is away for an hour": {"  ann: {team: t, capacity: 9, calendar: whole, absences: [{from: 2026-11-04T11:00:00Z, to: 2026-11-04T11:59:00Z, why: x}]}\n", ""},
	} {
		r, faults := agreement.ParseRoster("roster.yaml", []byte(people+c.reps+whole))
		if len(faults) > 0 {
			t.Fatal(name, faults)
		}
		got, err := a.Understaffed(r, from)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %v", name, got)
		case c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, c.want) || got[0].Line != 17):
			t.Errorf("%s: got %v, want %q in line 17", name, got, c.want)
		}
	}
}

// TestUnderstaffedOfTheExample: as it stands, somebody is always there in time. Were the Friday after Thanksgiving a day on which the
// promise runs, nobody in Boston would be.
func TestUnderstaffedOfTheExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "examples", "hubspot", "roster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r, faults := agreement.ParseRoster("roster.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if got, err := example(t).Understaffed(r, from); err != nil || len(got) > 0 {
		t.Errorf("as it stands: %v, %v", got, err)
	}
	got, err := example(t, "2026-11-26, 2026-11-27, ", "2026-11-26, ").Understaffed(r, from)
	const want = `nobody of the pool "americas" works from Wed 2026-11-25 18:00 EST to Mon 2026-11-30 09:00 EST: a lead of the first minute breaks "first-call" at Fri 2026-11-27 18:00 EST (once in a year)`
	if err != nil || len(got) != 1 || got[0].Message != want {
		t.Errorf("without the Friday: %v, %v; want %q", got, err, want)
	}
}
