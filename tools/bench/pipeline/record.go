package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// tape is what the services asked of their stores in one run: every call of every committed transaction, with its arguments. Played
// back on empty stores it is the bare loop: the same statements in the same batches, and nothing decided, decoded or published.
type tape struct {
	mu      sync.Mutex
	scoring [partitions][]scoringCalls // by partition, in order: leads of two partitions never meet
	handoff []handoffCalls             // in order of commit: all of them meet at the pool
}

type (
	scoringCalls []func(context.Context, store.ScoringTx) error
	handoffCalls []func(context.Context, store.HandoffTx) error
)

// partitionKey marks the context of an Apply.
type partitionKey struct{}

type marked struct{ bus.Handler }

func (m marked) Apply(ctx context.Context, partition int, events []*eventv1.Event) error {
	return m.Handler.Apply(context.WithValue(ctx, partitionKey{}, partition), partition, events)
}

type scoringRecorder struct {
	store.Scoring
	t *tape
}

func (r scoringRecorder) Update(ctx context.Context, f func(context.Context, store.ScoringTx) error) error {
	var calls scoringCalls
	err := r.Scoring.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		calls = nil
		return f(ctx, &scoringTape{tx, &calls})
	})
	if p, ok := ctx.Value(partitionKey{}).(int); err == nil && ok {
		r.t.mu.Lock()
		defer r.t.mu.Unlock()
		r.t.scoring[p] = append(r.t.scoring[p], calls)
	}
	return err
}

type handoffRecorder struct {
	store.Handoff
	t *tape
}

func (r handoffRecorder) Update(ctx context.Context, f func(context.Context, store.HandoffTx) error) error {
	var calls handoffCalls
	mine := false
	err := r.Handoff.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		calls = nil
		// The pool's lock is held from the first statement to the commit: whoever is at the end of f commits next.
		err := f(ctx, &handoffTape{tx, &calls})
		_, mine = ctx.Value(partitionKey{}).(int)
		if err == nil && mine {
			r.t.mu.Lock()
			defer r.t.mu.Unlock()
			r.t.handoff = append(r.t.handoff, calls)
		}
		return err
	})
	return err
}

type scoringTape struct {
	store.ScoringTx
	calls *scoringCalls
}

func keep[T any, C ~[]func(context.Context, T) error](calls *C, call func(context.Context, T) error) {
	*calls = append(*calls, call)
}

func (t *scoringTape) Enqueue(ctx context.Context, m []store.Message) error {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { return tx.Enqueue(ctx, m) })
	return t.ScoringTx.Enqueue(ctx, m)
}

func (t *scoringTape) Resolve(ctx context.Context, ids []string) (map[string]string, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.Resolve(ctx, ids); return err })
	return t.ScoringTx.Resolve(ctx, ids)
}

func (t *scoringTape) Bind(ctx context.Context, a []store.Alias) (map[string]string, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.Bind(ctx, a); return err })
	return t.ScoringTx.Bind(ctx, a)
}

func (t *scoringTape) InsertFacts(ctx context.Context, rows []store.FactRow) ([]bool, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.InsertFacts(ctx, rows); return err })
	return t.ScoringTx.InsertFacts(ctx, rows)
}

func (t *scoringTape) FactHashes(ctx context.Context, keys []store.FactKey) (map[store.FactKey][]byte, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.FactHashes(ctx, keys); return err })
	return t.ScoringTx.FactHashes(ctx, keys)
}

func (t *scoringTape) LockLeads(ctx context.Context, ids []string) ([]store.Lead, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.LockLeads(ctx, ids); return err })
	return t.ScoringTx.LockLeads(ctx, ids)
}

func (t *scoringTape) SaveLeads(ctx context.Context, rows []store.Lead) error {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { return tx.SaveLeads(ctx, rows) })
	return t.ScoringTx.SaveLeads(ctx, rows)
}

func (t *scoringTape) Facts(ctx context.Context, leads []string) (map[string][]store.FactRow, error) {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { _, err := tx.Facts(ctx, leads); return err })
	return t.ScoringTx.Facts(ctx, leads)
}

func (t *scoringTape) InsertTransitions(ctx context.Context, rows []store.Transition) error {
	keep(t.calls, func(ctx context.Context, tx store.ScoringTx) error { return tx.InsertTransitions(ctx, rows) })
	return t.ScoringTx.InsertTransitions(ctx, rows)
}

