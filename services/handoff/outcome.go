package handoff

import (
	"context"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// outcome applies what an outside system says that sales did. It never goes back as lead.activity.
//
// It is of the assignment in whose time it happened, if that is the rep's whom it names, or it names nobody; what is older than the
// assignment, or of another's time, stops nothing. A clock that leadpact was told of in time stops at the moment at which the thing was
// done. What comes when the clock is broken already turns the verdict only by a witness (see correct). A win or a loss ends the handoff
// whoever had it. Its reason is somebody's free text, and is not kept.
func (d *desk) outcome(ctx context.Context, tx store.HandoffTx, e *eventv1.Event, told *eventv1.LeadOutcome) error {
	row := d.reported(e, told)
	newest := d.files[row.Lead]
	if newest != nil && row.Cycle == 0 {
		row.Cycle = newest.handoff.Cycle
	}
	if row.History || newest == nil {
		fresh, err := tx.InsertActivities(ctx, []store.Activity{row})
		if err != nil || !fresh[0] || !row.History {
			return err
		}
		return d.past(row, e)
	}
	// What fell due before leadpact heard of this is broken first, whoever looks first: the timer or this.
	heard := earlier(row.RecordedAt, d.now)
	current := newest.handoff.Cycle == row.Cycle && newest.handoff.State != store.HandoffClosed
	if current {
		if err := d.settle([]*file{newest}, heard); err != nil {
			return err
		}
	}
	f, err := d.missed(ctx, tx, row.HandoffKey)
	if err != nil {
		return err
	}
	if f != nil {
		if row.Assignment, err = d.holder(ctx, tx, f, row); err != nil {
			return err
		}
	}
	fresh, err := tx.InsertActivities(ctx, []store.Activity{row})
	if err != nil || !fresh[0] {
		return err
	}
	if current && f.live != nil && f.live.ID == row.Assignment {
		if err := d.did(f, row.Kind, earlier(done(row), d.now), e.GetId()); err != nil {
			return err
		}
	}
	if f != nil && row.Assignment != "" {
		if err := d.correct(ctx, tx, f, row, e.GetId()); err != nil {
			return err
		}
	}
	if current && (row.Kind == agreement.Won || row.Kind == agreement.Lost) {
		return d.close(newest, row.Kind, heard)
	}
	return nil
}

// reported is an outcome as an activity. What is said to have happened more than skew after leadpact took it in counts as of then.
func (d *desk) reported(e *eventv1.Event, told *eventv1.LeadOutcome) store.Activity {
	o := told.GetOutcome()
	row := store.Activity{
		ID:         event.DerivedID("outcome", e.GetSource(), e.GetId()),
		HandoffKey: store.HandoffKey{Lead: e.GetLead(), Cycle: told.GetCycle()},
		Rep:        o.GetRep(), Kind: o.GetKind(),
		OccurredAt: event.Time(e.GetOccurredAt()), RecordedAt: event.Time(e.GetRecordedAt()),
		Outside: true, Source: told.GetSource(), History: e.GetMode() == eventv1.Mode_MODE_HISTORY,
	}
	if row.OccurredAt.After(row.RecordedAt.Add(skew)) {
		row.OccurredAt = row.RecordedAt
	}
	return row
}

// done is when an activity counts as done: a rep's own when he told us, what an outside system tells of when it says that it happened,
// and nothing later than leadpact heard of it.
func done(a store.Activity) time.Time {
	if !a.Outside {
		return a.RecordedAt
	}
	return earlier(a.OccurredAt, a.RecordedAt)
}

// holder is the assignment that an outcome is of, or empty. One that has ended matters only to clocks that were missed.
func (d *desk) holder(ctx context.Context, tx store.HandoffTx, f *file, row store.Activity) (string, error) {
	at := done(row)
	of := func(a store.Assignment) bool {
		return !at.Before(a.StartedAt) && (a.EndedAt.IsZero() || at.Before(a.EndedAt))
	}
	name := func(a store.Assignment) string {
		if row.Rep != "" && row.Rep != a.Rep {
			return ""
		}
		return a.ID
	}
	for _, h := range f.holds {
		if of(h.Assignment) {
			return name(h.Assignment), nil
		}
	}
	if !slices.ContainsFunc(f.clocks, (*running).wrong) {
		return "", nil
	}
	all, err := tx.Assignments(ctx, f.handoff.HandoffKey)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		laid := slices.ContainsFunc(f.holds, func(h *hold) bool { return h.ID == a.ID }) // as it is now, not as it is stored
		if !laid && of(a) {
			return name(a), nil
		}
	}
	return "", nil
}

// past writes down who had a lead that was won or lost before leadpact knew it. It wakes nobody: no clock, no notice, no event,
// and the rep need not be in the roster.
func (d *desk) past(row store.Activity, e *eventv1.Event) error {
	if row.Kind != agreement.Won && row.Kind != agreement.Lost {
		return nil
	}
	// History does not unmake what leadpact itself has seen, and does not lie over a handoff that lives.
	if f := d.files[row.Lead]; f != nil && (f.handoff.Cycle >= row.Cycle || f.handoff.State != store.HandoffClosed) {
		return nil
	}
	h := store.HandoffRow{
		HandoffKey: row.HandoffKey, State: store.HandoffClosed, Result: row.Kind, Agreement: e.GetAgreement(),
		Channel: e.GetLeadOutcome().GetChannel(), History: true,
		ReceivedAt: row.RecordedAt, StartedAt: row.OccurredAt, Cause: e.GetId(),
	}
	f := &file{new: true, handoff: h}
	if row.Rep != "" {
		f.handoff.Assignments = 1
		f.holds = []*hold{{new: true, Assignment: store.Assignment{
			ID: assignmentID(h.HandoffKey, 1), HandoffKey: h.HandoffKey, N: 1, Rep: row.Rep,
			StartedAt: row.OccurredAt, EndedAt: row.OccurredAt, EndReason: closed,
		}}}
	}
	d.put(f)
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
