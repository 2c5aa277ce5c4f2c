package calendar_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/calendar"
)

func TestAccountNamesTheRuleOfEachDate(t *testing.T) {
	t.Parallel()
	spec := weekly("America/New_York", "00:00-24:00")
	spec.Weekly[time.Saturday] = nil
	spec.Dates = days(date("2026-11-02"), "10:00-12:00")
	spec.Breaks = days(date("2026-10-30"), "12:00-13:00")
	spec.Holidays = []calendar.Date{date("2026-11-03")}
	got, err := calendar.Account(spec, at("2026-10-30T16:30:00Z"), at("2026-11-04T05:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		date    string
		rule    calendar.Rule
		hours   int
		breaks  bool
		counted time.Duration
		shift   time.Duration
	}{
		{"2026-10-30", calendar.Weekly, 2, true, 11 * time.Hour, 0},           // from 12:30 on, an hour of it a break until 13:00
		{"2026-10-31", calendar.Weekly, 0, false, 0, 0},                       // a Saturday
		{"2026-11-01", calendar.Weekly, 1, false, 25 * time.Hour, -time.Hour}, // clocks go back
		{"2026-11-02", calendar.Dated, 1, false, 2 * time.Hour, 0},            //
		{"2026-11-03", calendar.Holiday, 0, false, 0, 0},                      //
	}
	if len(got) != len(want) {
		t.Fatalf("got %d days, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		d := got[i]
		if d.Date.String() != w.date || d.Rule != w.rule || len(d.Hours) != w.hours || d.Breaks != w.breaks || d.Counted != w.counted || d.Shift != w.shift {
			t.Errorf("got %+v, want %+v", d, w)
		}
	}
	if _, err := calendar.Account(spec, at("2026-11-04T05:00:00Z"), at("2026-11-04T04:59:59Z")); !errors.Is(err, calendar.ErrBackwards) {
		t.Errorf("backwards: got %v", err)
	}
}

// TestAccountAddsUp: the days of any stretch count what Elapsed counts, one after another.
func TestAccountAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, minute := place(t)
		spec := written(t, zone, minute)
		from := minute.Add(-time.Duration(rapid.IntRange(0, 4*24*60).Draw(t, "before")) * time.Minute)
		to := minute.Add(time.Duration(rapid.IntRange(0, 4*24*60).Draw(t, "after")) * time.Minute)
		c, err := calendar.Compile(spec, from.AddDate(0, 0, -5), to.AddDate(0, 0, 5))
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.Elapsed(from, to)
		if err != nil {
			t.Fatal(err)
		}
		days, err := calendar.Account(spec, from, to)
		if err != nil {
			t.Fatal(err)
		}
		var got time.Duration
		for i, d := range days {
			if d.Counted < 0 {
				t.Fatalf("%s counts %s", d.Date, d.Counted)
			}
			got += d.Counted
			next := time.Date(d.Date.Year, d.Date.Month, d.Date.Day+1, 0, 0, 0, 0, time.UTC)
			if y, m, day := next.Date(); i+1 < len(days) && days[i+1].Date != (calendar.Date{Year: y, Month: m, Day: day}) {
				t.Fatalf("%s comes after %s", days[i+1].Date, d.Date)
			}
		}
		if got != want {
			t.Fatalf("the days count %s together, elapsed are %s: %+v", got, want, days)
		}
	})
}
