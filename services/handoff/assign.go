package handoff

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// Why an assignment ended, or a clock fell away.
const (
	rejected  = "rejected"
	breached  = "breached"
	closed    = "closed"
	recycled  = "recycled"
	merged    = "merged"
	erased    = "erased"
	withdrawn = "withdrawn" // the person took back his consent
	assigned  = "assigned"  // of the clock of a handoff that waited
	moved     = "hours_changed"
)

// VersionChanged is why a clock fell away that goes on as another, under a later version of the agreement.
const VersionChanged = "version_changed"

// basis is what a decision of routing rested on, kept so that it can be decided again.
type basis struct {
	At        time.Time `json:"at"`
	Agreement string    `json:"agreement"`
	Roster    string    `json:"roster"`
	Pool      string    `json:"pool"`
	Version   int64     `json:"version"`
	route.Record
}

// hand gives the lead to the next rep of its pool, or lets it wait.
func (d *desk) hand(f *file) error {
	version, err := d.version(f.handoff.Agreement)
	if err != nil {
		return err
	}
	p, err := d.rotate(version, f.handoff.Pool)
	if err != nil {
		return err
	}
	hourless, err := d.withoutHours(f, version, p.crew)
	if err != nil {
		return err
	}
	record, refusal := p.rotation.Pick(route.Lead{Excluded: f.handoff.Excluded, Hourless: hourless})
	if refusal != "" {
		d.shut[f.door()] = p.rotation.Shut()
		return d.wait(f, version, refusal)
	}
	p.dirty = true
	return d.assign(f, version, record.Winner, basis{
		At: d.now, Agreement: f.handoff.Agreement, Roster: d.roster.Hash, Pool: p.Name, Version: p.Version, Record: record,
	})
}

// hourlessKey is all that decides who of a crew has no hours for a lead that is handed out now.
type hourlessKey struct {
	agreement, grade string
	crew             *crew
}

// withoutHours are those of a crew in whose hours a promise that comes with the lead would not end.
func (d *desk) withoutHours(f *file, version *agreement.Agreement, c *crew) ([]string, error) {
	key := hourlessKey{agreement: version.Hash, grade: f.handoff.Grade, crew: c}
	out, ok := d.hourless[key]
	if ok {
		return out, nil
	}
	for _, reps := range c.keeping {
		holds, err := d.holds(f, version, reps[0])
		if err != nil {
			return nil, err
		}
		if !holds {
			out = append(out, reps...)
		}
	}
	slices.Sort(out)
	d.hourless[key] = out
	return out, nil
}

// door is what a handoff waits at.
type door struct{ pool, agreement string }

func (f *file) door() door { return door{f.handoff.Pool, f.handoff.Agreement} }

// assign makes the rep the lead's owner and starts his clocks, now: not before he can be told.
func (d *desk) assign(f *file, version *agreement.Agreement, rep string, found basis) error {
	why, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("keep the reasons of an assignment: %w", err)
	}
	if err := d.cancel(f, assigned, d.now); err != nil {
		return err
	}
	h := &f.handoff
	h.Assignments++
	h.State, h.WaitingSince, f.dirty = store.HandoffAssigned, time.Time{}, true
	f.live = &hold{new: true, Assignment: store.Assignment{
		ID: assignmentID(h.HandoffKey, h.Assignments), HandoffKey: h.HandoffKey, N: h.Assignments,
		Rep: rep, Team: d.roster.team(rep), Pool: h.Pool, StartedAt: d.now, Decision: why,
	}}
	f.holds = append(f.holds, f.live)
	l, err := d.load(rep)
	if err != nil {
		return err
	}
	d.carries(l, 1)
	d.made = append(d.made, made{pool: h.Pool, again: h.Assignments > 1})
	d.say(f, d.now, &eventv1.Event{
		Id: event.DerivedID("handoff.assigned", f.live.ID), Cause: h.Cause,
		Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{
			Terms: f.terms(), N: h.Assignments, ReceivedAt: event.Micros(h.ReceivedAt),
		}},
	})
	for _, promise := range version.ClocksFor(h.Grade) {
		if err := d.startClock(f, version, promise, f.live.ID); err != nil {
			return err
		}
	}
	d.notify(f, notice{typ: "lead.assigned", about: f.live.ID, rep: rep, assignment: f.live.ID}, d.roster.addresses(rep))
	return nil
}

