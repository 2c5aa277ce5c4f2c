package agreement

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// The calendars that need no declaration.
const (
	// Always is open at every instant.
	Always = "always"
	// RepHours stands for the hours of the rep who has the lead.
	RepHours = "rep"
)

// HoursOf is the calendar that a promise runs on, and the hash of the file that says so. own is the name of the hours of the rep who
// has the lead, as the roster gives it: a rep without hours of his own, or no longer in the roster, works round the clock.
func (a *Agreement) HoursOf(promise Clock, r *Roster, own string) (spec calendar.Spec, owner string) {
	name := promise.Calendar
	if name == RepHours {
		name = own
		for _, c := range r.Calendars {
			if c.Name == name {
				return c, r.Hash
			}
		}
	}
	if c, ok := a.Calendar(name); ok {
		return c, a.Hash
	}
	return calendar.Spec{Name: Always, Zone: "UTC", Always: true}, ""
}

// readCalendars reads the calendars of either file.
func (r *reader) readCalendars(n *node) []calendar.Spec {
	var out []calendar.Spec
	for _, p := range r.entries(n, "calendars") {
		if p.key.text == Always || p.key.text == RepHours {
			r.at(p.key, quote(p.key.text)+" is a calendar of the language", "choose another name")
			continue
		}
		if spec, ok := r.readCalendar(p); ok {
			out = append(out, spec)
		}
	}
	return out
}

func (r *reader) readCalendar(p pair) (calendar.Spec, bool) {
	before := len(r.list)
	n := r.fields(p.value, &calendarShape)
	if n == nil {
		return calendar.Spec{}, false
	}
	spec := calendar.Spec{
		Name:   p.key.text,
		Zone:   r.zone(r.need(n, "zone")),
		Weekly: r.readWeek(n.get("hours")),
		Dates:  r.readDates(n.get("dates")),
		Breaks: r.readDates(n.get("breaks")),
	}
	seen := map[calendar.Date]place{}
	for _, item := range r.rows(n.get("holidays"), "holidays") {
		if day, ok := r.date(item, seen); ok {
			spec.Holidays = append(spec.Holidays, day)
		}
	}
	if len(r.list) > before {
		return calendar.Spec{}, false
	}
	const hint = "give it hours, as hours: {mon-fri: 09:00-17:00}"
	err := spec.Check()
	switch {
	case errors.Is(err, calendar.ErrNoHours):
		r.at(p.key, fmt.Sprintf("the calendar %s never opens, so that no clock on it could end", quote(spec.Name)), hint)
	case err != nil:
		r.at(p.key, err.Error(), "")
	case len(spec.Weekly) == 0:
		r.at(p.key, fmt.Sprintf("the calendar %s opens on single dates only, so that no clock could end after them", quote(spec.Name)), hint)
	default:
		return spec, true
	}
	return calendar.Spec{}, false
}

// reachYears is in how many years a promise must end. Calendars are compiled for ten, and it may begin at the end of the first;
// the ninth is for weeks that are cut and hours that daylight saving takes.
const reachYears = 8

// reach is the open time that the calendar has in any stretch of reachYears, whatever its dates say.
func reach(spec calendar.Spec) time.Duration {
	if spec.Always {
		return reachYears * 365 * 24 * time.Hour
	}
	var days [7]time.Duration
	var week time.Duration
	for day, spans := range spec.Weekly {
		days[day] = opening(spans)
		week += days[day]
	}
	open := reachYears * 52 * week
	changed := map[calendar.Date]bool{}
	for _, dates := range []iter.Seq[calendar.Date]{maps.Keys(spec.Dates), maps.Keys(spec.Breaks), slices.Values(spec.Holidays)} {
		for date := range dates {
			if !changed[date] {
				changed[date] = true
				open -= days[time.Date(date.Year, date.Month, date.Day, 0, 0, 0, 0, time.UTC).Weekday()]
			}
		}
	}
	return open
}

// opening is how long the spans are together; they may overlap.
func opening(spans []calendar.Span) time.Duration {
	var sum, end calendar.Clock
	for _, s := range slices.SortedFunc(slices.Values(spans), func(a, b calendar.Span) int { return int(a.Open - b.Open) }) {
		sum += max(0, s.Close-max(s.Open, end))
		end = max(end, s.Close)
	}
	return time.Duration(sum) * time.Second
}

