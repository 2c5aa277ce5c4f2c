// Package due answers when a promise that is made at an instant falls due, and why.
package due

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// Question asks about one promise.
type Question struct {
	Agreement *agreement.Agreement
	Roster    *agreement.Roster // nil when nobody in particular has the lead
	Clock     string            // its name
	Rep       string            // who has the lead; needed when the promise runs on his hours
	// At is RFC 3339, or a local time of the promise's own zone: 2026-11-27 16:20.
	At string
}

// Answer says when, and how that comes.
type Answer struct {
	Clock    string        `json:"clock"`
	Within   time.Duration `json:"within_ns"`
	Calendar string        `json:"calendar"`
	Zone     string        `json:"zone"`
	// TZData is the release of the zone data by which it was computed.
	TZData   string    `json:"tzdata"`
	At       time.Time `json:"at"`
	Due      time.Time `json:"due"`
	Warnings []Warning `json:"warnings,omitempty"`
	Days     []Day     `json:"days"`
}

// Warning is the instant at which that percentage of the promised time has passed.
type Warning struct {
	Percent int       `json:"percent"`
	At      time.Time `json:"at"`
}

// Day is what one local date gave.
type Day struct {
	Date    string        `json:"date"` // 2026-11-27
	Weekday string        `json:"weekday"`
	Hours   []string      `json:"hours"` // 09:00-17:00
	Rule    calendar.Rule `json:"rule"`
	Breaks  bool          `json:"breaks,omitempty"`
	Counted time.Duration `json:"counted_ns"`
	Shift   time.Duration `json:"shift_ns,omitempty"` // of the zone's offset
}

// years is for how long after the year in which it begins a promise may run, as handoff compiles hours.
const years = 10

// Ask answers. The error says what the question lacks.
func Ask(q Question) (Answer, error) {
	promise, err := q.promise()
	if err != nil {
		return Answer{}, err
	}
	spec, err := q.hours(promise)
	if err != nil {
		return Answer{}, err
	}
	at, err := moment(q.At, spec.Zone)
	if err != nil {
		return Answer{}, err
	}
	from := time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	hours, err := calendar.Compile(spec, from, from.AddDate(years, 0, 0))
	if err != nil {
		return Answer{}, err
	}
	c, err := clock.Start(promise, hours, at)
	if err != nil {
		return Answer{}, err
	}
	days, err := calendar.Account(spec, at, c.DueAt)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{
		Clock: promise.Name, Within: promise.Within, Calendar: spec.Name, Zone: spec.Zone, TZData: calendar.TZDataVersion(),
		At: at, Due: c.DueAt,
	}
	for _, d := range days {
		a.Days = append(a.Days, told(d))
	}
	for c.WakeAt.Before(c.DueAt) {
		looked := c.WakeAt
		if c, _, err = clock.Step(promise, hours, c, clock.Passed, looked); err != nil {
			return Answer{}, err
		}
		a.Warnings = append(a.Warnings, Warning{c.Warned, looked})
	}
	return a, nil
}

func (q Question) promise() (agreement.Clock, error) {
	var names []string
	for _, c := range append(slices.Clone(q.Agreement.Clocks), q.Agreement.Handoff.Unassigned) {
		if c.Name == q.Clock {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return agreement.Clock{}, fmt.Errorf("the agreement has no clock %q: choose one of %s", q.Clock, strings.Join(names, ", "))
}

func (q Question) hours(promise agreement.Clock) (calendar.Spec, error) {
	r, own := q.Roster, ""
	if promise.Calendar == agreement.RepHours && (r == nil || q.Rep == "") {
		return calendar.Spec{}, fmt.Errorf("the clock %q runs on the hours of the rep who has the lead: give --roster and --rep", promise.Name)
	}
	if r == nil {
		r = &agreement.Roster{}
	}
	if q.Rep != "" {
		at := slices.IndexFunc(r.Reps, func(rep agreement.Rep) bool { return rep.ID == q.Rep })
		if at < 0 {
			return calendar.Spec{}, fmt.Errorf("the roster has no rep %q", q.Rep)
		}
		own = r.Reps[at].Calendar
	}
	spec, _ := q.Agreement.HoursOf(promise, r, own)
	return spec, nil
}

// moment reads an instant. A local time that does not exist, or happens twice, is refused: a person must say which he means.
func moment(s, zone string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC().Truncate(time.Microsecond), nil
	}
	where, err := calendar.LoadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		reading, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		var found []time.Time
		for _, near := range []time.Time{reading.AddDate(0, 0, -1), reading.AddDate(0, 0, 1)} {
			_, offset := near.In(where).Zone()
			t := reading.Add(-time.Duration(offset) * time.Second)
			if t.In(where).Format(form) == s && !slices.ContainsFunc(found, t.Equal) {
				found = append(found, t)
			}
		}
		switch len(found) {
		case 0:
			return time.Time{}, fmt.Errorf("%s does not exist in %s, because the clocks go forward over it", s, zone)
		case 1:
			return found[0], nil
		}
		return time.Time{}, fmt.Errorf("%s happens twice in %s: write %s or %s",
			s, zone, found[0].In(where).Format(time.RFC3339), found[1].In(where).Format(time.RFC3339))
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-27T16:20:00-05:00, or 2026-11-27 16:20 in the promise's own zone, %s", s, zone)
}

func told(d calendar.Day) Day {
	day := Day{
		Date: d.Date.String(), Weekday: time.Date(d.Date.Year, d.Date.Month, d.Date.Day, 0, 0, 0, 0, time.UTC).Weekday().String(),
		Hours: []string{}, Rule: d.Rule, Breaks: d.Breaks, Counted: d.Counted, Shift: d.Shift,
	}
	for _, s := range d.Hours {
		day.Hours = append(day.Hours, s.String())
	}
	return day
}
