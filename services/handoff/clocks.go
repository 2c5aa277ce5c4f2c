package handoff

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// clockID is made of what the clock guards, so that the clock's lead can be read from it.
func clockID(assignment, name string) string { return assignment + "/" + name }

// leadOf is the lead of a clock's id.
func leadOf(clock string) string {
	lead, _, _ := strings.Cut(clock, "/")
	return lead
}

// startClock starts a promise on an assignment, or on a handoff that waits when assignment is empty.
func (d *desk) startClock(f *file, version *agreement.Agreement, promise agreement.Clock, assignment string) error {
	h := &f.handoff
	row := store.ClockRow{
		HandoffKey: h.HandoffKey, Shard: event.Partition(h.Lead, d.shards), Assignment: assignment, Name: promise.Name,
		Within: promise.Within, Agreement: h.Agreement,
	}
	row.ID = clockID(assignment, promise.Name)
	if assignment == "" {
		row.ID = clockID(fmt.Sprintf("%s/waiting%d", keyOf(h.HandoffKey), h.Assignments), promise.Name)
	} else {
		row.Rep, row.Team = f.live.Rep, f.live.Team
	}
	hours, name, err := d.calendar(version, promise, row.Rep, d.now)
	if err != nil {
		return err
	}
	c, err := clock.Start(promise, hours, d.now)
	if err != nil {
		return err
	}
	row.Calendar, row.TZData = name, calendar.TZDataVersion()
	apply(&row, c)
	d.addClock(f, row)
	return nil
}

// holds says whether the promises that come with a lead, started now, end within the rep's hours.
func (d *desk) holds(f *file, version *agreement.Agreement, rep string) (bool, error) {
	for _, promise := range version.ClocksFor(f.handoff.Grade) {
		hours, _, err := d.calendar(version, promise, rep, d.now)
		if err != nil {
			return false, err
		}
		switch _, err := hours.Deadline(d.now, promise.Within); {
		case errors.Is(err, calendar.ErrHorizon):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// addClock lays a new clock on the file and tells it.
func (d *desk) addClock(f *file, row store.ClockRow) *running {
	r := &running{ClockRow: row, new: true, dirty: true}
	f.clocks = append(f.clocks, r)
	d.tell(f, r, r.StartedAt, &eventv1.Event{
		Id: event.DerivedID("clock.started", r.ID), Cause: f.handoff.Cause,
		Body: &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: f.told(r)}},
	})
	return r
}

// tell queues an event of a clock, which may run under a later version than its handoff.
func (d *desk) tell(f *file, r *running, at time.Time, e *eventv1.Event) {
	d.say(f, at, e)
	e.Agreement = r.Agreement
}

// calendar is the hours that a promise runs on, and their name.
func (d *desk) calendar(version *agreement.Agreement, promise agreement.Clock, rep string, at time.Time) (*calendar.Calendar, string, error) {
	spec, owner := d.roster.spec(version, promise, rep)
	c, err := d.hours.compiled(owner, spec, at)
	return c, spec.Name, err
}

// promised is what a clock promises, and the version that says so.
func (d *desk) promised(row store.ClockRow) (*agreement.Agreement, agreement.Clock, error) {
	version, err := d.version(row.Agreement)
	if err != nil {
		return nil, agreement.Clock{}, err
	}
	if row.Assignment == "" {
		return version, version.Handoff.Unassigned, nil
	}
	for _, c := range version.Clocks {
		if c.Name == row.Name {
			return version, c, nil
		}
	}
	return nil, agreement.Clock{}, fmt.Errorf("clock %s: agreement %s has no clock %q", row.ID, version.Hash, row.Name)
}

// step looks at one clock of a file: an activity was done at that instant, or clock.Passed. cause is the activity's id.
func (d *desk) step(f *file, r *running, did string, at time.Time, cause string) error {
	if r.State != store.ClockOpen {
		return nil
	}
	version, promise, err := d.promised(r.ClockRow)
	if err != nil {
		return err
	}
	hours, _, err := d.calendar(version, promise, r.Rep, r.StartedAt)
	if err != nil {
		return err
	}
	if _, err := d.version(f.handoff.Agreement); err != nil { // whose people are told
		return err
	}
	before := state(r.ClockRow)
	after, effect, err := clock.Step(promise, hours, before, did, at)
	if err != nil {
		return err
	}
	if after == before {
		return nil
	}
	if effect == clock.Warns || effect == clock.Breaks {
		d.late = append(d.late, d.now.Sub(r.WakeAt))
	}
	apply(&r.ClockRow, after)
	r.dirty = true
	switch effect {
	case clock.Warns:
		d.warned(f, r)
	case clock.Keeps:
		d.tell(f, r, at, &eventv1.Event{
			Id: event.DerivedID("clock.met", r.ID), Cause: cause,
			Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{Clock: f.told(r), StoppedAt: event.Micros(at), By: did}},
		})
	case clock.Breaks:
		return d.broke(f, r, promise.Breach)
	case clock.Nothing:
	}
	return nil
}

func (d *desk) warned(f *file, r *running) {
	percent := fmt.Sprint(r.Warned)
	d.tell(f, r, d.now, &eventv1.Event{
		Id: event.DerivedID("clock.warned", r.ID, percent), Cause: f.handoff.Cause,
		Body: &eventv1.Event_ClockWarned{ClockWarned: &eventv1.ClockWarned{Clock: f.told(r), Percent: uint32(r.Warned)}},
	})
	to := d.roster.addresses(r.Rep)
	if r.Rep == "" {
		to = d.managers(f)
	}
	d.notify(f, notice{typ: "clock.warned", about: r.ID + "/" + percent, rep: r.Rep, assignment: r.Assignment, clock: r.ID}, to)
}

