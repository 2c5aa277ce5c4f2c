package calendar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func date(s string) calendar.Date {
	d, err := calendar.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func spans(texts ...string) []calendar.Span {
	var all []calendar.Span
	for _, text := range texts {
		open, end, _ := strings.Cut(text, "-")
		o, err := calendar.ParseClock(open)
		if err != nil {
			panic(err)
		}
		c, err := calendar.ParseClock(end)
		if err != nil {
			panic(err)
		}
		all = append(all, calendar.Span{Open: o, Close: c})
	}
	return all
}

func days(d calendar.Date, texts ...string) map[calendar.Date][]calendar.Span {
	return map[calendar.Date][]calendar.Span{d: spans(texts...)}
}

// weekly has the same hours on all seven days.
func weekly(zone string, texts ...string) calendar.Spec {
	spec := calendar.Spec{Name: "weekly", Zone: zone, Weekly: map[time.Weekday][]calendar.Span{}}
	for day := time.Sunday; day <= time.Saturday; day++ {
		spec.Weekly[day] = spans(texts...)
	}
	return spec
}

func pauses(edges ...string) []calendar.Interval {
	var all []calendar.Interval
	for i := 0; i < len(edges); i += 2 {
		all = append(all, calendar.Interval{Start: at(edges[i]), End: at(edges[i+1])})
	}
	return all
}

// compile takes the year around an instant as the horizon, 2026 when none is given.
func compile(t testing.TB, spec calendar.Spec, around ...string) *calendar.Calendar {
	t.Helper()
	middle := at("2026-07-01T00:00:00Z")
	if len(around) > 0 {
		middle = at(around[0])
	}
	c, err := calendar.Compile(spec, middle.AddDate(0, -6, 0), middle.AddDate(0, 6, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// is compares an answer that must come without an error.
func is[T comparable](want T) func(T, error) error {
	return func(got T, err error) error {
		if err != nil {
			return err
		}
		if a, ok := any(got).(time.Time); ok && a.Equal(any(want).(time.Time)) {
			return nil
		}
		if got != want {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	}
}
