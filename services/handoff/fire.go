package handoff

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// FireClocks looks at the clocks of a shard whose wake-up has come: it warns, breaks and applies remedies, in the order in which
// they fell due. A clock that is not due by now, or is no longer open, stays as it is; the wake-ups of those still open are armed
// again. It is timer's Fire.
func (s *Service) FireClocks(ctx context.Context, shard int, ids []string, now time.Time) error {
	s.doorway.pass(ctx)
	if err := s.people.refresh(ctx); err != nil {
		return err
	}
	var n need
	for _, id := range ids {
		n.leads = append(n.leads, leadOf(id))
	}
	var wakes []store.Wake
	err := s.update(ctx, now, n, func(_ context.Context, _ store.HandoffTx, d *desk) error {
		if err := d.settle(d.order, now); err != nil {
			return err
		}
		wakes = wakes[:0]
		for _, f := range d.order {
			for _, r := range f.clocks {
				if r.State == store.ClockOpen && r.Shard == shard && !r.dirty {
					wakes = append(wakes, store.Wake{At: r.WakeAt, ID: r.ID})
				}
			}
		}
		return nil
	})
	if err == nil && len(wakes) > 0 {
		s.cfg.Arm(shard, wakes...)
	}
	return err
}
