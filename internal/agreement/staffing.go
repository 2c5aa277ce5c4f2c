package agreement

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// watched is how far ahead staffing is looked at: a year, and a week of the next.
const watched = 372 * 24 * time.Hour

// Understaffed finds promises that nobody can keep: a lead that comes to a pool when its last rep leaves would be late before the
// next one comes. It looks from that instant on, at the reps' hours, holidays and absences, and stands at the promise. A promise on
// the rep's own hours waits for him. Errors: those of compiling a calendar.
func (a *Agreement) Understaffed(r *Roster, from time.Time) ([]Fault, error) {
	from = from.UTC().Truncate(time.Minute)
	fs := &faults{file: a.file}
	for _, pool := range a.Pools {
		gaps, err := a.gaps(r, pool, from)
		if err != nil {
			return nil, err
		}
		for _, c := range a.Clocks {
			if c.Calendar == RepHours {
				continue
			}
			spec, _ := a.HoursOf(c, r, "")
			hours, err := calendar.Compile(spec, from, from.AddDate(reachYears+1, 0, 0))
			if err != nil {
				return nil, err
			}
			count, first, due := 0, calendar.Interval{}, time.Time{}
			for _, g := range gaps {
				late, err := hours.Deadline(g.Start, c.Within)
				if errors.Is(err, calendar.ErrHorizon) {
					continue // it ends far behind any gap
				}
				if err != nil {
					return nil, err
				}
				if late.After(g.End) {
					continue
				}
				if count++; count == 1 {
					first, due = g, late
				}
			}
			if count > 0 {
				fs.add(a.understaffed(pool, c, spec, first, due, count))
			}
		}
	}
	return a.joined.Place(fs.sorted()), nil
}

func (a *Agreement) understaffed(pool Pool, c Clock, spec calendar.Spec, first calendar.Interval, due time.Time, count int) Fault {
	zone, err := calendar.LoadZone(spec.Zone)
	if err != nil {
		zone = time.UTC // it was compiled a moment ago
	}
	local := func(t time.Time) string { return t.In(zone).Format("Mon 2006-01-02 15:04 MST") }
	times := "once"
	if count > 1 {
		times = fmt.Sprintf("%d times", count)
	}
	at := a.places["clocks."+c.Name]
	return Fault{
		Line: at.line, Column: at.column, Path: "clocks." + c.Name,
		Message: fmt.Sprintf("nobody of the pool %q works from %s to %s: a lead of the first minute breaks %q at %s (%s in a year)",
			pool.Name, local(first.Start), local(first.End), c.Name, local(due), times),
		Hint: fmt.Sprintf("let %s run in hours in which the pool works, promise more time, or give the pool somebody who works then", quote(c.Name)),
	}
}

// gaps are the stretches in which no rep of a pool works, within the time that is watched and between two in which one does.
func (a *Agreement) gaps(r *Roster, pool Pool, from time.Time) ([]calendar.Interval, error) {
	until := from.Add(watched)
	var open []calendar.Interval
	seen := map[string]bool{} // hours of reps who are never absent
	for _, rep := range r.Reps {
		if !slices.Contains(pool.Teams, rep.Team) || len(rep.Absences) == 0 && seen[rep.Calendar] {
			continue
		}
		if len(rep.Absences) == 0 {
			seen[rep.Calendar] = true
		}
		spec, _ := a.HoursOf(Clock{Calendar: RepHours}, r, rep.Calendar)
		hours, err := calendar.Compile(spec, from, until.AddDate(0, 1, 0))
		if err != nil {
			return nil, err
		}
		works, err := worked(hours, from, until)
		if err != nil {
			return nil, err
		}
		for _, absence := range rep.Absences {
			works = without(works, calendar.Interval{Start: absence.From, End: absence.To})
		}
		open = append(open, works...)
	}
	slices.SortFunc(open, func(x, y calendar.Interval) int { return cmp.Or(x.Start.Compare(y.Start), x.End.Compare(y.End)) })
	var out []calendar.Interval
	var end time.Time
	for i, o := range open {
		if i > 0 && o.Start.After(end) {
			out = append(out, calendar.Interval{Start: end, End: o.Start})
		}
		if o.End.After(end) {
			end = o.End
		}
	}
	return out, nil
}

// worked are the stretches in which a calendar is open.
func worked(hours *calendar.Calendar, from, until time.Time) ([]calendar.Interval, error) {
	var out []calendar.Interval
	for at := from; at.Before(until); {
		open, err := hours.NextOpen(at)
		if errors.Is(err, calendar.ErrHorizon) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		end, err := hours.NextClose(open)
		if errors.Is(err, calendar.ErrHorizon) {
			return append(out, calendar.Interval{Start: open, End: until}), nil // it does not close
		}
		if err != nil {
			return nil, err
		}
		out = append(out, calendar.Interval{Start: open, End: end})
		at = end
	}
	return out, nil
}

// without takes one stretch out of others.
func without(from []calendar.Interval, out calendar.Interval) []calendar.Interval {
	var left []calendar.Interval
	for _, g := range from {
		if before := (calendar.Interval{Start: g.Start, End: earlier(g.End, out.Start)}); before.Start.Before(before.End) {
			left = append(left, before)
		}
		if after := (calendar.Interval{Start: later(g.Start, out.End), End: g.End}); after.Start.Before(after.End) {
			left = append(left, after)
		}
	}
	return left
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
