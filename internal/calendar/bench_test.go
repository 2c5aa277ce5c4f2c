package calendar_test

import (
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

func twelveYears(b *testing.B, spec calendar.Spec) *calendar.Calendar {
	b.Helper()
	c, err := calendar.Compile(spec, at("2026-01-01T00:00:00Z"), at("2038-01-01T00:00:00Z"))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// A deadline ten years away costs about what one tomorrow costs. The hours are
// those of a 7-hour office day, so that ten years are 2,600 such days.
func BenchmarkDeadline(b *testing.B) {
	c := twelveYears(b, office())
	start := at("2026-05-04T07:30:00Z")
	paused := pauses("2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z", "2026-05-06T08:00:00Z", "2026-05-07T09:00:00Z")
	for _, run := range []struct {
		name   string
		d      time.Duration
		pauses []calendar.Interval
	}{
		{"one day", 7 * time.Hour, nil},
		{"ten years", 2600 * 7 * time.Hour, nil},
		{"one day, two pauses", 7 * time.Hour, paused},
		{"ten years, two pauses", 2600 * 7 * time.Hour, paused},
	} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Deadline(start, run.d, run.pauses...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkElapsed(b *testing.B) {
	c := twelveYears(b, office())
	start := at("2026-05-04T07:30:00Z")
	for _, run := range []struct {
		name string
		end  time.Time
	}{{"one day", start.AddDate(0, 0, 1)}, {"ten years", start.AddDate(10, 0, 0)}} {
		b.Run(run.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Elapsed(start, run.end); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, spec := range map[string]calendar.Spec{
		"office, twelve years": office(),
		"always, twelve years": {Zone: "Europe/Berlin", Always: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				twelveYears(b, spec)
			}
		})
	}
}
