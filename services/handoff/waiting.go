package handoff

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

const (
	// queueLimit bounds how many waiting handoffs one look sees, and queueBatch how many a transaction tries.
	queueLimit = 10_000
	queueBatch = 100
)

// RunWaiting hands off what waits for a rep, the longest waiting first: at once when a rep has room again or the roster has
// changed, and every Poll, because absences end by themselves. It also takes up new rosters, and versions of the agreement that take
// over clocks that run. It returns when ctx ends; an error is logged and tried again.
func (s *Service) RunWaiting(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	known := &computed{}
	for {
		err := s.people.refresh(ctx)
		if err == nil {
			err = s.computeAnew(ctx, known)
		}
		if err == nil {
			err = s.handWaiting(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "waiting handoffs were not tried", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.again:
		case <-tick.C:
		}
	}
}

// handWaiting tries every waiting handoff once. A pool that could take no lead at all is not asked again: who gets room meanwhile makes
// it look again.
func (s *Service) handWaiting(ctx context.Context) error {
	keys, err := s.store.WaitingHandoffs(ctx, queueLimit)
	if err != nil {
		return err
	}
	shut := make(map[door]bool)
	for len(keys) > 0 {
		batch := keys[:min(queueBatch, len(keys))]
		keys = keys[len(batch):]
		leads := make([]string, len(batch))
		for i, k := range batch {
			leads[i] = k.Lead
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		err = s.each(ctx, now, leads, func(d *desk, f *file) error {
			if f.handoff.State != store.HandoffWaiting || shut[f.door()] {
				return nil
			}
			// Its own clock may have fallen due before a rep was free.
			if err := d.settle([]*file{f}, now); err != nil {
				return err
			}
			err := d.hand(f)
			shut[f.door()] = d.shut[f.door()]
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
