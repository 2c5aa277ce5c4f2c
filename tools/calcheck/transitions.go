package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/calendar/calendartest"
)

// transition is one change of offset. Local times are held as if they were UTC.
type transition struct {
	zone          string
	at            time.Time     // the instant of the change
	before, after time.Time     // what the local clock reads at it, by the old offset and by the new
	shift         time.Duration // how far the clock jumps; below zero when it is set back
	location      *time.Location
}

func checkTransitions(path string) (ran int, fails []failure, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return 0, nil, fmt.Errorf("read transitions %s: %w", path, err)
	}
	if len(rows) < 2 || len(rows[0]) != 8 {
		return 0, nil, fmt.Errorf("read transitions %s: want a header and rows of 8 columns", path)
	}
	for i, row := range rows[1:] {
		id := row[0] + " " + row[1]
		t, err := parse(row)
		if err != nil {
			return 0, nil, fmt.Errorf("read transitions %s, row %d: %w", path, i+2, err)
		}
		for _, check := range []func() error{t.offsets, t.edges, t.length, t.walk} {
			if err := check(); err != nil {
				fails = append(fails, failure{id, err.Error()})
			}
		}
	}
	return len(rows) - 1, fails, nil
}

func parse(row []string) (transition, error) {
	t := transition{zone: row[0]}
	minutes, err := strconv.Atoi(row[5])
	if err != nil {
		return t, err
	}
	t.shift = time.Duration(minutes) * time.Minute
	if row[4] == "overlap" {
		t.shift = -t.shift
	} else if row[4] != "gap" {
		return t, fmt.Errorf("kind %q is neither gap nor overlap", row[4])
	}
	if t.at, err = time.Parse(time.RFC3339, row[1]); err != nil {
		return t, err
	}
	if t.before, err = time.Parse("2006-01-02T15:04:05", row[6]); err != nil {
		return t, err
	}
	if t.after, err = time.Parse("2006-01-02T15:04:05", row[7]); err != nil {
		return t, err
	}
	if t.after.Sub(t.before) != t.shift {
		return t, fmt.Errorf("local times are %s apart, not %s", t.after.Sub(t.before), t.shift)
	}
	t.location, err = calendar.LoadZone(t.zone)
	return t, err
}

// offsets: the program's zone data knows the change.
func (t transition) offsets() error {
	for _, side := range []struct {
		at   time.Time
		want time.Duration
	}{{t.at.Add(-time.Second), t.before.Sub(t.at)}, {t.at, t.after.Sub(t.at)}} {
		if _, got := side.at.In(t.location).Zone(); time.Duration(got)*time.Second != side.want {
			return fmt.Errorf("offset at %s is %d s, want %s", stamp(side.at), got, side.want)
		}
	}
	return nil
}

// edges: hours that open in the middle of what is missing open at its end, and
// hours that open in the middle of what is there twice open the first time. The
// same holds for the local time that working days lead to.
func (t transition) edges() error {
	reading := t.before.Add(t.shift / 2)
	want := t.at
	if t.shift < 0 {
		want = t.at.Add(t.shift / 2) // by the old offset, before the change
	}
	opening := spec(t.zone, calendar.Span{Open: clock(reading), Close: calendar.Midnight})
	c, err := t.compile(opening)
	if err != nil {
		return err
	}
	if got, err := c.NextOpen(midnight(t.location, t.before)); err != nil || !got.Equal(want) {
		return fmt.Errorf("hours from %s open at %s; want %s: %w", clock(reading), stamp(got), stamp(want), errOr(err))
	}
	c, err = t.compile(spec(t.zone, calendar.Span{Open: 0, Close: calendar.Midnight}))
	if err != nil {
		return err
	}
	eve := reading.AddDate(0, 0, -1).Add(-t.before.Sub(t.at)) // that local time a day earlier, by the old offset
	if got, err := c.AddDays(eve, 1); err != nil || !got.Equal(want) {
		return fmt.Errorf("a working day after %s is %s; want %s: %w", stamp(eve), stamp(got), stamp(want), errOr(err))
	}
	return nil
}

