package handoff

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// settling is how long after a version came into force a transaction that began before may still commit a clock.
const settling = 2 * time.Second

// computed is what the running clocks were computed for.
type computed struct {
	roster   string
	versions map[string]bool // those that took clocks over
}

// computeAnew computes the running clocks anew when the roster is another, or a version came into force that takes clocks over. A
// version that has just come into force is looked at again until it has settled.
func (s *Service) computeAnew(ctx context.Context, known *computed) error {
	if err := s.versions.refresh(ctx); err != nil {
		return err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	roster := s.people.now().Hash
	taking, settled := s.versions.descends().taking(now, known.versions)
	if roster == known.roster && !taking {
		return nil
	}
	if err := s.moveClocks(ctx); err != nil {
		return err
	}
	*known = computed{roster, settled}
	return nil
}

// inherit lets the open clocks of a file go on under the versions that took them over. All else of the handoff stays pinned.
func (d *desk) inherit(f *file) error {
	for _, r := range f.clocks {
		if r.State != store.ClockOpen {
			continue
		}
		if err := d.govern(f, r); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) govern(f *file, r *running) error {
	heirs := d.line.heirs(r.Agreement, r.StartedAt, d.now)
	if len(heirs) == 0 {
		return nil
	}
	_, promise, err := d.promised(r.ClockRow)
	if err != nil {
		return err
	}
	var terms []clock.Term
	var rows []store.ClockRow // as the clock goes on under each, but for its times
	row := r.ClockRow
	for _, h := range heirs {
		next, ok := promiseIn(h.moves, f.handoff.Grade, r.ClockRow)
		if !ok {
			continue
		}
		t := clock.Term{From: h.from, Since: h.from, Promise: next}
		if d.roster.at.After(h.from) {
			t.Since = d.now // before, the hours may have been others
		}
		if t.Hours, row.Calendar, err = d.calendar(h.moves, next, r.Rep, r.StartedAt); err != nil {
			return err
		}
		row.Agreement, row.Within, row.TZData = h.hash, next.Within, calendar.TZDataVersion()
		terms, rows = append(terms, t), append(rows, row)
	}
	turns, err := clock.Govern(promise, state(r.ClockRow), terms)
	if err != nil {
		return err
	}
	if len(turns) > 0 && d.light {
		return unmet{} // a new clock is more than it can save
	}
	for _, t := range turns {
		row = rows[t.Term]
		row.ID = fmt.Sprintf("%s@%.12s", r.ID, row.Agreement)
		apply(&row, t.Clock)
		r = d.replace(f, r, row, VersionChanged, terms[t.Term].Since)
	}
	return nil
}

// promiseIn is what a version promises in a clock's place to a lead of that grade.
func promiseIn(version *agreement.Agreement, grade string, row store.ClockRow) (agreement.Clock, bool) {
	if row.Assignment == "" {
		return version.Handoff.Unassigned, true
	}
	of := version.ClocksFor(grade)
	i := slices.IndexFunc(of, func(c agreement.Clock) bool { return c.Name == row.Name })
	if i < 0 {
		return agreement.Clock{}, false
	}
	return of[i], true
}
