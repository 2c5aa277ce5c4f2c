// Package calendar is the algebra of business time: when a promise falls due,
// how much of it has passed, when work next opens.
//
// A calendar is compiled once over a stated horizon into sorted open intervals
// with prefix sums; every question is then a binary search, so that a deadline
// ten years away costs what one tomorrow costs. What lies beyond the horizon is
// ErrHorizon, never a guess. The conventions:
//
//   - Spans are [open, close): at closing time it is closed.
//   - A deadline that falls exactly on closing time, or on the start of a pause, stays there.
//   - No time at all, asked for while closed or paused, moves to the next instant that is neither.
//   - An open day across a change of offset has its real length.
//   - A local time stands for the earliest instant at which the local clock reads it
//     or later: one that does not exist moves forward to the end of the gap, one
//     that happens twice is the first.
//   - Hours for a date replace the weekly ones, breaks are taken out of either, a holiday beats all.
//   - Spans that touch, also at midnight, are one.
//   - Pauses are exact instants; they may overlap and come in any order.
//   - Time has microseconds: instants are cut to them, a duration is rounded up to them.
package calendar

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"
)

var (
	// ErrHorizon marks a question whose answer lies outside the compiled horizon.
	ErrHorizon = errors.New("beyond the calendar's horizon")
	// ErrBackwards marks a question that runs against time: an end before its
	// start, a duration or a number of days below zero.
	ErrBackwards = errors.New("time would run backwards")
)

const (
	day = int64(24 * time.Hour / time.Microsecond)
	// longest bounds the horizon, and with it the size of an index.
	longest = 100 * 366 * 24 * time.Hour
)

// Calendar is a compiled Spec. It never changes and may be shared by goroutines.
type Calendar struct {
	name, zone string
	from, to   int64 // the horizon, microseconds
	wall       wallClock
	open       *index  // reaches a day past the horizon, so that a real close at its end is known
	days       []int32 // numbers of the dates that have open time, sorted; nil when all have
}

// Compile builds the index of a calendar over the horizon [from, to).
// Errors: ErrNoHours, ErrZone, or what Spec.Check finds.
func Compile(spec Spec, from, to time.Time) (*Calendar, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	zone, err := LoadZone(spec.Zone)
	if err != nil {
		return nil, fmt.Errorf("compile calendar %q: %w", spec.Name, err)
	}
	if !from.Before(to) || from.Year() < 1 || to.Year() > 9999 || to.Sub(from) > longest {
		return nil, fmt.Errorf("compile calendar %q from %s to %s: a horizon runs forward, at most 100 years",
			spec.Name, stamp(from), stamp(to))
	}
	c := &Calendar{name: spec.Name, zone: spec.Zone, from: from.UnixMicro(), to: to.UnixMicro()}
	c.wall = newWallClock(zone, from.AddDate(0, 0, -3), to.AddDate(0, 0, 3))
	if spec.Always && !c.wall.skipsDate() {
		c.open = newIndex(1)
		c.open.add(c.from-day, c.to+day)
		return c, nil
	}
	c.compile(newPlan(spec))
	return c, nil
}

// Name is the name in the spec.
func (c *Calendar) Name() string { return c.name }

// Zone is the IANA name in the spec.
func (c *Calendar) Zone() string { return c.zone }

// Horizon is the stretch [from, to) that the calendar was compiled over, in UTC.
func (c *Calendar) Horizon() (from, to time.Time) { return instant(c.from), instant(c.to) }

// Deadline is the earliest instant by which d of open time outside the pauses has
// passed since start. Zero d gives start when it is open and not paused, else the
// next such instant. It is in UTC. Errors: ErrHorizon, ErrBackwards.
func (c *Calendar) Deadline(start time.Time, d time.Duration, pauses ...Interval) (time.Time, error) {
	if d < 0 {
		return time.Time{}, fmt.Errorf("calendar %q: deadline of %s: %w", c.name, d, ErrBackwards)
	}
	if err := c.covers(start); err != nil {
		return time.Time{}, err
	}
	stops, err := c.stops(pauses)
	if err != nil {
		return time.Time{}, err
	}
	at := start.UnixMicro()
	if d == 0 {
		return c.opening(at, stops)
	}
	work := c.open.worked(at) + int64((d-1)/time.Microsecond) + 1
	for _, s := range stops {
		if s.end <= at {
			continue
		}
		before := c.open.worked(max(s.start, at))
		if before >= work {
			break
		}
		work += c.open.worked(s.end) - before
	}
	due, ok := c.open.reach(work)
	if !ok || due > c.to {
		return time.Time{}, c.beyond(fmt.Sprintf("%s of open time since %s end later", d, stamp(start)))
	}
	return instant(due), nil
}

// Elapsed is the open time outside the pauses between two instants. Both may be
// the end of the horizon. Errors: ErrHorizon, ErrBackwards.
func (c *Calendar) Elapsed(start, end time.Time, pauses ...Interval) (time.Duration, error) {
	a, b := c.micro(start), c.micro(end)
	switch {
	case a > b:
		return 0, fmt.Errorf("calendar %q: time from %s to %s: %w", c.name, stamp(start), stamp(end), ErrBackwards)
	case a < c.from || b > c.to:
		return 0, c.beyond(fmt.Sprintf("the time from %s to %s is not all inside", stamp(start), stamp(end)))
	}
	stops, err := c.stops(pauses)
	if err != nil {
		return 0, err
	}
	work := c.open.worked(b) - c.open.worked(a)
	for _, s := range stops {
		if s.end > a && s.start < b {
			work -= c.open.worked(min(s.end, b)) - c.open.worked(max(s.start, a))
		}
	}
	return time.Duration(work) * time.Microsecond, nil
}

