package calendar_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// 2026-05-04 is a Monday. The office of these tables is in Berlin, UTC+2 in May,
// open Monday to Friday 09:00-12:00 and 13:00-17:00, Saturday 10:00-12:00; closed
// on Friday the 1st although hours are written for it; open only 10:00-14:00 on
// Tuesday the 5th, and closed there from 11:00 to 11:30; closed on Monday the 11th.
func office() calendar.Spec {
	spec := calendar.Spec{
		Name: "office", Zone: "Europe/Berlin",
		Weekly:   map[time.Weekday][]calendar.Span{time.Saturday: spans("10:00-12:00")},
		Dates:    days(date("2026-05-05"), "10:00-14:00"),
		Breaks:   days(date("2026-05-05"), "11:00-11:30"),
		Holidays: []calendar.Date{date("2026-05-01"), date("2026-05-11")},
	}
	spec.Dates[date("2026-05-01")] = spans("08:00-20:00")
	for day := time.Monday; day <= time.Friday; day++ {
		spec.Weekly[day] = spans("09:00-12:00", "13:00-17:00")
	}
	return spec
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	c := compile(t, office())
	tests := []struct {
		name, start string
		d           time.Duration
		pauses      []calendar.Interval
		want        string
	}{
		{"within a span", "2026-05-04T07:30:00Z", time.Hour, nil, "2026-05-04T08:30:00Z"},
		{"over lunch", "2026-05-04T09:30:00Z", time.Hour, nil, "2026-05-04T11:30:00Z"},
		{"ends at lunch and stays there", "2026-05-04T07:00:00Z", 3 * time.Hour, nil, "2026-05-04T10:00:00Z"},
		{"ends at closing time and stays there", "2026-05-04T14:00:00Z", time.Hour, nil, "2026-05-04T15:00:00Z"},
		{"a microsecond more goes to the next opening", "2026-05-04T14:00:00Z", time.Hour + time.Microsecond, nil, "2026-05-05T08:00:00.000001Z"},
		{"a nanosecond counts as a microsecond", "2026-05-04T14:00:00Z", time.Hour + time.Nanosecond, nil, "2026-05-05T08:00:00.000001Z"},
		{"from closing time", "2026-05-04T15:00:00Z", time.Hour, nil, "2026-05-05T09:00:00Z"},
		{"before opening", "2026-05-04T03:00:00Z", time.Hour, nil, "2026-05-04T08:00:00Z"},
		{"microseconds are kept", "2026-05-04T07:00:00.123456Z", 90 * time.Minute, nil, "2026-05-04T08:30:00.123456Z"},
		{"hours of the date and its break", "2026-05-05T07:00:00Z", 2 * time.Hour, nil, "2026-05-05T10:30:00Z"},
		{"the date's own closing", "2026-05-05T11:00:00Z", 2 * time.Hour, nil, "2026-05-06T08:00:00Z"},
		{"a holiday beats the hours of its date", "2026-04-30T14:30:00Z", time.Hour, nil, "2026-05-02T08:30:00Z"},
		{"weekend and holiday", "2026-05-09T09:30:00Z", time.Hour, nil, "2026-05-12T07:30:00Z"},
		{"no time while open", "2026-05-04T07:00:00Z", 0, nil, "2026-05-04T07:00:00Z"},
		{"no time while closed", "2026-05-02T12:00:00Z", 0, nil, "2026-05-04T07:00:00Z"},
		{"no time at closing time", "2026-05-04T15:00:00Z", 0, nil, "2026-05-05T08:00:00Z"},

		{"a pause", "2026-05-04T07:00:00Z", time.Hour, pauses("2026-05-04T07:30:00Z", "2026-05-04T07:45:00Z"), "2026-05-04T08:15:00Z"},
		{"ends where a pause starts and stays there", "2026-05-04T07:00:00Z", time.Hour, pauses("2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z"), "2026-05-04T08:00:00Z"},
		{"a pause that began before", "2026-05-04T07:00:00Z", time.Hour, pauses("2026-05-03T07:00:00Z", "2026-05-04T07:10:00Z"), "2026-05-04T08:10:00Z"},
		{"a pause that was over before", "2026-05-04T07:00:00Z", time.Hour, pauses("2026-05-03T07:00:00Z", "2026-05-04T07:00:00Z"), "2026-05-04T08:00:00Z"},
		{"a pause while closed costs nothing", "2026-05-04T14:30:00Z", time.Hour, pauses("2026-05-04T15:00:00Z", "2026-05-05T08:00:00Z"), "2026-05-05T08:30:00Z"},
		{"a pause over closing time costs its open part", "2026-05-04T14:30:00Z", time.Hour, pauses("2026-05-04T14:45:00Z", "2026-05-05T08:15:00Z"), "2026-05-05T09:00:00Z"},
		{
			"pauses that overlap, out of order", "2026-05-04T07:00:00Z", time.Hour,
			pauses("2026-05-04T07:20:00Z", "2026-05-04T07:40:00Z", "2026-05-04T07:10:00Z", "2026-05-04T07:30:00Z", "2026-05-04T07:15:00Z", "2026-05-04T07:15:00Z"),
			"2026-05-04T08:30:00Z",
		},
		{"a pause of exact instants", "2026-05-04T07:00:00Z", time.Second, pauses("2026-05-04T07:00:00.25Z", "2026-05-04T07:00:00.500001Z"), "2026-05-04T07:00:01.250001Z"},
		{"no time while paused", "2026-05-04T07:00:00Z", 0, pauses("2026-05-04T06:00:00Z", "2026-05-04T07:30:00Z"), "2026-05-04T07:30:00Z"},
		{"no time, paused until after closing", "2026-05-04T14:00:00Z", 0, pauses("2026-05-04T14:00:00Z", "2026-05-04T15:30:00Z"), "2026-05-05T08:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Deadline(at(test.start), test.d, test.pauses...)
			if err != nil || !got.Equal(at(test.want)) {
				t.Errorf("Deadline = %s, %v; want %s", got, err, test.want)
			}
			if got.Location() != time.UTC {
				t.Errorf("Deadline is in %s, want UTC", got.Location())
			}
		})
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	c := compile(t, office())
	tests := []struct {
		name, start, end string
		pauses           []calendar.Interval
		want             time.Duration
	}{
		{"nothing", "2026-05-04T07:00:00Z", "2026-05-04T07:00:00Z", nil, 0},
		{"over lunch", "2026-05-04T09:30:00Z", "2026-05-04T11:30:00Z", nil, time.Hour},
		{"a weekend", "2026-05-09T10:00:00Z", "2026-05-12T07:00:00Z", nil, 0},
		{"a week with a short day and Saturday", "2026-05-03T22:00:00Z", "2026-05-10T22:00:00Z", nil, (4*7+3)*time.Hour + 30*time.Minute + 2*time.Hour},
		{"microseconds", "2026-05-04T07:00:00.000001Z", "2026-05-04T07:00:00.000003Z", nil, 2 * time.Microsecond},
		{"all of it a pause", "2026-05-04T07:00:00Z", "2026-05-04T08:00:00Z", pauses("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"), 0},
		{"a pause at each end", "2026-05-04T07:00:00Z", "2026-05-04T09:00:00Z", pauses("2026-05-04T06:00:00Z", "2026-05-04T07:10:00Z", "2026-05-04T08:50:00Z", "2026-05-04T10:00:00Z"), 100 * time.Minute},
		{"a pause outside", "2026-05-04T07:00:00Z", "2026-05-04T09:00:00Z", pauses("2026-05-04T09:00:00Z", "2026-05-04T10:00:00Z"), 2 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Elapsed(at(test.start), at(test.end), test.pauses...)
			if err != nil || got != test.want {
				t.Errorf("Elapsed = %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	c := compile(t, office())
	tests := []struct {
		name, at      string
		open          bool
		opens, closes string
	}{
		{"at opening", "2026-05-04T07:00:00Z", true, "2026-05-04T07:00:00Z", "2026-05-04T10:00:00Z"},
		{"just before opening", "2026-05-04T06:59:59.999999Z", false, "2026-05-04T07:00:00Z", "2026-05-04T10:00:00Z"},
		{"at lunch", "2026-05-04T10:00:00Z", false, "2026-05-04T11:00:00Z", "2026-05-04T15:00:00Z"},
		{"just before closing", "2026-05-04T14:59:59.999999Z", true, "2026-05-04T14:59:59.999999Z", "2026-05-04T15:00:00Z"},
		{"at closing", "2026-05-04T15:00:00Z", false, "2026-05-05T08:00:00Z", "2026-05-05T09:00:00Z"},
		{"in a break", "2026-05-05T09:15:00Z", false, "2026-05-05T09:30:00Z", "2026-05-05T12:00:00Z"},
		{"on a holiday with hours", "2026-05-01T10:00:00Z", false, "2026-05-02T08:00:00Z", "2026-05-02T10:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			open, err := c.IsOpen(at(test.at))
			if err != nil || open != test.open {
				t.Errorf("IsOpen = %t, %v; want %t", open, err, test.open)
			}
			opens, err := c.NextOpen(at(test.at))
			if err != nil || !opens.Equal(at(test.opens)) {
				t.Errorf("NextOpen = %s, %v; want %s", opens, err, test.opens)
			}
			closes, err := c.NextClose(at(test.at))
			if err != nil || !closes.Equal(at(test.closes)) {
				t.Errorf("NextClose = %s, %v; want %s", closes, err, test.closes)
			}
		})
	}
}

func TestAddDays(t *testing.T) {
	t.Parallel()
	c := compile(t, office())
	night := compile(t, weekly("Europe/Berlin", "00:00-06:00"))
	tests := []struct {
		name  string
		c     *calendar.Calendar
		start string
		n     int
		want  string
	}{
		{"none while open", c, "2026-05-04T08:00:00Z", 0, "2026-05-04T08:00:00Z"},
		{"none while closed", c, "2026-05-04T16:00:00Z", 0, "2026-05-05T08:00:00Z"},
		{"one", c, "2026-05-06T08:00:00Z", 1, "2026-05-07T08:00:00Z"},
		{"over weekend and holiday", c, "2026-05-08T13:00:00Z", 2, "2026-05-12T13:00:00Z"},
		{"closed then: later that day", c, "2026-05-05T10:30:00Z", 1, "2026-05-06T11:00:00Z"},
		{"closed then: the day after", c, "2026-05-08T14:00:00Z", 1, "2026-05-12T07:00:00Z"},
		{"from a closed day", c, "2026-05-03T08:00:00.5Z", 1, "2026-05-04T08:00:00.5Z"},
		{"local time is kept over a change of offset", c, "2026-10-23T08:00:00Z", 2, "2026-10-26T09:00:00Z"},
		{"a local time that does not exist moves forward", night, "2026-03-28T01:30:00.7Z", 1, "2026-03-29T01:00:00Z"},
		{"one that happens twice is the first", night, "2026-10-24T00:30:00Z", 1, "2026-10-25T00:30:00Z"},
		{"from the second of two", night, "2026-10-25T01:30:00Z", 1, "2026-10-26T01:30:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.c.AddDays(at(test.start), test.n)
			if err != nil || !got.Equal(at(test.want)) {
				t.Errorf("AddDays = %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

// Touching spans are one, at midnight and around the week.
func TestRoundTheClock(t *testing.T) {
	t.Parallel()
	always := compile(t, calendar.Spec{Name: "always", Zone: "Europe/Berlin", Always: true})
	written := compile(t, weekly("Europe/Berlin", "00:00-12:00", "12:00-24:00"))
	for _, c := range []*calendar.Calendar{always, written} {
		start := at("2026-03-28T12:34:56.789012Z")
		got, err := c.Deadline(start, 100*24*time.Hour)
		if err != nil || !got.Equal(start.Add(100*24*time.Hour)) {
			t.Errorf("%s: Deadline = %s, %v", c.Name(), got, err)
		}
		if got, err := c.AddDays(start, 1); err != nil || !got.Equal(start.Add(23*time.Hour)) {
			t.Errorf("%s: AddDays = %s, %v; want the same local time a short day later", c.Name(), got, err)
		}
		if got, err := c.NextClose(start); !errors.Is(err, calendar.ErrHorizon) {
			t.Errorf("%s: NextClose = %s, %v; want ErrHorizon: it never closes", c.Name(), got, err)
		}
	}
	shift := compile(t, calendar.Spec{Zone: "UTC", Weekly: map[time.Weekday][]calendar.Span{
		time.Saturday: spans("22:00-24:00"), time.Sunday: spans("00:00-06:00"),
	}})
	if got, err := shift.NextClose(at("2026-05-02T23:00:00Z")); err != nil || !got.Equal(at("2026-05-03T06:00:00Z")) {
		t.Errorf("NextClose of a shift over midnight = %s, %v; want 06:00", got, err)
	}
}

func TestHorizon(t *testing.T) {
	t.Parallel()
	spec := weekly("UTC", "09:00-17:00")
	spec.Name = "short"
	c, err := calendar.Compile(spec, at("2026-05-04T12:00:00Z"), at("2026-05-06T17:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	if from, to := c.Horizon(); !from.Equal(at("2026-05-04T12:00:00Z")) || !to.Equal(at("2026-05-06T17:00:00Z")) || c.Zone() != "UTC" || c.Name() != "short" {
		t.Errorf("calendar is %s in %s over %s, %s", c.Name(), c.Zone(), from, to)
	}
	first, last := at("2026-05-04T12:00:00Z"), at("2026-05-06T17:00:00Z")
	beyond := func(_ any, err error) bool {
		return errors.Is(err, calendar.ErrHorizon) && strings.Contains(err.Error(), "short")
	}
	within := map[string]func() error{
		"all of it":                  func() error { return is(last)(c.Deadline(first, 21*time.Hour)) },
		"elapsed up to its end":      func() error { return is(21 * time.Hour)(c.Elapsed(first, last)) },
		"a close at its end is real": func() error { return is(last)(c.NextClose(last.Add(-time.Hour))) },
		"a pause that outlasts it": func() error {
			return is(first.Add(time.Hour))(c.Deadline(first, time.Hour, pauses("2026-05-05T00:00:00Z", "9999-05-05T00:00:00Z")...))
		},
	}
	for name, ask := range within {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	far := time.Unix(math.MaxInt64/2, 0)
	outside := map[string]bool{
		"more than there is":        beyond(c.Deadline(first, 21*time.Hour+time.Microsecond)),
		"the longest there is":      beyond(c.Deadline(first, math.MaxInt64)),
		"start before it":           beyond(c.Deadline(first.Add(-time.Microsecond), 0)),
		"start at its end":          beyond(c.Deadline(last, 0)),
		"paused to its end":         beyond(c.Deadline(first, 0, calendar.Interval{Start: first, End: far})),
		"elapsed from before":       beyond(c.Elapsed(first.Add(-time.Microsecond), last)),
		"elapsed to after":          beyond(c.Elapsed(first, last.Add(time.Microsecond))),
		"elapsed to the far future": beyond(c.Elapsed(first, far)),
		"open at its end":           beyond(c.IsOpen(last)),
		"open in the far future":    beyond(c.IsOpen(far)),
		"open in the far past":      beyond(c.IsOpen(time.Unix(math.MinInt64/2, 0))),
		"open at the zero time":     beyond(c.IsOpen(time.Time{})),
		"close before it":           beyond(c.NextClose(first.Add(-time.Hour))),
		"days past it":              beyond(c.AddDays(first, 3)),
		"many days past it":         beyond(c.AddDays(first, math.MaxInt)),
	}
	for name, ok := range outside {
		if !ok {
			t.Errorf("%s: no ErrHorizon that names the calendar", name)
		}
	}
	always, err := calendar.Compile(calendar.Spec{Name: "short", Zone: "UTC", Always: true}, first, last)
	if err != nil {
		t.Fatal(err)
	}
	if !beyond(always.Deadline(first, 53*time.Hour+time.Microsecond)) || !beyond(always.AddDays(first, math.MaxInt)) {
		t.Error("a calendar that is always open answers beyond its horizon")
	}
}

func TestBackwards(t *testing.T) {
	t.Parallel()
	c := compile(t, office())
	monday := at("2026-05-04T08:00:00Z")
	_, deadline := c.Deadline(monday, -1)
	_, elapsed := c.Elapsed(monday, monday.Add(-time.Hour))
	_, added := c.AddDays(monday, -1)
	_, running := c.Deadline(monday, time.Hour, calendar.Interval{Start: monday})
	for _, err := range []error{deadline, elapsed, added, running} {
		if !errors.Is(err, calendar.ErrBackwards) {
			t.Errorf("error is %v, want ErrBackwards", err)
		}
	}
}
