package calendar

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoHours marks a calendar that never opens.
var ErrNoHours = errors.New("calendar has no hours")

// Spec is a calendar as the agreement and the roster write it. Spans of one day
// may touch or overlap; together they are the hours of that day.
type Spec struct {
	Name     string                  // as errors call it
	Zone     string                  // IANA name of the zone of all local times here
	Weekly   map[time.Weekday][]Span // hours of an ordinary week
	Dates    map[Date][]Span         // replace the weekly hours of one date; none means closed
	Breaks   map[Date][]Span         // closed spans within the hours of one date
	Holidays []Date                  // closed all day, even where Dates or Weekly have hours
	Always   bool                    // every instant is open; excludes all of the above but Name and Zone
}

// Check says whether the spec can be compiled. It does not look at the zone data.
func (s Spec) Check() error {
	if s.Always {
		if len(s.Weekly)+len(s.Dates)+len(s.Breaks)+len(s.Holidays) > 0 {
			return fmt.Errorf("calendar %q is open round the clock and also names hours or days: "+
				"keep one of the two, or write 00:00-24:00 for each weekday to allow exceptions", s.Name)
		}
		return nil
	}
	if err := s.checkDays(); err != nil {
		return fmt.Errorf("calendar %q: %w", s.Name, err)
	}
	if !s.opens() {
		return fmt.Errorf("calendar %q would never open, so that no clock on it could end: "+
			"give it weekly hours, hours for a date, or make it round the clock: %w", s.Name, ErrNoHours)
	}
	return nil
}

func (s Spec) checkDays() error {
	for day, spans := range s.Weekly {
		if day < time.Sunday || day > time.Saturday {
			return fmt.Errorf("there is no weekday %d", int(day))
		}
		if err := checkSpans(spans); err != nil {
			return fmt.Errorf("%s: %w", day, err)
		}
	}
	for _, days := range []map[Date][]Span{s.Dates, s.Breaks} {
		for date, spans := range days {
			if err := errors.Join(date.check(), checkSpans(spans)); err != nil {
				return fmt.Errorf("%s: %w", date, err)
			}
		}
	}
	for _, date := range s.Holidays {
		if err := date.check(); err != nil {
			return fmt.Errorf("holiday: %w", err)
		}
	}
	return nil
}

func checkSpans(spans []Span) error {
	for _, span := range spans {
		if err := span.check(); err != nil {
			return err
		}
	}
	return nil
}

// opens tells whether any day has hours: a weekday, or a date that is no holiday.
func (s Spec) opens() bool {
	for _, spans := range s.Weekly {
		if len(spans) > 0 {
			return true
		}
	}
	for date, spans := range s.Dates {
		if len(cut(join(spans), s.Breaks[date])) > 0 && !slices.Contains(s.Holidays, date) {
			return true
		}
	}
	return false
}

// plan answers for any day what its hours are, every rule applied.
type plan struct {
	weekly [7][]Span
	dates  map[int64][]Span // by day number
}

func newPlan(s Spec) plan {
	p := plan{dates: make(map[int64][]Span, len(s.Dates)+len(s.Breaks)+len(s.Holidays))}
	if s.Always {
		for day := range p.weekly {
			p.weekly[day] = []Span{{0, Midnight}}
		}
	}
	for day, spans := range s.Weekly {
		p.weekly[day] = join(spans)
	}
	for date, spans := range s.Dates {
		p.dates[date.number()] = join(spans)
	}
	for date, spans := range s.Breaks {
		day := date.number()
		p.dates[day] = cut(p.on(day), spans)
	}
	for _, date := range s.Holidays {
		p.dates[date.number()] = nil
	}
	return p
}

func (p plan) on(day int64) []Span {
	if spans, ok := p.dates[day]; ok {
		return spans
	}
	return p.weekly[weekday(day)]
}

// join sorts spans and merges those that touch or overlap.
func join(spans []Span) []Span {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return int(a.Open - b.Open) })
	var joined []Span
	for _, span := range sorted {
		if n := len(joined); n > 0 && span.Open <= joined[n-1].Close {
			joined[n-1].Close = max(joined[n-1].Close, span.Close)
			continue
		}
		joined = append(joined, span)
	}
	return joined
}

// cut takes the breaks out of the hours.
func cut(hours, breaks []Span) []Span {
	for _, pause := range breaks {
		var left []Span
		for _, span := range hours {
			if open, end := span.Open, min(span.Close, pause.Open); open < end {
				left = append(left, Span{open, end})
			}
			if open, end := max(span.Open, pause.Close), span.Close; open < end {
				left = append(left, Span{open, end})
			}
		}
		hours = left
	}
	return hours
}