// wait leaves the lead without an owner, under a clock of its own; one that waits already goes on as it does.
func (d *desk) wait(f *file, version *agreement.Agreement, why route.Refusal) error {
	h := &f.handoff
	if h.State == store.HandoffWaiting {
		return nil
	}
	h.State, h.WaitingSince, f.dirty = store.HandoffWaiting, d.now, true
	d.waits = true
	d.say(f, d.now, &eventv1.Event{
		Id: event.DerivedID("handoff.waiting", keyOf(h.HandoffKey), fmt.Sprint(h.Assignments)), Cause: h.Cause,
		Body: &eventv1.Event_HandoffWaiting{HandoffWaiting: &eventv1.HandoffWaiting{Terms: f.terms(), Reason: string(why)}},
	})
	if version.Handoff.Unassigned.Within == 0 {
		return nil
	}
	return d.startClock(f, version, version.Handoff.Unassigned, "")
}

// release takes the lead from its owner as of at; his clocks fall away with it.
func (d *desk) release(f *file, why string, at time.Time) error {
	if f.live == nil {
		return nil
	}
	l, err := d.load(f.live.Rep)
	if err != nil {
		return err
	}
	d.carries(l, -1)
	d.freed = true
	if at.Before(f.live.StartedAt) {
		at = f.live.StartedAt
	}
	if err := d.cancel(f, why, at); err != nil {
		return err
	}
	d.say(f, at, &eventv1.Event{
		Id: event.DerivedID("handoff.released", f.live.ID), Cause: f.handoff.Cause,
		Body: &eventv1.Event_HandoffReleased{HandoffReleased: &eventv1.HandoffReleased{Terms: f.terms(), Reason: why}},
	})
	// Who gave it back or closed it knows.
	if why == breached || why == merged || why == erased || why == withdrawn && !f.quiet {
		typ := "lead.released"
		if why == withdrawn {
			typ = "lead.withdrawn" // whoever works on it must stop
		}
		d.notify(f, notice{typ: typ, about: f.live.ID, rep: f.live.Rep, assignment: f.live.ID}, d.roster.addresses(f.live.Rep))
	}
	f.live.EndedAt, f.live.EndReason, f.live.dirty = at, why, true
	f.live = nil
	return nil
}

// passOn takes the lead from its owner and gives it to another, never again to him.
func (d *desk) passOn(f *file, why string, at time.Time) error {
	f.handoff.Excluded = append(slices.Clone(f.handoff.Excluded), f.live.Rep)
	f.dirty = true
	if err := d.release(f, why, at); err != nil {
		return err
	}
	return d.hand(f)
}

// close ends the handoff; nothing personal stays.
func (d *desk) close(f *file, result string, at time.Time) error {
	if f.handoff.State == store.HandoffClosed {
		return nil
	}
	why := result
	if result == agreement.Won || result == agreement.Lost {
		why = closed
	}
	terms := f.terms()
	if err := d.release(f, why, at); err != nil {
		return err
	}
	if err := d.cancel(f, why, at); err != nil { // of one that waited
		return err
	}
	h := &f.handoff
	h.State, h.Result, h.Contact, h.WaitingSince, f.dirty = store.HandoffClosed, result, nil, time.Time{}, true
	d.say(f, at, &eventv1.Event{
		Id: event.DerivedID("handoff.closed", keyOf(h.HandoffKey)), Cause: h.Cause,
		Body: &eventv1.Event_HandoffClosed{HandoffClosed: &eventv1.HandoffClosed{Terms: terms, Result: result}},
	})
	return nil
}

// terms is what every event of the handoff repeats.
func (f *file) terms() *eventv1.Terms {
	t := &eventv1.Terms{Cycle: f.handoff.Cycle, Pool: f.handoff.Pool, Grade: f.handoff.Grade, Channel: f.handoff.Channel}
	if f.live != nil {
		t.Assignment, t.Rep, t.Team = f.live.ID, f.live.Rep, f.live.Team
	}
	return t
}

func keyOf(k store.HandoffKey) string { return fmt.Sprintf("%s/%d", k.Lead, k.Cycle) }

func assignmentID(k store.HandoffKey, n uint32) string { return fmt.Sprintf("%s/%d", keyOf(k), n) }
