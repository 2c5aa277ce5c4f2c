package calendar_test

import (
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

func TestParseClock(t *testing.T) {
	t.Parallel()
	good := map[string]calendar.Clock{
		"00:00": 0, "09:05": 32700, "23:59": 86340, "24:00": calendar.Midnight, "09:05:07": 32707, "23:59:59": 86399,
	}
	for text, want := range good {
		got, err := calendar.ParseClock(text)
		if err != nil || got != want {
			t.Errorf("ParseClock(%q) = %d, %v; want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("ParseClock(%q).String() = %q", text, got)
		}
	}
	for _, text := range []string{
		"", "9:00", "09.00", "0900", "24:01", "24:00:01", "25:00", "12:60", "12:00:60", "-1:00", "+1:00", "09:00 ", "٠٩:٠٠", "aa:bb", "09:0x",
	} {
		if got, err := calendar.ParseClock(text); err == nil {
			t.Errorf("ParseClock(%q) = %s, want an error", text, got)
		}
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	good := map[string]calendar.Date{
		"2026-03-29": {Year: 2026, Month: time.March, Day: 29},
		"2024-02-29": {Year: 2024, Month: time.February, Day: 29},
		"1969-12-31": {Year: 1969, Month: time.December, Day: 31},
		"0001-01-01": {Year: 1, Month: time.January, Day: 1},
	}
	for text, want := range good {
		got, err := calendar.ParseDate(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseDate(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2026-3-29", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "0000-01-01", "2026/01/01", "20260101", "2026-01-1x", "+026-01-01"} {
		if got, err := calendar.ParseDate(text); err == nil {
			t.Errorf("ParseDate(%q) = %s, want an error", text, got)
		}
	}
}

// Whatever is accepted is written back as it was read.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"09:00", "24:00", "09:00:30", "2026-03-29", "24:60", "0000-00-00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := calendar.ParseClock(text); err == nil {
			again, err := calendar.ParseClock(c.String())
			if err != nil || again != c || c < 0 || c > calendar.Midnight {
				t.Fatalf("ParseClock(%q) = %d, again %d, %v", text, c, again, err)
			}
		}
		if d, err := calendar.ParseDate(text); err == nil && d.String() != text {
			t.Fatalf("ParseDate(%q).String() = %q", text, d)
		}
	})
}
