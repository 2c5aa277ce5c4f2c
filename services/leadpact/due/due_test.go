package due_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/leadpact/due"
)

// question is about the example after what HubSpot did in house.
func question(t *testing.T, name, rep, at string) due.Question {
	t.Helper()
	read := func(file string) []byte {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "examples", "hubspot", file))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	a, faults := agreement.Parse("agreement.yaml", read("agreement.yaml"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	r, faults := agreement.ParseRoster("roster.yaml", read("roster.yaml"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return due.Question{Agreement: a, Roster: r, Clock: name, Rep: rep, At: at}
}

func TestAskGoesAroundHolidays(t *testing.T) {
	t.Parallel()
	// The evening before Thanksgiving; the Friday after it is closed too.
	a, err := due.Ask(question(t, "hand-raiser", "ana", "2026-11-25 17:58"))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 30, 14, 3, 0, 0, time.UTC); !a.Due.Equal(want) {
		t.Errorf("due %s, want %s", a.Due, want)
	}
	rules := map[string]calendar.Rule{}
	var sum time.Duration
	for _, d := range a.Days {
		rules[d.Date] = d.Rule
		sum += d.Counted
	}
	if sum != a.Within {
		t.Errorf("the days count %s together, the promise is %s", sum, a.Within)
	}
	for date, want := range map[string]calendar.Rule{"2026-11-25": calendar.Weekly, "2026-11-26": calendar.Holiday, "2026-11-27": calendar.Dated, "2026-11-30": calendar.Weekly} {
		if rules[date] != want {
			t.Errorf("%s: rule %q, want %q", date, rules[date], want)
		}
	}
	var out bytes.Buffer
	if err := a.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"due   Mon 2026-11-30 09:03:00 EST", "Thu 2026-11-26  closed", "holiday", "closed on this date"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	data, err := json.Marshal(a)
	if err != nil || !bytes.Contains(data, []byte(`"due":"2026-11-30T14:03:00Z"`)) {
		t.Errorf("JSON %s, %v", data, err)
	}
}

func TestAskRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ clock, rep, at, want string }{
		"no such clock":      {"nonsense", "", "2026-11-25 17:58", "choose one of"},
		"no such rep":        {"hand-raiser", "nobody", "2026-11-25 17:58", "no rep"},
		"nobody":             {"hand-raiser", "", "2026-11-25 17:58", "give --roster and --rep"},
		"no time":            {"hand-raiser", "ana", "tomorrow", "is no time"},
		"a time that is not": {"hand-raiser", "ana", "2027-03-14 02:30", "does not exist"},
		"a time twice":       {"hand-raiser", "ana", "2026-11-01 01:30", "2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00"},
	} {
		_, err := due.Ask(question(t, c.clock, c.rep, c.at))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}