// length: the open day across the change has its real length.
func (t transition) length() error {
	c, err := t.compile(spec(t.zone, calendar.Span{Open: 0, Close: calendar.Midnight}))
	if err != nil {
		return err
	}
	first, last := midnight(t.location, t.before), midnight(t.location, t.before.AddDate(0, 0, 1))
	want := 24*time.Hour - t.shift
	if got, err := c.Elapsed(first, last); err != nil || got != want {
		return fmt.Errorf("the day lasts %s; want %s: %w", got, want, errOr(err))
	}
	if got, err := c.Deadline(first, want); err != nil || !got.Equal(last) {
		return fmt.Errorf("the day's time ends at %s; want %s: %w", stamp(got), stamp(last), errOr(err))
	}
	return nil
}

// walk: across the change, deadlines and elapsed times are those of a walk from
// minute to minute, for a night shift that holds the change and for office hours
// with a pause.
func (t transition) walk() error {
	from, to := t.at.Add(-5*24*time.Hour), t.at.Add(5*24*time.Hour)
	pause := calendar.Interval{Start: t.at.Add(-17 * time.Minute), End: t.at.Add(43*time.Minute + 123456*time.Microsecond)}
	for _, hours := range [][]calendar.Span{
		{{Open: 0, Close: 8 * 3600}, {Open: 20 * 3600, Close: calendar.Midnight}},
		{{Open: 9 * 3600, Close: 12 * 3600}, {Open: 13 * 3600, Close: 17 * 3600}},
		{{Open: clock(t.before.Add(t.shift / 2)), Close: 18 * 3600}},
	} {
		s := spec(t.zone, hours...)
		c, err := t.compile(s)
		if err != nil {
			return err
		}
		walk := calendartest.Walk(s, t.location, from, to)
		for back := time.Duration(0); back < 26*time.Hour; back += 5*time.Hour + 19*time.Minute {
			start := t.at.Add(-back)
			for _, d := range []time.Duration{0, time.Microsecond, 50 * time.Minute, 3 * time.Hour, 8 * time.Hour, 11*time.Hour + 333*time.Microsecond} {
				got, err := c.Deadline(start, d, pause)
				want, ok := walk.Deadline(start, d, pause)
				if err != nil || !ok || !got.Equal(want) {
					return fmt.Errorf("%s from %s over %s end at %s; the walk says %s: %w", d, stamp(start), hours, stamp(got), stamp(want), errOr(err))
				}
				end := t.at.Add(d)
				sum, err := c.Elapsed(start, end, pause)
				if want := walk.Elapsed(start, end, pause); err != nil || sum != want {
					return fmt.Errorf("from %s to %s over %s pass %s; the walk says %s: %w", stamp(start), stamp(end), hours, sum, want, errOr(err))
				}
			}
		}
	}
	return nil
}

func (t transition) compile(s calendar.Spec) (*calendar.Calendar, error) {
	return calendar.Compile(s, t.at.AddDate(0, 0, -30), t.at.AddDate(0, 0, 30))
}

func spec(zone string, spans ...calendar.Span) calendar.Spec {
	s := calendar.Spec{Name: "transition", Zone: zone, Weekly: map[time.Weekday][]calendar.Span{}}
	for day := time.Sunday; day <= time.Saturday; day++ {
		s.Weekly[day] = spans
	}
	return s
}

func clock(reading time.Time) calendar.Clock {
	return calendar.Clock(reading.Hour()*3600 + reading.Minute()*60 + reading.Second())
}

// midnight by the standard library; no zone of the file changes at midnight.
func midnight(zone *time.Location, reading time.Time) time.Time {
	year, month, day := reading.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, zone)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func errOr(err error) error {
	if err != nil {
		return err
	}
	return errDiffers
}
