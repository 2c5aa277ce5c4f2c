package handoff

import (
	"context"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/clock"
)

// withdraw stops what is under way in a cycle because the person took back his consent. It counts from when leadpact took the
// withdrawal in: what fell due before is broken, what falls due after is nobody's fault.
//
// A withdrawal that overtakes the handoff that it takes back leaves a handoff that is over, so that the two end alike in any order. One
// that comes after the timer had broken what fell due after it turns those verdicts.
func (d *desk) withdraw(ctx context.Context, tx store.HandoffTx, e *eventv1.Event, staged *eventv1.LeadStaged) error {
	if err := d.takeBack(e, staged); err != nil {
		return err
	}
	return d.excuse(ctx, tx, e, staged.GetCycle())
}

func (d *desk) takeBack(e *eventv1.Event, staged *eventv1.LeadStaged) error {
	f := d.files[e.GetLead()]
	switch {
	case f != nil && f.handoff.Cycle > staged.GetCycle():
		return nil
	case f == nil || f.handoff.Cycle < staged.GetCycle():
		if f != nil {
			if err := d.end(f, recycled); err != nil {
				return err
			}
		}
		d.put(&file{new: true, handoff: store.HandoffRow{
			HandoffKey: store.HandoffKey{Lead: e.GetLead(), Cycle: staged.GetCycle()}, State: store.HandoffClosed, Result: withdrawn,
			Grade: staged.GetGrade(), Channel: staged.GetChannel(), Stage: staged.GetTo(), Agreement: e.GetAgreement(),
			ReceivedAt: event.Time(e.GetRecordedAt()), StartedAt: d.now, Cause: e.GetId(),
		}})
		return nil
	case f.handoff.State == store.HandoffClosed:
		// One that only history told of is reopened by no live event any more.
		f.dirty = f.dirty || f.handoff.History
		f.handoff.History = false
		return nil
	}
	at := earlier(event.Time(e.GetRecordedAt()), d.now)
	if err := d.settle([]*file{f}, at); err != nil {
		return err
	}
	if at.Before(f.since()) { // it was taken in while the lead was on its way to a rep
		at = f.since()
	}
	f.quiet = e.GetMode() == eventv1.Mode_MODE_HISTORY
	return d.close(f, withdrawn, at)
}

// excuse turns what is recorded as missed of a cycle and fell due after its withdrawal had come in: nobody kept it, and nobody missed it.
// The remedies stay, and so does what was kept in between. What history tells is told to nobody.
func (d *desk) excuse(ctx context.Context, tx store.HandoffTx, e *eventv1.Event, cycle uint32) error {
	f, err := d.missed(ctx, tx, store.HandoffKey{Lead: e.GetLead(), Cycle: cycle})
	if err != nil || f == nil {
		return err
	}
	for _, r := range f.clocks {
		at := earlier(event.Time(e.GetRecordedAt()), d.now)
		if r.State != store.ClockBreached || !r.RespondedAt.IsZero() || !r.DueAt.After(at) {
			continue
		}
		if at.Before(r.StartedAt) { // a remedy started it
			at = r.StartedAt
		}
		if _, err := d.version(f.handoff.Agreement); err != nil { // whose people are told
			return err
		}
		d.turn(f, r, clock.Deed{Kind: withdrawn, At: at}, event.Scoring, e.GetId())
		if e.GetMode() != eventv1.Mode_MODE_HISTORY {
			d.tellTurn(f, r)
		}
	}
	return nil
}
