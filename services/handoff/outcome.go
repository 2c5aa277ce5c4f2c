package handoff

import (
	"context"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// outcome applies what an outside system says that sales did. It never goes back as lead.activity.
//
// The clocks are judged by when leadpact took it in: what a system says of an earlier moment is not proof of it. It counts for
// the owner when it names him, or names nobody and came in his time; a win or a loss ends the handoff whoever had it. Its reason
// is somebody's free text, and is not kept.
func (d *desk) outcome(ctx context.Context, tx store.HandoffTx, e *eventv1.Event, told *eventv1.LeadOutcome) error {
	o := told.GetOutcome()
	f := d.files[e.GetLead()]
	if f != nil && f.handoff.Cycle != told.GetCycle() && told.GetCycle() != 0 {
		f = nil // of another cycle: kept, without effect
	}
	row := store.Activity{
		ID:         event.DerivedID("outcome", e.GetSource(), e.GetId()),
		HandoffKey: store.HandoffKey{Lead: e.GetLead(), Cycle: told.GetCycle()},
		Rep:        o.GetRep(), Kind: o.GetKind(),
		OccurredAt: event.Time(e.GetOccurredAt()), RecordedAt: event.Time(e.GetRecordedAt()),
		Outside: true, History: e.GetMode() == eventv1.Mode_MODE_HISTORY,
	}
	if f != nil && f.meant(row) {
		row.Assignment = f.live.ID
	}
	fresh, err := tx.InsertActivities(ctx, []store.Activity{row})
	if err != nil || !fresh[0] {
		return err
	}
	if row.History {
		return d.past(row, e)
	}
	if f == nil || f.handoff.State == store.HandoffClosed {
		return nil
	}
	at := row.RecordedAt
	if at.After(d.now) {
		at = d.now
	}
	if err := d.settle([]*file{f}, at); err != nil {
		return err
	}
	if f.meant(row) {
		if err := d.did(f, row.Kind, at, e.GetId()); err != nil {
			return err
		}
	}
	if row.Kind == agreement.Won || row.Kind == agreement.Lost {
		return d.close(f, row.Kind, at)
	}
	return nil
}

// meant says whether an outcome is of the present owner.
func (f *file) meant(row store.Activity) bool {
	switch {
	case f.live == nil:
		return false
	case row.Rep == "":
		return !row.RecordedAt.Before(f.live.StartedAt)
	}
	return row.Rep == f.live.Rep
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
