package calendar_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/calendar/calendartest"
)

// zones have, between them, every habit that a local clock is known for: no
// change, half and quarter hours, changes of 30 minutes and of two hours, changes at
// midnight and just after it, a date skipped, rules dropped and taken up again.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "America/Santiago",
	"America/Havana", "America/Asuncion", "America/Caracas", "America/Scoresbysund", "America/Nuuk", "Atlantic/Azores",
	"Africa/Cairo", "Africa/Casablanca", "Africa/Juba", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu",
	"Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran", "Asia/Tokyo", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Istanbul",
	"Europe/Moscow", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Norfolk",
}

// place is a zone and a full minute in it, by preference near a change of offset.
func place(t *rapid.T) (*time.Location, time.Time) {
	zone, err := calendar.LoadZone(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	first, last := at("1990-01-10T00:00:00Z"), at("2045-01-01T00:00:00Z")
	minute := first.Add(time.Duration(rapid.Int64Range(0, int64(last.Sub(first)/time.Minute)).Draw(t, "minute")) * time.Minute)
	if change, _ := minute.In(zone).ZoneBounds(); change.After(first) && rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
		minute = change.UTC()
	}
	return zone, minute
}

// written is a calendar with hours, dates, breaks and holidays around an instant.
func written(t *rapid.T, zone *time.Location, around time.Time) calendar.Spec {
	day := rapid.Custom(func(t *rapid.T) []calendar.Span {
		quarters := rapid.SliceOfNDistinct(rapid.IntRange(0, 96), 0, 6, rapid.ID[int]).Draw(t, "edges")
		if len(quarters) < 2 {
			return nil
		}
		var spans []calendar.Span
		for i := 0; i+1 < len(quarters); i += 2 {
			open, end := min(quarters[i], quarters[i+1]), max(quarters[i], quarters[i+1])
			spans = append(spans, calendar.Span{Open: calendar.Clock(open * 900), Close: calendar.Clock(end * 900)})
		}
		return spans
	})
	near := rapid.Custom(func(t *rapid.T) calendar.Date {
		year, month, day := around.In(zone).AddDate(0, 0, rapid.IntRange(-3, 3).Draw(t, "days off")).Date()
		return calendar.Date{Year: year, Month: month, Day: day}
	})
	spec := calendar.Spec{
		Name: "drawn", Zone: zone.String(), Weekly: map[time.Weekday][]calendar.Span{},
		Dates:    rapid.MapOfN(near, day, 0, 3).Draw(t, "dates"),
		Breaks:   rapid.MapOfN(near, day, 0, 2).Draw(t, "breaks"),
		Holidays: rapid.SliceOfN(near, 0, 2).Draw(t, "holidays"),
	}
	for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
		spec.Weekly[weekday] = day.Draw(t, weekday.String())
	}
	if len(spec.Weekly[time.Wednesday]) == 0 {
		spec.Weekly[time.Wednesday] = []calendar.Span{{Open: 0, Close: calendar.Midnight}}
	}
	if rapid.IntRange(0, 19).Draw(t, "always") == 0 {
		return calendar.Spec{Name: "drawn", Zone: zone.String(), Always: true}
	}
	return spec
}

func moment(t *rapid.T, from time.Time, within time.Duration, label string) time.Time {
	step := time.Microsecond
	if rapid.Bool().Draw(t, label+" on the quarter") {
		step = 15 * time.Minute
	}
	return from.Add(time.Duration(rapid.Int64Range(0, max(0, int64(within/step)-1)).Draw(t, label)) * step)
}

func drawnPauses(t *rapid.T, from time.Time, within time.Duration) []calendar.Interval {
	var all []calendar.Interval
	for range rapid.IntRange(0, 4).Draw(t, "pauses") {
		start := moment(t, from, within, "pause")
		all = append(all, calendar.Interval{Start: start, End: moment(t, start, 12*time.Hour, "until")})
	}
	return all
}

func duration(t *rapid.T, most time.Duration) time.Duration {
	step := rapid.SampledFrom([]time.Duration{time.Microsecond, 15 * time.Minute, time.Hour}).Draw(t, "step")
	return time.Duration(rapid.Int64Range(0, int64(most/step)).Draw(t, "duration")) * step
}

