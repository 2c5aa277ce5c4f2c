package paper

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// cycle is after how many years the days of the week fall on the same dates again, so that a rule that held for so long holds.
const cycle = 28

// onset is a change of the clocks.
type onset struct {
	wall     time.Time // what the clocks showed, carried in UTC
	from, to int       // seconds east of UTC
	name     string
}

// zone writes what clients need of a zone from a year on: its changes as yearly rules where they have one, else by their dates.
func (f *file) zone(name string, year int) error {
	zone, err := calendar.LoadZone(name)
	if err != nil {
		return err
	}
	f.line("BEGIN", "VTIMEZONE")
	f.line("TZID", name)
	at := time.Date(year, time.January, 1, 0, 0, 0, 0, zone)
	before, changes := onsets(at)
	if len(changes) == 0 || before.from != before.to {
		changes = append([]onset{before}, changes...)
	} else {
		f.observance([]onset{before}, "")
	}
	for len(changes) > 0 {
		kind := changes[0]
		same := func(o onset) bool { return o.from == kind.from && o.to == kind.to && o.name == kind.name }
		var group []onset
		for _, o := range changes {
			if same(o) {
				group = append(group, o)
			}
		}
		changes = slices.DeleteFunc(changes, same)
		rule := yearly(group)
		if rule == "" && len(group) > 1 && group[0].wall.Year() < year {
			f.observance(group[:1], "") // an older rule made it
			group = group[1:]
			rule = yearly(group)
		}
		f.observance(group, rule)
	}
	f.line("END", "VTIMEZONE")
	return nil
}

// onsets are the change that was in force at a moment, and those of the cycle behind it. Of a zone that did not change in the year before
// the first is what held always.
func onsets(at time.Time) (before onset, changes []onset) {
	name, offset := at.Zone()
	before = onset{time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC), offset, offset, name}
	last := at.AddDate(cycle, 0, 0)
	for day := at.AddDate(-1, 0, 0); day.Before(last); day = day.Add(24 * time.Hour) {
		next := day.Add(24 * time.Hour)
		if alike(day, next) {
			continue
		}
		seconds := sort.Search(24*60*60, func(s int) bool { return !alike(day, day.Add(time.Duration(s)*time.Second)) })
		o := newOnset(day.Add(time.Duration(seconds) * time.Second))
		if next.After(at) {
			changes = append(changes, o)
		} else {
			before = o
		}
	}
	return before, changes
}

// alike says whether the clocks go the same at both moments. Time.ZoneBounds would know, but it stands still at the end of a leap year.
func alike(a, b time.Time) bool {
	name, offset := a.Zone()
	other, then := b.Zone()
	return name == other && offset == then
}

// newOnset is the change at an instant.
func newOnset(at time.Time) onset {
	_, from := at.Add(-time.Second).Zone()
	name, to := at.Zone()
	return onset{at.UTC().Add(time.Duration(from) * time.Second), from, to, name}
}

// observance writes changes of one kind. Forward is what clients call daylight time, whatever the law of the country does.
func (f *file) observance(group []onset, rule string) {
	kind := "STANDARD"
	if group[0].to > group[0].from {
		kind = "DAYLIGHT"
	}
	f.line("BEGIN", kind)
	f.line("DTSTART", group[0].wall.Format(localForm))
	f.line("TZOFFSETFROM", utcOffset(group[0].from))
	f.line("TZOFFSETTO", utcOffset(group[0].to))
	f.line("TZNAME", escape(group[0].name))
	if rule != "" {
		f.line("RRULE", rule)
	} else if len(group) > 1 {
		var dates []string
		for _, o := range group[1:] {
			dates = append(dates, o.wall.Format(localForm))
		}
		f.line("RDATE", strings.Join(dates, ","))
	}
	f.line("END", kind)
}

// yearly is the rule of changes that come once a year, at one time and on one day of the week of one month; "" when they don't.
func yearly(group []onset) string {
	if len(group) < cycle {
		return ""
	}
	first := group[0].wall
	least, most, last := 31, 1, true
	for i, o := range group {
		w := o.wall
		if w.Year() != first.Year()+i || w.Month() != first.Month() || w.Weekday() != first.Weekday() || w.Format("150405") != first.Format("150405") {
			return ""
		}
		least, most = min(least, w.Day()), max(most, w.Day())
		last = last && w.AddDate(0, 0, 7).Month() != w.Month()
	}
	rule := fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d;BYDAY=", first.Month())
	day := weekdayCode(first.Weekday())
	switch {
	case last:
		return rule + "-1" + day
	case most-least > 6:
		return ""
	case least%7 == 1 && most == least+6:
		return fmt.Sprintf("%s%d%s", rule, least/7+1, day)
	}
	var on []string
	for d := least; d < least+7; d++ {
		on = append(on, fmt.Sprint(d))
	}
	return rule + day + ";BYMONTHDAY=" + strings.Join(on, ",")
}

func utcOffset(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	out := fmt.Sprintf("%s%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		out += fmt.Sprintf("%02d", seconds%60)
	}
	return out
}