// handoffTape keeps the calls that assigning makes; the others are those of clocks that fire and of people, which do not occur here.
type handoffTape struct {
	store.HandoffTx
	calls *handoffCalls
}

func (t *handoffTape) Enqueue(ctx context.Context, m []store.Message) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.Enqueue(ctx, m) })
	return t.HandoffTx.Enqueue(ctx, m)
}

func (t *handoffTape) LockPools(ctx context.Context, names []string) ([]store.Pool, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { _, err := tx.LockPools(ctx, names); return err })
	return t.HandoffTx.LockPools(ctx, names)
}

func (t *handoffTape) SavePools(ctx context.Context, pools []store.Pool) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.SavePools(ctx, pools) })
	return t.HandoffTx.SavePools(ctx, pools)
}

func (t *handoffTape) Loads(ctx context.Context, reps []string) ([]store.RepLoad, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { _, err := tx.Loads(ctx, reps); return err })
	return t.HandoffTx.Loads(ctx, reps)
}

func (t *handoffTape) AddLoads(ctx context.Context, changes []store.LoadChange) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.AddLoads(ctx, changes) })
	return t.HandoffTx.AddLoads(ctx, changes)
}

func (t *handoffTape) InsertHandoffs(ctx context.Context, rows []store.HandoffRow) ([]bool, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.InsertHandoffs(ctx, rows)
		return err
	})
	return t.HandoffTx.InsertHandoffs(ctx, rows)
}

func (t *handoffTape) LockHandoffs(ctx context.Context, leads []string) ([]store.HandoffRow, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { _, err := tx.LockHandoffs(ctx, leads); return err })
	return t.HandoffTx.LockHandoffs(ctx, leads)
}

func (t *handoffTape) LiveAssignments(ctx context.Context, leads []string) (map[string]store.Assignment, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.LiveAssignments(ctx, leads)
		return err
	})
	return t.HandoffTx.LiveAssignments(ctx, leads)
}

func (t *handoffTape) InsertAssignments(ctx context.Context, rows []store.Assignment) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertAssignments(ctx, rows) })
	return t.HandoffTx.InsertAssignments(ctx, rows)
}

func (t *handoffTape) InsertClocks(ctx context.Context, rows []store.ClockRow) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertClocks(ctx, rows) })
	return t.HandoffTx.InsertClocks(ctx, rows)
}

func (t *handoffTape) OpenClocks(ctx context.Context, keys []store.HandoffKey) ([]store.ClockRow, error) {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { _, err := tx.OpenClocks(ctx, keys); return err })
	return t.HandoffTx.OpenClocks(ctx, keys)
}

func (t *handoffTape) InsertNotices(ctx context.Context, rows []store.Notice) error {
	keep(t.calls, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertNotices(ctx, rows) })
	return t.HandoffTx.InsertNotices(ctx, rows)
}

// play runs the tape on empty stores, each partition of scoring and handoff side by side, with outboxes that are emptied to nobody,
// and returns how long it took.
func (t *tape) play(ctx context.Context, s store.Scoring, h store.Handoff) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work, relays sync.WaitGroup
	done := make(chan struct{})
	for _, r := range []store.Relay{s, h} {
		relays.Go(func() {
			for {
				n, err := r.Relay(ctx, relayLimit, func(context.Context, []store.Message) error { return nil })
				if err != nil && ctx.Err() == nil {
					cancel(err)
				}
				if n > 0 && err == nil {
					continue
				}
				select {
				case <-done:
					return
				case <-ctx.Done():
					return
				case <-time.After(relayPause):
				}
			}
		})
	}
	began := time.Now()
	for p := range t.scoring {
		work.Go(func() {
			for i, calls := range t.scoring[p] {
				if err := s.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error { return playCalls(ctx, tx, calls) }); err != nil {
					cancel(fmt.Errorf("play transaction %d of scoring's partition %d: %w", i, p, err))
					return
				}
			}
		})
	}
	work.Go(func() {
		for i, calls := range t.handoff {
			if err := h.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return playCalls(ctx, tx, calls) }); err != nil {
				cancel(fmt.Errorf("play transaction %d of handoff: %w", i, err))
				return
			}
		}
	})
	work.Wait()
	took := time.Since(began)
	close(done)
	relays.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return 0, err
	}
	return took, ctx.Err()
}

func playCalls[T any](ctx context.Context, tx T, calls []func(context.Context, T) error) error {
	for _, call := range calls {
		if err := call(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}