// Every answer is the one that a walk from minute to minute comes to.
func agreesWithWalk(t *rapid.T) {
	const stretch = 10 * 24 * time.Hour
	zone, middle := place(t)
	from := middle.Add(-4 * 24 * time.Hour)
	spec := written(t, zone, middle)
	walk := calendartest.Walk(spec, zone, from, from.Add(stretch))
	c, err := calendar.Compile(spec, from, from.Add(stretch))
	if err != nil {
		t.Fatal(err)
	}
	start := moment(t, from, stretch, "start")
	stops := drawnPauses(t, from, stretch)
	same := func(what string, got time.Time, err error, want time.Time, ok bool) {
		t.Helper()
		// What the walk finds at the very end it cannot tell from what comes after.
		if !ok && (errors.Is(err, calendar.ErrHorizon) || got.Equal(from.Add(stretch))) {
			return
		}
		if err != nil || !ok || !got.Equal(want) {
			t.Fatalf("%s from %s: %s, %v; the walk says %s, %t", what, start, got, err, want, ok)
		}
	}

	open, err := c.IsOpen(start)
	if err != nil || open != walk.IsOpen(start) {
		t.Fatalf("IsOpen(%s) = %t, %v", start, open, err)
	}
	got, err := c.NextClose(start)
	want, ok := walk.NextClose(start)
	same("NextClose", got, err, want, ok)

	d := duration(t, 40*time.Hour)
	got, err = c.Deadline(start, d, stops...)
	want, ok = walk.Deadline(start, d, stops...)
	same("Deadline", got, err, want, ok)

	n := rapid.IntRange(0, 6).Draw(t, "working days")
	got, err = c.AddDays(start, n)
	want, ok = walk.AddDays(start, n)
	same("AddDays", got, err, want, ok)

	end := moment(t, start, from.Add(stretch).Sub(start), "end")
	elapsed, err := c.Elapsed(start, end, stops...)
	if want := walk.Elapsed(start, end, stops...); err != nil || elapsed != want {
		t.Fatalf("Elapsed from %s to %s: %s, %v; the walk says %s", start, end, elapsed, err, want)
	}
}

func TestAgreesWithWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, agreesWithWalk)
}

func FuzzAgreesWithWalk(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agreesWithWalk)) }

// The laws that bind the questions to each other, over years.
func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const years = 6 * 365 * 24 * time.Hour
		zone, middle := place(t)
		c, err := calendar.Compile(written(t, zone, middle), middle.Add(-years), middle.Add(years))
		if err != nil {
			t.Fatal(err)
		}
		start := moment(t, middle.Add(-7*24*time.Hour), 14*24*time.Hour, "start")
		stops := drawnPauses(t, middle.Add(-7*24*time.Hour), 14*24*time.Hour)
		// The drawn calendar may have as little as a quarter of an hour in a week.
		d := duration(t, 48*time.Hour)
		deadline := func(start time.Time, d time.Duration) time.Time {
			due, err := c.Deadline(start, d, stops...)
			if err != nil {
				t.Fatal(err)
			}
			return due
		}
		elapsed := func(start, end time.Time) time.Duration {
			sum, err := c.Elapsed(start, end, stops...)
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}

		due := deadline(start, d)
		if got := elapsed(start, due); got != d {
			t.Fatalf("inverse: %s passes between %s and its deadline %s, want %s", got, start, due, d)
		}
		if d > 0 {
			if got := elapsed(start, due.Add(-time.Microsecond)); got != d-time.Microsecond {
				t.Fatalf("earliest: a microsecond before %s already %s of %s has passed", due, got, d)
			}
		}
		if later := deadline(start, d+time.Microsecond); !later.After(due) {
			t.Fatalf("monotone in time: %s more ends at %s, not after %s", time.Microsecond, later, due)
		}
		next := moment(t, start, 72*time.Hour, "later start")
		if deadline(next, d).Before(due) {
			t.Fatalf("monotone in start: started at %s it ends before %s", next, due)
		}
		more := duration(t, 24*time.Hour)
		if again := deadline(due, more); more > 0 && !again.Equal(deadline(start, d+more)) {
			t.Fatalf("additive: %s and then %s ends at %s, together at %s", d, more, again, deadline(start, d+more))
		}
		end := moment(t, next, 72*time.Hour, "end")
		if elapsed(start, next)+elapsed(next, end) != elapsed(start, end) {
			t.Fatalf("additive: %s + %s is not %s", elapsed(start, next), elapsed(next, end), elapsed(start, end))
		}
		if open, err := c.IsOpen(deadline(start, 0)); err != nil || !open {
			t.Fatalf("no time at all ends at %s, open %t, %v", deadline(start, 0), open, err)
		}
	})
}

// Round the clock is one calendar, whichever way it is written.
func TestAlwaysIsEveryHourOfTheWeek(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, middle := place(t)
		from, to := middle.AddDate(0, 0, -20), middle.AddDate(0, 0, 20)
		always, err := calendar.Compile(calendar.Spec{Zone: zone.String(), Always: true}, from, to)
		if err != nil {
			t.Fatal(err)
		}
		week, err := calendar.Compile(weekly(zone.String(), "00:00-24:00"), from, to)
		if err != nil {
			t.Fatal(err)
		}
		start := moment(t, middle.AddDate(0, 0, -4), 8*24*time.Hour, "start")
		n := rapid.IntRange(0, 24).Draw(t, "days")
		a, errA := always.AddDays(start, n)
		b, errB := week.AddDays(start, n)
		if !a.Equal(b) || errors.Is(errA, calendar.ErrHorizon) != errors.Is(errB, calendar.ErrHorizon) {
			t.Fatalf("%d days after %s: %s, %v and %s, %v", n, start, a, errA, b, errB)
		}
		d := duration(t, 14*24*time.Hour)
		due, err := always.Deadline(start, d)
		if err != nil || !due.Equal(start.Add(d)) {
			t.Fatalf("%s after %s: %s, %v", d, start, due, err)
		}
	})
}