func (r *reader) zone(n *node) string {
	s := r.text(n)
	if s == "" {
		return ""
	}
	if _, err := calendar.LoadZone(s); err != nil {
		r.at(n, quote(s)+" is not a time zone", "name one of the IANA zones, as Europe/Berlin or America/New_York")
		return ""
	}
	return s
}

// readWeek reads "mon-fri: 09:00-12:00, 13:00-17:00".
func (r *reader) readWeek(n *node) map[time.Weekday][]calendar.Span {
	if n == nil || n.kind == null || !r.isMapping(n, "hours") {
		return nil
	}
	week := map[time.Weekday][]calendar.Span{}
	seen := map[time.Weekday]int{}
	for _, p := range n.pairs {
		spans := r.spans(p.value)
		days := r.days(p.key)
		for _, day := range days {
			if line, ok := seen[day]; ok {
				r.beside(p.key, fmt.Sprintf("%s has hours already", day), elsewhere+" gives them; keep one", line)
				continue
			}
			seen[day] = p.key.line
			if len(spans) > 0 {
				week[day] = spans
			}
		}
	}
	return week
}

// days reads mon, mon-fri or mon, wed, sat-sun.
func (r *reader) days(n *node) []time.Weekday {
	const hint = "write mon-fri, sat, or mon, wed, fri"
	var out []time.Weekday
	for part := range strings.SplitSeq(n.text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, ok := weekday(from)
		last := first
		if isRange {
			var known bool
			last, known = weekday(to)
			ok = ok && known
		}
		if !ok {
			r.at(n, quote(n.text)+" names no days of the week", hint)
			return nil
		}
		for day := first; ; day = (day + 1) % 7 {
			out = append(out, day)
			if day == last {
				break
			}
		}
		if len(out) > 7 {
			r.at(n, quote(n.text)+" names more than seven days", hint)
			return nil
		}
	}
	return out
}

func weekday(s string) (time.Weekday, bool) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if full := strings.ToLower(day.String()); s == full || s == full[:3] {
			return day, true
		}
	}
	return 0, false
}

// spans reads "09:00-12:00, 13:00-17:00", a list of such texts, or "closed".
func (r *reader) spans(n *node) []calendar.Span {
	var out []calendar.Span
	if n.kind == scalar && n.text == "closed" {
		return nil
	}
	if n.kind == null || n.kind == mapping {
		r.at(n, "hours belong here", "write 09:00-17:00, or closed")
		return nil
	}
	for _, item := range r.items(n) {
		for part := range strings.SplitSeq(item.text, ",") {
			from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
			open, err1 := calendar.ParseClock(strings.TrimSpace(from))
			end, err2 := calendar.ParseClock(strings.TrimSpace(to))
			switch {
			case item.kind != scalar || !ok || err1 != nil || err2 != nil:
				r.at(item, quote(item.text)+" are no hours", "write 09:00-17:00, with commas between several, or closed")
				return nil
			case open >= end:
				r.at(item, fmt.Sprintf("the hours %s end before they begin", quote(strings.TrimSpace(part))),
					fmt.Sprintf("for hours over midnight write %s-24:00, and 00:00-%s on the next day", open, end))
				return nil
			}
			out = append(out, calendar.Span{Open: open, Close: end})
		}
	}
	return out
}

func (r *reader) readDates(n *node) map[calendar.Date][]calendar.Span {
	if n == nil || n.kind == null || !r.isMapping(n, "dates") {
		return nil
	}
	out := map[calendar.Date][]calendar.Span{}
	seen := map[calendar.Date]place{}
	for _, p := range n.pairs {
		spans := r.spans(p.value)
		if day, ok := r.date(p.key, seen); ok {
			out[day] = spans
		}
	}
	return out
}

// date is a date, unique among those seen.
func (r *reader) date(n *node, seen map[calendar.Date]place) (calendar.Date, bool) {
	day, err := calendar.ParseDate(n.text)
	if n.kind != scalar || err != nil {
		r.at(n, quote(n.text)+" is not a date", "write it as 2026-12-25")
		return calendar.Date{}, false
	}
	if first, ok := seen[day]; ok {
		r.beside(n, fmt.Sprintf("%s stands twice", day), elsewhere+" has it", first.line)
		return calendar.Date{}, false
	}
	seen[day] = n.place
	return day, true
}
