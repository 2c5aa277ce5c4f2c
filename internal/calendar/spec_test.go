package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	monday := map[time.Weekday][]calendar.Span{time.Monday: spans("09:00-17:00")}
	may1 := date("2026-05-01")
	tests := map[string]struct {
		spec calendar.Spec
		is   error
		says string
	}{
		"no hours at all":        {spec: calendar.Spec{Zone: "UTC"}, is: calendar.ErrNoHours},
		"weekdays without spans": {spec: calendar.Spec{Zone: "UTC", Weekly: map[time.Weekday][]calendar.Span{time.Monday: {}}}, is: calendar.ErrNoHours},
		"only a date, a holiday": {spec: calendar.Spec{Zone: "UTC", Dates: days(may1, "09:00-12:00"), Holidays: []calendar.Date{may1}}, is: calendar.ErrNoHours},
		"only a date, all of it a break": {
			spec: calendar.Spec{Zone: "UTC", Dates: days(may1, "09:00-12:00"), Breaks: days(may1, "08:00-12:00")}, is: calendar.ErrNoHours,
		},
		"no zone":                   {spec: calendar.Spec{Weekly: monday}, is: calendar.ErrZone},
		"the host's zone":           {spec: calendar.Spec{Zone: "Local", Weekly: monday}, is: calendar.ErrZone},
		"a zone that is not there":  {spec: calendar.Spec{Zone: "Europe/Atlantis", Weekly: monday}, is: calendar.ErrZone},
		"a folder of zones":         {spec: calendar.Spec{Zone: "Europe/", Weekly: monday}, is: calendar.ErrZone},
		"a way out of the zones":    {spec: calendar.Spec{Zone: "../etc/passwd", Weekly: monday}, is: calendar.ErrZone},
		"round the clock and hours": {spec: calendar.Spec{Zone: "UTC", Always: true, Weekly: monday}, says: "round the clock"},
		"over midnight":             {spec: weekly("UTC", "22:00-06:00"), says: "22:00-24:00 and, on the next day, 00:00-06:00"},
		"an empty span":             {spec: weekly("UTC", "09:00-09:00"), says: "empty"},
		"no weekday":                {spec: calendar.Spec{Zone: "UTC", Weekly: map[time.Weekday][]calendar.Span{7: spans("09:00-17:00")}}, says: "weekday 7"},
		"outside the day": {
			spec: calendar.Spec{Zone: "UTC", Weekly: map[time.Weekday][]calendar.Span{1: {{Open: 0, Close: 86401}}}}, says: "between 00:00 and 24:00",
		},
		"a date that does not exist": {
			spec: calendar.Spec{Zone: "UTC", Weekly: monday, Holidays: []calendar.Date{{Year: 2026, Month: 2, Day: 30}}}, says: "2026-02-30",
		},
		"a bad break": {spec: calendar.Spec{Zone: "UTC", Weekly: monday, Breaks: days(may1, "13:00-12:00")}, says: "2026-05-01"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.spec.Name = "office"
			_, err := calendar.Compile(test.spec, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
			if err == nil {
				t.Fatal("compiled")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %q is not %q", err, test.is)
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "office") {
				t.Errorf("error %q does not name the calendar and say %q", err, test.says)
			}
		})
	}
}

func TestCompileRefusesHorizon(t *testing.T) {
	t.Parallel()
	spec := weekly("UTC", "09:00-17:00")
	for _, h := range [][2]string{
		{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"2026-01-01T00:00:00Z", "2127-01-01T00:00:00Z"},
	} {
		if _, err := calendar.Compile(spec, at(h[0]), at(h[1])); err == nil {
			t.Errorf("compiled over %s", h)
		}
	}
	if _, err := calendar.Compile(spec, time.Time{}.AddDate(-5, 0, 0), at("2026-01-01T00:00:00Z")); err == nil {
		t.Error("compiled from before year 1")
	}
}

// The hours of a day are compiled alike however they are written.
func TestSpansJoin(t *testing.T) {
	t.Parallel()
	for _, written := range []string{"09:00-17:00", "13:00-17:00 09:00-13:00", "09:00-14:00 10:00-11:00 12:00-17:00"} {
		c := compile(t, weekly("UTC", strings.Fields(written)...))
		got, err := c.NextClose(at("2026-05-04T09:30:00Z"))
		if err != nil || !got.Equal(at("2026-05-04T17:00:00Z")) {
			t.Errorf("%s: NextClose = %s, %v; want 17:00", written, got, err)
		}
		sum, err := c.Elapsed(at("2026-05-04T00:00:00Z"), at("2026-05-05T00:00:00Z"))
		if err != nil || sum != 8*time.Hour {
			t.Errorf("%s: Elapsed = %s, %v; want 8h", written, sum, err)
		}
	}
}
