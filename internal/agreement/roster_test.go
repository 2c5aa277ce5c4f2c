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
)

const people = `zone: Europe/Berlin
teams:
  north: {manager: ines}
  south:
reps:
  ana:
    team: north
    weight: 2
    capacity: 40
    calendar: mornings
    notice: desk
    absences:
      - {from: 2026-10-24, to: 2026-10-25, why: vacation}
      - {from: 2026-12-04T13:00:00Z, to: 2026-12-04T18:30:00+01:00}
  bo: {team: south, capacity: 1, calendar: always}
calendars:
  mornings:
    zone: Europe/Dublin
    hours: {mon-fri: 09:00-13:00}
notices:
  desk: {url: https://desk.example.com/x, secret: env:DESK}
`

func TestParseRoster(t *testing.T) {
	t.Parallel()
	got, faults := agreement.ParseRoster("r.yaml", []byte(people))
	for _, f := range faults {
		t.Fatal(f)
	}
	sum := sha256.Sum256([]byte(people))
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := &agreement.Roster{
		Hash: hex.EncodeToString(sum[:]), Text: []byte(people),
		Teams: []agreement.Team{{Name: "north", Manager: "ines"}, {Name: "south"}},
		Reps: []agreement.Rep{
			{
				ID: "ana", Team: "north", Weight: 2, Capacity: 40, Calendar: "mornings", Notice: "desk",
				Absences: []agreement.Absence{
					// From the day's start to the next day's, and the clocks go back on the second day.
					{From: at("2026-10-23T22:00:00Z"), To: at("2026-10-25T23:00:00Z"), Why: "vacation"},
					{From: at("2026-12-04T13:00:00Z"), To: at("2026-12-04T17:30:00Z")},
				},
			},
			{ID: "bo", Team: "south", Weight: 1, Capacity: 1},
		},
		Notices: []agreement.Endpoint{{Name: "desk", URL: "https://desk.example.com/x", Secret: "env:DESK"}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(agreement.Roster{}), cmpopts.IgnoreFields(agreement.Roster{}, "Calendars")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Calendars) != 1 || got.Calendars[0].Name != "mornings" {
		t.Errorf("calendars %v", got.Calendars)
	}
	a, faults := agreement.Parse("a.yaml", []byte(whole))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, f := range a.CheckRoster(got) {
		t.Error(f)
	}
}

// TestAbsenceWhereMidnightIsMissing begins and ends days whose first hour was skipped by the clocks.
func TestAbsenceWhereMidnightIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from, to, start, end string }{
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"America/Sao_Paulo", "2018-11-03", "2018-11-03", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"Asia/Beirut", "2022-03-27", "2022-03-27", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},
		// From 23:30 to 00:30, so that the day begins half an hour late and before what its missing midnight would be.
		{"America/Toronto", "1919-03-31", "1919-03-31", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z"},
		{"America/Havana", "2026-11-01", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
	} {
		text := strings.NewReplacer("Europe/Berlin", c.zone, "from: 2026-10-24", "from: "+c.from, "to: 2026-10-25", "to: "+c.to).Replace(people)
		r, faults := agreement.ParseRoster("r.yaml", []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		a := r.Reps[0].Absences[0]
		if got := a.From.Format(time.RFC3339) + " " + a.To.Format(time.RFC3339); got != c.start+" "+c.end {
			t.Errorf("%s %s: got %s, want %s %s", c.zone, c.from, got, c.start, c.end)
		}
	}
}

func TestRosterFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown team":       {"team: south", "team: ‸soth", `no team is named "soth"`},
		"unknown notice":     {"notice: desk", "notice: ‸desks", `no notice is named "desks"`},
		"no capacity":        {"{team: south, capacity: 1, calendar: always}", "‸{team: south}", "needs capacity"},
		"weight of nothing":  {"weight: 2", "weight: ‸0", "a whole number from 1"},
		"date without zone":  {"zone: Europe/Berlin\n", "", "where its day begins"},
		"absence backwards":  {"to: 2026-10-25", "to: 2026-10-01", "ends before it begins"},
		"absence of no time": {"from: 2026-10-24", "from: ‸yesterday", "neither a date nor a time"},
		"literal secret":     {"secret: env:DESK", "secret: ‸whsec_abc", "never the secret itself"},
		"address":            {"https://desk.example.com/x", "‸desk.example.com", "an address belongs here"},
		"password":           {"https://desk.example.com/x", "‸https://u:p@desk.example.com", "a user or a password"},
		"rep as calendar":    {"calendar: always", "calendar: ‸rep", `not "rep"`},
		"unknown key":        {"zone: Europe/Berlin", "zone: Europe/Berlin\n‸rep: 1", `no key "rep"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marked := strings.Replace(people, c.old, c.new, 1)
			r, faults := agreement.ParseRoster("r.yaml", []byte(strings.Replace(marked, mark, "", 1)))
			if r != nil || len(faults) == 0 || !strings.Contains(faults[0].Message, c.want) {
				t.Fatalf("got %v, want %s", faults, c.want)
			}
			if places := marks(marked); len(places) > 0 && !strings.HasPrefix(faults[0].Error(), "r.yaml:"+places[0]+":") {
				t.Errorf("got %v, want it at %s", faults[0], places[0])
			}
		})
	}
}

func TestCheckRoster(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("a.yaml", []byte(whole))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"pool without reps": {"team: north", "team: south", []string{`5:1: nobody works in the agreement's pool "big"`}},
		"unknown team":      {"  north: {manager: ines}", "  nord:", []string{`2:1: the agreement's pool "big" names the team "north"`, `2:1: the agreement's pool "all" names`, `5:1: nobody works in the agreement's pool "big"`}},
		"unknown calendar":  {"calendar: mornings", "calendar: evenings", []string{`10:15: no calendar is named "evenings"`}},
		"calendar of both":  {"  mornings:\n", "  office:\n", []string{`10:15: no calendar is named "mornings"`, `17:3: the agreement has a calendar "office" too`}},
		"the agreement's":   {"calendar: mornings", "calendar: office", nil},
		"too few hours":     {"mon-fri: 09:00-13:00", `sun: "09:00-09:00:10"`, []string{`10:15: the calendar "mornings" opens too little to keep the agreement's promise "first"`}},
		"just enough hours": {"mon-fri: 09:00-13:00", `sun: "09:00-09:00:13"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(people, c.old, c.new, 1)
			if name == "unknown team" {
				text = strings.Replace(text, "team: north", "team: nord", 1)
			}
			r, faults := agreement.ParseRoster("r.yaml", []byte(text))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			got := a.CheckRoster(r)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %q", got, c.want)
			}
			for i, f := range got {
				if !strings.HasPrefix(f.Error(), "r.yaml:"+c.want[i]) {
					t.Errorf("got %v, want %s", f, c.want[i])
				}
			}
		})
	}
	if got := a.CheckRoster(&agreement.Roster{}); len(got) == 0 {
		t.Error("an empty roster made by hand has no faults")
	}
}

func FuzzParseRoster(f *testing.F) {
	f.Add([]byte(people))
	f.Add(read(f, "../../docs/examples/hubspot/roster.yaml"))
	a, faults := agreement.Parse("a.yaml", []byte(whole))
	if len(faults) > 0 {
		f.Fatal(faults)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, faults := agreement.ParseRoster("r.yaml", text)
		if (r == nil) == (len(faults) == 0) {
			t.Fatalf("roster %v and faults %v", r, faults)
		}
		if r == nil {
			return
		}
		a.CheckRoster(r)
		for _, rep := range r.Reps {
			if rep.Weight < 1 || rep.Capacity < 1 || rep.Team == "" {
				t.Errorf("rep %+v", rep)
			}
			for _, gone := range rep.Absences {
				if !gone.From.Before(gone.To) {
					t.Errorf("absence %+v", gone)
				}
			}
		}
	})
}

func TestARosterOfThreeThousand(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("zone: Etc/UTC\nteams:\n  sales: {manager: ines}\nreps:\n")
	for i := range 2_990 {
		fmt.Fprintf(&text, "  rep%04d: {team: sales, weight: 2, capacity: 40}\n", i)
	}
	r, faults := agreement.ParseRoster("roster", []byte(text.String()))
	if len(faults) > 0 || len(r.Reps) != 2_990 {
		t.Fatal(faults)
	}
}
