package handoff

import (
	"context"
	"errors"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
)

// FireClocks looks at the clocks of a shard whose wake-up has come: it warns, breaks and applies remedies, in the order in which
// they fell due. A clock that is not due by now, or is no longer open, stays as it is; the wake-ups of those still open are armed
// again. It is timer's Fire. Calls that wait for each other are fired together.
func (s *Service) FireClocks(ctx context.Context, _ int, ids []string, now time.Time) error {
	s.doorway.pass(ctx)
	return s.volleys.fire(ctx, &shot{ids: ids, now: now}, s.fireAll)
}

// fireAll fires shots in one transaction.
func (s *Service) fireAll(ctx context.Context, shots []*shot) error {
	var ids []string
	now := shots[0].now
	for _, shot := range shots {
		ids = append(ids, shot.ids...)
		if shot.now.After(now) {
			now = shot.now // each was told by the store's clock, so the latest has come too
		}
	}
	err := s.fireLight(ctx, ids, now)
	var more unmet
	if errors.As(err, &more) {
		return s.fireWhole(ctx, ids, now, more.need)
	}
	return err
}

// fireLight fires what needs no more than the clocks: a warning, or a breach that people are told of. It locks the clocks alone.
// Nobody else moves one meanwhile, and whoever has laid its handoff on a desk finds out when he saves. What needs more, because a
// breach takes the lead from its owner or another version takes the clock over, comes back as unmet, with nothing done.
//
// People are those whom RunWaiting, or a decision that takes more, read last: whoever is told is looked up again at sending.
func (s *Service) fireLight(ctx context.Context, ids []string, now time.Time) error {
	if err := s.versions.load(ctx, nil); err != nil {
		return err
	}
	for {
		var d *desk
		err := s.store.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
			promises, err := tx.LockPromises(ctx, ids)
			if err != nil {
				return err
			}
			d = newDesk(s, now)
			d.light = true
			for _, p := range promises {
				d.promise(p)
			}
			if err := d.settle(d.order, now); err != nil {
				return err
			}
			return d.saveFired(ctx, tx, s.cfg.Partitions)
		})
		var more unmet
		if errors.As(err, &more) && len(more.versions) > 0 {
			if err := s.versions.load(ctx, more.versions); err != nil {
				return err
			}
			continue
		}
		if errors.As(err, &more) {
			more.add(d.all())
			return more
		}
		if err == nil {
			s.committed(ctx, d)
			s.rearm(d, ids)
		}
		return err
	}
}

// fireWhole fires at a desk with everything that the leads may come to need.
func (s *Service) fireWhole(ctx context.Context, ids []string, now time.Time, n need) error {
	if err := s.people.refresh(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		n.leads = append(n.leads, leadOf(id))
	}
	var d *desk
	err := s.update(ctx, now, n, func(_ context.Context, _ store.HandoffTx, laid *desk) error {
		d = laid
		return d.settle(d.order, now)
	})
	if err == nil {
		s.rearm(d, ids)
	}
	return err
}

// rearm plans looks at what was looked at and left open, because it had been moved: its wake-up was taken from the timer.
func (s *Service) rearm(d *desk, ids []string) {
	looked := make(map[string]bool, len(ids))
	for _, id := range ids {
		looked[id] = true
	}
	for _, f := range d.order {
		for _, r := range f.clocks {
			if r.State == store.ClockOpen && !r.dirty && looked[r.ID] {
				s.cfg.Arm(r.Shard, store.Wake{At: r.WakeAt, ID: r.ID})
			}
		}
	}
}

// promise lays a clock on the desk with as much of its file as telling of it takes. While an assignment's clock runs, the
// assignment lives.
func (d *desk) promise(p store.Promise) {
	f := d.files[p.Lead]
	if f == nil {
		f = &file{handoff: store.HandoffRow{
			HandoffKey: p.HandoffKey, State: p.HandoffState, Pool: p.Pool, Grade: p.Grade, Channel: p.Channel, Cause: p.Cause, Agreement: p.HandoffAgreement,
		}}
		d.put(f)
	}
	if p.Assignment != "" && f.live == nil {
		f.live = &hold{Assignment: store.Assignment{ID: p.Assignment, HandoffKey: p.HandoffKey, Rep: p.Rep, Team: p.Team, Pool: p.Pool}}
	}
	f.clocks = append(f.clocks, &running{ClockRow: p.ClockRow})
}

// saveFired writes the clocks that moved and the news of them.
func (d *desk) saveFired(ctx context.Context, tx store.HandoffTx, partitions int) error {
	fired := store.Fired{Breaches: d.breaches, Notices: d.notices}
	for _, f := range d.order {
		for _, c := range f.clocks {
			if c.dirty {
				c.Version++
				fired.Clocks = append(fired.Clocks, c.ClockRow)
			}
		}
	}
	packed, err := event.Pack(d.events, partitions)
	if err != nil {
		return err
	}
	for _, m := range packed {
		fired.Messages = append(fired.Messages, store.Message{Partition: m.Partition, Data: m.Data})
	}
	return tx.SaveFired(ctx, fired)
}
