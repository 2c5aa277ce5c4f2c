package referee

import (
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// TestDue holds the walker to due times that were worked out by hand: over weekends, holidays, and changes of the clocks.
func TestDue(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	hour := 3600
	office := Hours{Zone: zone, Dates: map[string][][2]int{
		"2026-07-03": nil,                           // a holiday, a Friday
		"2026-12-24": {{9 * hour, 12 * hour}},       // hours of its own
		"2026-12-26": {{10 * hour, 11*hour + 1800}}, // a Saturday that is open
		"2026-12-25": nil,
	}}
	for d := time.Monday; d <= time.Friday; d++ {
		office.Weekly[d] = [][2]int{{9 * hour, 12 * hour}, {13 * hour, 17 * hour}} // a break at noon
	}
	night := Hours{Zone: zone}
	for d := range night.Weekly {
		night.Weekly[d] = [][2]int{{0, 6 * hour}}
	}
	for name, c := range map[string]struct {
		hours  Hours
		start  string // local
		within time.Duration
		due    string // UTC
	}{
		"within a day":                      {office, "2026-03-04 09:30", time.Hour, "2026-03-04T15:30:00Z"},
		"over the break":                    {office, "2026-03-04 11:30", time.Hour, "2026-03-04T18:30:00Z"},
		"at the very end of a span":         {office, "2026-03-04 11:00", time.Hour, "2026-03-04T17:00:00Z"},
		"from the closing instant":          {office, "2026-03-04 17:00", time.Hour, "2026-03-05T15:00:00Z"},
		"zero while closed":                 {office, "2026-03-04 12:15", 0, "2026-03-04T18:00:00Z"},
		"over the weekend when clocks went": {office, "2026-03-06 16:00", 2 * time.Hour, "2026-03-09T14:00:00Z"}, // 9:00 is 13:00 UTC now
		"over the weekend when they came":   {office, "2026-10-30 16:00", 2 * time.Hour, "2026-11-02T15:00:00Z"},
		"a week with both weeks' offsets":   {office, "2026-03-04 09:00", 35 * time.Hour, "2026-03-10T21:00:00Z"},
		"over a holiday":                    {office, "2026-07-02 16:00", 2 * time.Hour, "2026-07-06T14:00:00Z"},
		"short day, holiday, open Saturday": {office, "2026-12-24 11:00", 3 * time.Hour, "2026-12-28T14:30:00Z"},
		"the short night":                   {night, "2026-03-08 00:00", 5*time.Hour + time.Minute, "2026-03-09T04:01:00Z"},
		"within the short night":            {night, "2026-03-08 00:00", 5 * time.Hour, "2026-03-08T10:00:00Z"},
		"the long night":                    {night, "2026-11-01 00:00", 7 * time.Hour, "2026-11-01T11:00:00Z"},
		"microseconds":                      {office, "2026-03-04 16:59:59.999999", 2 * time.Microsecond, "2026-03-05T14:00:00.000001Z"},
		"always":                            {Hours{Always: true}, "2026-03-07 23:59", 48 * time.Hour, "2026-03-10T04:59:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, err := time.ParseInLocation("2006-01-02 15:04", c.start[:16], zone)
			if err == nil && len(c.start) > 16 {
				from, err = time.ParseInLocation("2006-01-02 15:04:05", c.start, zone)
			}
			if err != nil {
				t.Fatal(err)
			}
			due, err := time.Parse(time.RFC3339, c.due)
			if err != nil {
				t.Fatal(err)
			}
			for _, off := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
				r := New(map[string]Hours{"c": c.hours})
				r.See([]*eventv1.Event{started(&eventv1.Clock{
					Id: "c", Calendar: "c", StartedAt: from.UnixMicro(), Within: c.within.Microseconds(), DueAt: due.Add(off).UnixMicro(),
				})}, from)
				v := r.Judge(from, time.Second)
				if misdated := v.Clocks.Misdated == 1; misdated != (off != 0) {
					t.Errorf("due %s after the right time: misdated is %v: %v", off, misdated, v.Faults)
				}
			}
		})
	}
}

// TestNeverOpen: a calendar without hours gives no due time, and the walk ends.
func TestNeverOpen(t *testing.T) {
	t.Parallel()
	r := New(map[string]Hours{"c": {Zone: time.UTC}})
	r.See([]*eventv1.Event{started(clock("c1", time.Hour, start, "c"))}, start)
	if v := r.Judge(start, time.Second); v.Clocks.Misdated != 1 {
		t.Errorf("counted %+v", v.Clocks)
	}
}
