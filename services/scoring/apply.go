package scoring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Apply takes in lead.received and lead.activity, and keeps the webhooks of hook.refused; other types are passed over. It is Permanent
// when an event can never become a fact: it names no person, or lacks what every event must say.
func (s *Service) Apply(ctx context.Context, _ int, events []*eventv1.Event) error {
	began := time.Now()
	var in []incoming
	var hooks []store.Quarantined
	for _, e := range events {
		if e.GetHookRefused() != nil {
			row, err := refusedHook(e)
			if err != nil {
				return bus.Permanent(fmt.Errorf("keep webhook %q of %q: %w", e.GetId(), e.GetSource(), err))
			}
			hooks = append(hooks, row)
			continue
		}
		one, ok, err := read(e)
		if err != nil {
			return bus.Permanent(fmt.Errorf("take in event %q of %q: %w", e.GetId(), e.GetSource(), err))
		}
		if ok {
			in = append(in, one)
		}
	}
	if len(in)+len(hooks) == 0 {
		return nil
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return fmt.Errorf("take in %d facts: %w", len(in), err)
	}
	a, ok := s.agreements.At(now)
	if !ok && len(in) > 0 {
		return errors.New("take in facts: no agreement is active yet; they wait until one is activated")
	}
	var done *batch
	var kept []bool
	stale := map[int]bool{}
	err = s.store.Update(ctx, func(ctx context.Context, tx store.ScoringTx) (err error) {
		if len(in) > 0 {
			// Update may run this again after a conflict: everything a run makes hangs on its own batch, but for what it found stale.
			done = s.batch(tx, now, a, stale)
			if err := done.apply(ctx, in); err != nil {
				return err
			}
			if err := s.enqueue(ctx, tx, done.events); err != nil {
				return err
			}
		}
		if len(hooks) > 0 {
			kept, err = tx.Keep(ctx, hooks, s.bound)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("take in %d facts and %d refused webhooks: %w", len(in), len(hooks), err)
	}
	if done != nil {
		s.account(done)
	}
	s.overflow(hooks, kept)
	s.metrics.batch.Observe(time.Since(began).Seconds())
	return nil
}

// batch is the work of one transaction. stale is shared by its runs.
func (s *Service) batch(tx store.ScoringTx, now time.Time, a *agreement.Agreement, stale map[int]bool) *batch {
	return &batch{
		tx: tx, now: now, agreement: a, terms: score.NewTerms(a), key: s.key,
		leads: map[string]*known{}, pending: map[store.FactKey]bool{}, stale: stale,
	}
}

// enqueue queues what is to be told.
func (s *Service) enqueue(ctx context.Context, tx store.ScoringTx, events []*eventv1.Event) error {
	packed, err := event.Pack(events, s.partitions)
	if err != nil || len(packed) == 0 {
		return err
	}
	out := make([]store.Message, len(packed))
	for i, m := range packed {
		out[i] = store.Message{Partition: m.Partition, Data: m.Data}
	}
	return tx.Enqueue(ctx, out)
}

// account counts and tells what a committed batch did.
func (s *Service) account(b *batch) {
	s.metrics.declare(b.agreement)
	for _, r := range b.results {
		s.metrics.facts.WithLabelValues(r.result).Inc()
		if r.result == conflict {
			s.log.Warn("a known event came with other content; the first one stands", "source", r.source, "event", r.tag)
		}
	}
	for _, t := range b.transitions {
		s.metrics.decisions.WithLabelValues(t.To).Inc()
	}
	if len(b.events) > 0 {
		s.kick()
	}
}
