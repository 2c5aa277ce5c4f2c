package calendar

import (
	"fmt"
	"slices"
	"time"
)

// Rule names what decides the hours of a date.
type Rule string

// The rules, the weakest first.
const (
	Weekly  Rule = "weekly"  // the hours of an ordinary week
	Dated   Rule = "date"    // hours for that date
	Holiday Rule = "holiday" // closed, whatever else is said
	Always  Rule = "always"  // round the clock
)

// Day is what one date of the local calendar gives to a stretch of time, and why.
type Day struct {
	Date Date
	// Hours of the date, breaks taken out; none when it is closed all day. For a round-the-clock calendar the whole day.
	Hours []Span
	Rule  Rule
	// Breaks says that the date has breaks of its own.
	Breaks bool
	// Counted is the open time of the date within the stretch.
	Counted time.Duration
	// Shift is by how much the clocks are set forward on that date, back when below zero; on most dates zero.
	Shift time.Duration
}

// Account tells date by date what the calendar gives to the time [from, to), for a person who asks why a promise fell due when it
// did. It steps through the dates. Errors: those of Compile, and ErrBackwards.
func Account(spec Spec, from, to time.Time) ([]Day, error) {
	if to.Before(from) {
		return nil, fmt.Errorf("calendar %q: time from %s to %s: %w", spec.Name, stamp(from), stamp(to), ErrBackwards)
	}
	const margin = 3 * 24 * time.Hour
	c, err := Compile(spec, from.Add(-margin), to.Add(margin))
	if err != nil {
		return nil, err
	}
	hours := newPlan(spec)
	a, b := from.UnixMicro(), to.UnixMicro()
	var days []Day
	for number := floorDiv(c.wall.read(a), day); ; number++ {
		start, end := c.wall.instant(number*day), c.wall.instant((number+1)*day)
		if len(days) > 0 && start >= b {
			return days, nil
		}
		date := dateOf(number)
		days = append(days, Day{
			Date: date, Hours: hours.on(number), Rule: spec.rule(date), Breaks: len(spec.Breaks[date]) > 0,
			Counted: time.Duration(c.open.worked(min(end, b))-c.open.worked(max(start, a))) * time.Microsecond,
			Shift:   time.Duration(c.wall.offset[c.wall.period(end)]-c.wall.offset[c.wall.period(start)]) * time.Microsecond,
		})
		if end >= b {
			return days, nil
		}
	}
}

// rule is what decides the hours of a date.
func (s Spec) rule(date Date) Rule {
	_, dated := s.Dates[date]
	switch {
	case s.Always:
		return Always
	case slices.Contains(s.Holidays, date):
		return Holiday
	case dated:
		return Dated
	}
	return Weekly
}
