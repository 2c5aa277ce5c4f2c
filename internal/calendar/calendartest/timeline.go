// Package calendartest holds a second, slow opinion on business time: a walk from
// minute to minute that shares no arithmetic with the compiled calendar. Tests and
// tools compare the two.
package calendartest

import (
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Timeline knows for each minute of a stretch whether a calendar is open. Every
// edge must lie on a full minute: no seconds in the hours, and no offsets with
// seconds, as zones had them before 1973.
type Timeline struct {
	zone    *time.Location
	from    time.Time
	open    []bool
	date    []calendar.Date // the date whose hours hold in that minute
	reading []time.Time     // the local clock, written down as if it were UTC
}

// Walk visits every minute of [from, to), which lie on full minutes.
//
// It reads the hours off a local clock that never runs backward: while the real
// one repeats an hour, this one stands still. That is what "a local time that
// happens twice is the first" comes to, and it needs no search for edges.
func Walk(spec calendar.Spec, zone *time.Location, from, to time.Time) *Timeline {
	t := &Timeline{zone: zone, from: from}
	var highest time.Time
	for m := from.AddDate(0, 0, -2); m.Before(to); m = m.Add(time.Minute) {
		local := m.In(zone)
		year, month, day := local.Date()
		reading := time.Date(year, month, day, local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
		if reading.After(highest) {
			highest = reading
		}
		if m.Before(from) {
			continue
		}
		year, month, day = highest.Date()
		date := calendar.Date{Year: year, Month: month, Day: day}
		clock := calendar.Clock(highest.Hour()*3600 + highest.Minute()*60)
		t.open = append(t.open, isOpen(spec, date, highest.Weekday(), clock))
		t.date = append(t.date, date)
		t.reading = append(t.reading, highest)
	}
	return t
}

// IsOpen tells whether an instant of the stretch is open.
func (t *Timeline) IsOpen(at time.Time) bool { return t.open[t.minute(at)] }

// Deadline walks until d of open, unpaused time has passed; false when the
// stretch ends before.
func (t *Timeline) Deadline(start time.Time, d time.Duration, pauses ...calendar.Interval) (time.Time, bool) {
	for at := start; t.minute(at) < len(t.open); {
		next := t.step(at, pauses)
		if t.open[t.minute(at)] && !paused(at, pauses) {
			if d <= next.Sub(at) {
				return at.Add(d), true
			}
			d -= next.Sub(at)
		}
		at = next
	}
	return time.Time{}, false
}

// Elapsed walks from start to end and adds up what is open and unpaused.
func (t *Timeline) Elapsed(start, end time.Time, pauses ...calendar.Interval) time.Duration {
	var sum time.Duration
	for at := start; at.Before(end); {
		next := t.step(at, pauses)
		if next.After(end) {
			next = end
		}
		if t.open[t.minute(at)] && !paused(at, pauses) {
			sum += next.Sub(at)
		}
		at = next
	}
	return sum
}

// NextClose walks to the first open minute and on to its end.
func (t *Timeline) NextClose(at time.Time) (time.Time, bool) {
	for i, opened := t.minute(at), false; i < len(t.open); i++ {
		if opened && !t.open[i] {
			return t.from.Add(time.Duration(i) * time.Minute), true
		}
		opened = opened || t.open[i]
	}
	return time.Time{}, false
}

// AddDays walks to the n-th later date with open time, to the local time of day
// there, and to the next opening.
func (t *Timeline) AddDays(at time.Time, n int) (time.Time, bool) {
	if n == 0 {
		return t.Deadline(at, 0)
	}
	year, month, day := at.In(t.zone).Date()
	last := calendar.Date{Year: year, Month: month, Day: day}
	for i := range t.open {
		if !t.open[i] || compare(t.date[i], last) <= 0 {
			continue
		}
		last = t.date[i]
		if n--; n == 0 {
			break
		}
	}
	if n > 0 {
		return time.Time{}, false
	}
	local := at.In(t.zone)
	wanted := time.Date(last.Year, last.Month, last.Day, local.Hour(), local.Minute(), 0, 0, time.UTC)
	rest := time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	for i, reading := range t.reading {
		if reading.Before(wanted) {
			continue
		}
		there := t.from.Add(time.Duration(i) * time.Minute)
		if reading.Equal(wanted) {
			there = there.Add(rest)
		}
		return t.Deadline(there, 0)
	}
	return time.Time{}, false
}

func (t *Timeline) minute(at time.Time) int { return int(at.Sub(t.from) / time.Minute) }

// step is the next full minute, or the next edge of a pause when that is nearer.
func (t *Timeline) step(at time.Time, pauses []calendar.Interval) time.Time {
	next := t.from.Add(time.Duration(t.minute(at)+1) * time.Minute)
	for _, p := range pauses {
		for _, edge := range []time.Time{p.Start, p.End} {
			if edge.After(at) && edge.Before(next) {
				next = edge
			}
		}
	}
	return next
}

func paused(at time.Time, pauses []calendar.Interval) bool {
	return slices.ContainsFunc(pauses, func(p calendar.Interval) bool {
		return !at.Before(p.Start) && at.Before(p.End)
	})
}

func isOpen(spec calendar.Spec, date calendar.Date, weekday time.Weekday, at calendar.Clock) bool {
	within := func(s calendar.Span) bool { return s.Open <= at && at < s.Close }
	if spec.Always {
		return true
	}
	if slices.Contains(spec.Holidays, date) || slices.ContainsFunc(spec.Breaks[date], within) {
		return false
	}
	if hours, ok := spec.Dates[date]; ok {
		return slices.ContainsFunc(hours, within)
	}
	return slices.ContainsFunc(spec.Weekly[weekday], within)
}

func compare(a, b calendar.Date) int {
	return (a.Year-b.Year)*10000 + int(a.Month-b.Month)*100 + a.Day - b.Day
}