// broke records a breach as of its due time and applies the remedy.
func (d *desk) broke(f *file, r *running, remedy agreement.Remedy) error {
	d.breaches = append(d.breaches, store.Breach{
		Clock: r.ID, Assignment: r.Assignment, Lead: r.Lead, DueAt: r.DueAt, RecordedAt: d.now,
	})
	d.tell(f, r, r.DueAt, &eventv1.Event{
		Id: event.DerivedID("clock.breached", r.ID), Cause: f.handoff.Cause,
		Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{Clock: f.told(r), Remedy: string(remedy)}},
	})
	to := d.managers(f)
	if r.Rep != "" {
		to = append(d.roster.addresses(r.Rep), to...)
	}
	d.notify(f, notice{typ: "clock.breached", about: r.ID, rep: r.Rep, assignment: r.Assignment, clock: r.ID}, to)
	if remedy != agreement.Reassign {
		return nil
	}
	// What fell due at the same instant was open then: it breaks too, before the lead goes.
	for _, o := range slices.Clone(f.clocks) {
		if o.Assignment == r.Assignment && o.State == store.ClockOpen && !o.DueAt.After(r.DueAt) {
			if err := d.step(f, o, clock.Passed, r.DueAt, ""); err != nil {
				return err
			}
		}
	}
	if f.live == nil || f.live.ID != r.Assignment {
		return nil
	}
	// He lost it when it fell due, whenever that was noticed; the next rep's time begins when he can be told.
	return d.passOn(f, breached, r.DueAt)
}

// settle lets the clocks of the files go on under the versions that took them over, breaks every one that was due by at, in the order
// in which they fell due, and tells the warnings that have come. A remedy may start new clocks; those are not due yet.
func (d *desk) settle(files []*file, at time.Time) error {
	for _, f := range files {
		if err := d.inherit(f); err != nil {
			return err
		}
	}
	type entry struct {
		f *file
		r *running
	}
	var all []entry
	for _, f := range files {
		for _, r := range f.clocks {
			// What is judged as of a moment that has passed breaks, and warns nobody: by now it may be due.
			if r.State == store.ClockOpen && !r.WakeAt.After(at) && (!r.DueAt.After(at) || !at.Before(d.now)) {
				all = append(all, entry{f, r})
			}
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(a.r.DueAt.Compare(b.r.DueAt), cmp.Compare(a.r.ID, b.r.ID))
	})
	for _, e := range all {
		if err := d.step(e.f, e.r, clock.Passed, at, ""); err != nil {
			return err
		}
	}
	return nil
}

// did steps the clocks of the live assignment with an activity. A lead is taken on once: to say so again counts for nothing.
func (d *desk) did(f *file, kind string, at time.Time, cause string) error {
	if f.live != nil && kind == agreement.Accepted {
		if !f.live.AcceptedAt.IsZero() {
			return nil
		}
		f.live.AcceptedAt, f.live.dirty = at, true
	}
	for _, r := range slices.Clone(f.clocks) {
		if f.live == nil || r.Assignment != f.live.ID {
			continue
		}
		// Two machines' words may cross: what is done in an assignment is not done before it.
		when := at
		if when.Before(r.StartedAt) {
			when = r.StartedAt
		}
		if err := d.step(f, r, kind, when, cause); err != nil {
			return err
		}
	}
	return nil
}

// cancel lets every open clock of the file fall away.
func (d *desk) cancel(f *file, why string, at time.Time) error {
	for _, r := range f.clocks {
		if r.State == store.ClockOpen {
			d.cancelClock(f, r, why, at)
		}
	}
	return nil
}

func (d *desk) cancelClock(f *file, r *running, why string, at time.Time) {
	if at.Before(r.StartedAt) {
		at = r.StartedAt
	}
	apply(&r.ClockRow, state(r.ClockRow).Cancel(at))
	r.dirty = true
	d.tell(f, r, at, &eventv1.Event{
		Id: event.DerivedID("clock.cancelled", r.ID), Cause: f.handoff.Cause,
		Body: &eventv1.Event_ClockCancelled{ClockCancelled: &eventv1.ClockCancelled{Clock: f.told(r), Reason: why}},
	})
}

// told is the clock as events tell it, with the terms it was started under.
func (f *file) told(r *running) *eventv1.Clock {
	terms := f.terms()
	terms.Assignment, terms.Rep, terms.Team = r.Assignment, r.Rep, r.Team
	return &eventv1.Clock{
		Id: r.ID, Name: r.Name, Terms: terms, StartedAt: event.Micros(r.StartedAt), DueAt: event.Micros(r.DueAt),
		Within: r.Within.Microseconds(), Calendar: r.Calendar, Tzdata: r.TZData,
	}
}

func state(r store.ClockRow) clock.Clock {
	return clock.Clock{
		State: clock.State(r.State), StartedAt: r.StartedAt, DueAt: r.DueAt, WakeAt: r.WakeAt,
		Counted: r.Counted, Needed: r.Needed, Warned: r.Warned, StoppedAt: r.StoppedAt,
	}
}

func apply(r *store.ClockRow, c clock.Clock) {
	r.State, r.StartedAt, r.DueAt, r.WakeAt = string(c.State), c.StartedAt, c.DueAt, c.WakeAt
	r.Counted, r.Needed, r.Warned, r.StoppedAt = c.Counted, c.Needed, c.Warned, c.StoppedAt
}
