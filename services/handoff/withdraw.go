package handoff

import (
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// withdraw stops what is under way in a cycle because the person took back his consent. It counts from when leadpact took the
// withdrawal in: what fell due before is broken, what falls due after is nobody's fault.
//
// A withdrawal that overtakes the handoff that it takes back leaves a handoff that is over, so that the two end alike in any order.
func (d *desk) withdraw(e *eventv1.Event, staged *eventv1.LeadStaged) error {
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
	at := event.Time(e.GetRecordedAt())
	if at.After(d.now) {
		at = d.now
	}
	if err := d.settle([]*file{f}, at); err != nil {
		return err
	}
	if at.Before(f.since()) { // it was taken in while the lead was on its way to a rep
		at = f.since()
	}
	f.quiet = e.GetMode() == eventv1.Mode_MODE_HISTORY
	return d.close(f, withdrawn, at)
}
