package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Interval is [Start, End) of exact instants, such as a pause of a clock.
type Interval struct{ Start, End time.Time }

// stop is a pause in microseconds.
type stop struct{ start, end int64 }

// stops cuts pauses to the horizon, sorts and joins them. What lies outside the
// horizon cannot touch an answer inside it.
func (c *Calendar) stops(pauses []Interval) ([]stop, error) {
	if len(pauses) == 0 {
		return nil, nil
	}
	all := make([]stop, 0, len(pauses))
	for _, p := range pauses {
		if p.End.Before(p.Start) {
			return nil, fmt.Errorf("calendar %q: pause from %s ends before it starts, at %s: a pause still running ends no clock, give it an end: %w",
				c.name, stamp(p.Start), stamp(p.End), ErrBackwards)
		}
		start, end := max(c.micro(p.Start), c.from), min(c.micro(p.End), c.to)
		if start < end {
			all = append(all, stop{start, end})
		}
	}
	slices.SortFunc(all, func(a, b stop) int { return cmp.Compare(a.start, b.start) })
	joined := all[:0]
	for _, s := range all {
		if n := len(joined); n > 0 && s.start <= joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, s.end)
			continue
		}
		joined = append(joined, s)
	}
	return joined, nil
}
