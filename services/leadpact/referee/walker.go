package referee

import "time"

// Hours are the open hours of a calendar, in plain numbers: the referee shares no code with the calendar that it judges.
type Hours struct {
	Always bool
	Zone   *time.Location
	// Weekly spans by weekday, in seconds of the local day, [open, close).
	Weekly [7][][2]int
	// Dates replace the weekly spans of one local date, "2006-01-02"; none means closed. Holidays stand here with none.
	Dates map[string][][2]int
}

// open says whether the instant is open. It reads the local clock, so a local time that happens twice is open both times.
func (h Hours) open(t time.Time) bool {
	if h.Always {
		return true
	}
	local := t.In(h.Zone)
	spans, special := h.Dates[local.Format(time.DateOnly)]
	if !special {
		spans = h.Weekly[local.Weekday()]
	}
	second := local.Hour()*3600 + local.Minute()*60 + local.Second()
	for _, s := range spans {
		if second >= s[0] && second < s[1] {
			return true
		}
	}
	return false
}

// due walks minute by minute from start until within has been open. It gives up, with false, after two years.
func (h Hours) due(start time.Time, within time.Duration) (time.Time, bool) {
	if h.Always {
		return start.Add(within), true
	}
	limit := start.AddDate(2, 0, 0)
	for t := start; t.Before(limit); {
		next := t.Truncate(time.Minute).Add(time.Minute)
		if h.open(t) {
			step := next.Sub(t)
			if within <= step {
				return t.Add(within), true
			}
			within -= step
		}
		t = next
	}
	return time.Time{}, false
}