// NextOpen is t when it is open, else the next opening. Errors: ErrHorizon.
func (c *Calendar) NextOpen(t time.Time) (time.Time, error) { return c.Deadline(t, 0) }

// NextClose is the end of the open interval that t lies in, else of the next one.
// Errors: ErrHorizon, also where the calendar does not close within the horizon.
func (c *Calendar) NextClose(t time.Time) (time.Time, error) {
	if err := c.covers(t); err != nil {
		return time.Time{}, err
	}
	i, ok := c.open.next(t.UnixMicro())
	if !ok || c.open.end(i) > c.to {
		return time.Time{}, c.beyond(fmt.Sprintf("it does not close between %s and then", stamp(t)))
	}
	return instant(c.open.end(i)), nil
}

// IsOpen tells whether t is open. Errors: ErrHorizon.
func (c *Calendar) IsOpen(t time.Time) (bool, error) {
	if err := c.covers(t); err != nil {
		return false, err
	}
	i, ok := c.open.next(t.UnixMicro())
	return ok && c.open.starts[i] <= t.UnixMicro(), nil
}

// AddDays goes to the n-th working day after the local date of t, at the same
// local time, and from there to the next opening when that is closed. A working
// day is a date with open time. Zero days is NextOpen. Errors: ErrHorizon,
// ErrBackwards.
func (c *Calendar) AddDays(t time.Time, n int) (time.Time, error) {
	if n < 0 {
		return time.Time{}, fmt.Errorf("calendar %q: add %d working days: %w", c.name, n, ErrBackwards)
	}
	if err := c.covers(t); err != nil || n == 0 {
		if err != nil {
			return time.Time{}, err
		}
		return c.NextOpen(t)
	}
	reading := c.wall.read(t.UnixMicro())
	today := floorDiv(reading, day)
	date, ok := c.workday(today, n)
	if !ok {
		return time.Time{}, c.beyond(fmt.Sprintf("%d working days after %s end later", n, stamp(t)))
	}
	at := c.wall.instant(date*day + reading - today*day)
	if at >= c.to {
		return time.Time{}, c.beyond(fmt.Sprintf("%d working days after %s end later", n, stamp(t)))
	}
	return c.opening(at, nil)
}

// compile fills index and days from a day before the horizon to a day after it.
func (c *Calendar) compile(hours plan) {
	first, last := floorDiv(c.wall.read(c.from), day)-1, floorDiv(c.wall.read(c.to), day)+1
	size := int(last - first + 1)
	c.open = newIndex(2 * size)
	c.days = make([]int32, 0, size)
	for date := first; date <= last; date++ {
		working := false
		for _, span := range hours.on(date) {
			start := c.wall.instant(date*day + int64(span.Open)*1e6)
			end := c.wall.instant(date*day + int64(span.Close)*1e6)
			// A span inside a gap never happens.
			if start < end {
				c.open.add(start, end)
				working = true
			}
		}
		if working {
			c.days = append(c.days, int32(date))
		}
	}
}

// workday is the n-th working day after a date; n is at least 1.
func (c *Calendar) workday(date int64, n int) (int64, bool) {
	if c.days == nil {
		return date + int64(n), int64(n) <= (c.to-c.from)/day+1
	}
	after := sort.Search(len(c.days), func(i int) bool { return int64(c.days[i]) > date })
	if n > len(c.days)-after {
		return 0, false
	}
	return int64(c.days[after+n-1]), true
}

// opening is the first instant from at on that is open and not paused.
func (c *Calendar) opening(at int64, stops []stop) (time.Time, error) {
	asked := at
	for {
		i, ok := c.open.next(at)
		if !ok {
			break
		}
		at = max(at, c.open.starts[i])
		for len(stops) > 0 && stops[0].end <= at {
			stops = stops[1:]
		}
		if at >= c.to {
			break
		}
		if len(stops) == 0 || at < stops[0].start {
			return instant(at), nil
		}
		at = stops[0].end
	}
	return time.Time{}, c.beyond(fmt.Sprintf("nothing is open and unpaused between %s and then", stamp(instant(asked))))
}

func (c *Calendar) covers(t time.Time) error {
	if at := c.micro(t); at < c.from || at >= c.to {
		return c.beyond(fmt.Sprintf("%s lies outside", stamp(t)))
	}
	return nil
}

func (c *Calendar) beyond(what string) error {
	from, to := c.Horizon()
	return fmt.Errorf("calendar %q is compiled from %s to %s: %s; compile it over a longer horizon: %w",
		c.name, stamp(from), stamp(to), what, ErrHorizon)
}

// micro is t in microseconds; what is too far away to be counted in them is just
// outside the horizon.
func (c *Calendar) micro(t time.Time) int64 {
	switch year := t.Year(); {
	case year < 0:
		return math.MinInt64
	case year > 10000:
		return math.MaxInt64
	}
	return t.UnixMicro()
}

func instant(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
