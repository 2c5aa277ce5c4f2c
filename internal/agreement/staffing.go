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
			count, first, due := 0, gap{}, time.Time{}
			for _, g := range gaps {
				late, err := hours.Deadline(g.from, c.Within)
				if errors.Is(err, calendar.ErrHorizon) {
					continue // it ends far behind any gap
				}
				if err != nil {
					return nil, err
				}
				if late.After(g.to) {
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
	return fs.sorted(), nil
}

func (a *Agreement) understaffed(pool Pool, c Clock, spec calendar.Spec, first gap, due time.Time, count int) Fault {
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
			pool.Name, local(first.from), local(first.to), c.Name, local(due), times),
		Hint: fmt.Sprintf("let %s run in hours in which the pool works, promise more time, or give the pool somebody who works then", quote(c.Name)),
	}
}

// gap is a stretch [from, to) in which nobody works.
type gap struct{ from, to time.Time }

// gaps are the stretches in which no rep of a pool works, within the time that is watched and between two in which one does.
func (a *Agreement) gaps(r *Roster, pool Pool, from time.Time) ([]gap, error) {
	until := from.Add(watched)
	var open []gap
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
			works = without(works, gap{absence.From, absence.To})
		}
		open = append(open, works...)
	}
	slices.SortFunc(open, func(x, y gap) int { return cmp.Or(x.from.Compare(y.from), x.to.Compare(y.to)) })
	var out []gap
	var end time.Time
	for i, o := range open {
		if i > 0 && o.from.After(end) {
			out = append(out, gap{end, o.from})
		}
		if o.to.After(end) {
			end = o.to
		}
	}
	return out, nil
}

// worked are the stretches in which a calendar is open.
func worked(hours *calendar.Calendar, from, until time.Time) ([]gap, error) {
	var out []gap
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
			return append(out, gap{open, until}), nil // it does not close
		}
		if err != nil {
			return nil, err
		}
		out = append(out, gap{open, end})
		at = end
	}
	return out, nil
}

// without takes one stretch out of others.
func without(from []gap, out gap) []gap {
	var left []gap
	for _, g := range from {
		if before := (gap{g.from, earlier(g.to, out.from)}); before.from.Before(before.to) {
			left = append(left, before)
		}
		if after := (gap{later(g.from, out.to), g.to}); after.from.Before(after.to) {
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
