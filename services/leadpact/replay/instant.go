package replay

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// zone is the zone of times that name none, from the zone data that the program carries.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	loc, err := calendar.LoadZone(name)
	if err != nil {
		return nil, fmt.Errorf("the mapping's zone %q is no IANA zone, as America/New_York is one", name)
	}
	return loc, nil
}

// instant reads the forms of time that rows come in: with an offset; a local time or date of the zone; seconds or milliseconds
// since 1970, of ten and of thirteen digits.
func instant(s string, loc *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, errors.New("the time is empty")
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if wall, err := time.Parse(layout, s); err == nil {
			return local(wall, loc).UTC(), nil
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil && len(s) == 10:
		return time.Unix(n, 0).UTC(), nil
	case err == nil && len(s) == 13:
		return time.UnixMilli(n).UTC(), nil
	}
	return time.Time{}, errors.New("the time has none of the known forms, as 2026-01-31 09:00:00 is one")
}

// local is the instant at which the zone's clock reads what wall reads in UTC: the first, when it reads that twice; the end of the
// gap, when it never does.
func local(wall time.Time, loc *time.Location) time.Time {
	const far = 36 * time.Hour
	_, before := wall.Add(-far).In(loc).Zone()
	_, after := wall.Add(far).In(loc).Zone()
	early := wall.Add(-time.Duration(max(before, after)) * time.Second).In(loc)
	late := wall.Add(-time.Duration(min(before, after)) * time.Second).In(loc)
	for _, t := range []time.Time{early, late} {
		if _, offset := t.Zone(); t.Add(time.Duration(offset) * time.Second).Equal(wall) {
			return t
		}
	}
	_, end := early.ZoneBounds()
	return end
}
