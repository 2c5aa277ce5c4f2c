package handoff

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// horizon is how many years a calendar is compiled for: a promise that began on the last day of the first still sees nine.
const horizon = 10

// hours are compiled calendars, one for each file, name and year in which promises begin.
type hours struct {
	mu    sync.Mutex
	ready map[hoursKey]*calendar.Calendar
}

type hoursKey struct {
	owner, name string
	year        int
}

// compiled returns the calendar that a promise that starts at that instant runs on.
func (h *hours) compiled(owner string, spec calendar.Spec, start time.Time) (*calendar.Calendar, error) {
	key := hoursKey{owner: owner, name: spec.Name, year: start.UTC().Year()}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.ready[key]; ok {
		return c, nil
	}
	from := time.Date(key.year, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := calendar.Compile(spec, from, from.AddDate(horizon, 0, 0))
	if err != nil {
		return nil, err
	}
	if h.ready == nil || len(h.ready) > 1000 { // old rosters' calendars are not needed again
		h.ready = make(map[hoursKey]*calendar.Calendar)
	}
	h.ready[key] = c
	return c, nil
}

// moveClocks computes every running clock anew under the versions that took it over, and the present roster and zone data. One that a
// version takes over is cancelled as version_changed, one whose due time changes besides as hours_changed, and it goes on as another
// with the same start, so that who adds up the events sees each deadline that was in force. Doing it twice changes nothing, so each
// replica does it at its start, at each new roster, and when a version comes into force that takes clocks over.
func (s *Service) moveClocks(ctx context.Context) error {
	far := time.UnixMicro(math.MaxInt64 / 2).UTC()
	for shard := range s.cfg.Shards {
		var after store.Wake
		for {
			wakes, err := s.store.WakesUntil(ctx, shard, far, after, queueBatch)
			if err != nil {
				return err
			}
			if len(wakes) == 0 {
				break
			}
			after = wakes[len(wakes)-1]
			if err := s.moveBatch(ctx, wakes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) moveBatch(ctx context.Context, wakes []store.Wake) error {
	leads := make([]string, len(wakes))
	for i, w := range wakes {
		leads[i] = leadOf(w.ID)
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	return s.each(ctx, now, leads, func(d *desk, f *file) error {
		if err := d.inherit(f); err != nil {
			return err
		}
		for _, r := range f.clocks {
			if err := d.move(f, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// move replaces one clock whose hours have changed.
func (d *desk) move(f *file, r *running) error {
	version, promise, err := d.promised(r.ClockRow)
	if err != nil {
		return err
	}
	hours, name, err := d.calendar(version, promise, r.Rep, r.StartedAt)
	if err != nil {
		return err
	}
	after, changed, err := clock.Move(promise, hours, state(r.ClockRow), d.now)
	if err != nil || !changed {
		return err
	}
	row := r.ClockRow
	row.ID = fmt.Sprintf("%s~%d", r.ID, d.roster.version)
	row.Calendar, row.TZData = name, calendar.TZDataVersion()
	apply(&row, after)
	d.replace(f, r, row, moved, d.now)
	return nil
}

// replace lets a clock go on as another.
func (d *desk) replace(f *file, r *running, row store.ClockRow, why string, at time.Time) *running {
	d.cancelClock(f, r, why, at)
	d.audit = append(d.audit, fmt.Sprintf("%s due %s, now %s due %s: %s",
		r.ID, r.DueAt.Format(time.RFC3339Nano), row.ID, row.DueAt.Format(time.RFC3339Nano), why))
	return d.addClock(f, row)
}
