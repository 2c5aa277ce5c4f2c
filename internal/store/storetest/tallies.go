package storetest

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func addTallies(ctx context.Context, db store.Compliance, deltas ...store.Tally) error {
	return db.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error { return tx.AddTallies(ctx, deltas) })
}

// tallied reads tallies without their shard, which has no meaning in a sum.
func tallied(t *testing.T, ctx context.Context, db store.Compliance, shard int) map[string]float64 {
	t.Helper()
	rows, err := db.Tallies(ctx, shard)
	must(t, err)
	out := map[string]float64{}
	for _, row := range rows {
		if shard >= 0 && row.Shard != shard {
			t.Errorf("a tally of shard %d among those of %d", row.Shard, shard)
		}
		out[row.Name+"{"+row.Labels+"}"] += row.Value
	}
	return out
}

func talliesAdd(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Compliance)
	must(t, addTallies(ctx, db,
		store.Tally{Shard: 0, Name: "met", Labels: "team=a", Value: 2},
		store.Tally{Shard: 1, Name: "met", Labels: "team=a", Value: 40},
		store.Tally{Shard: 0, Name: "met", Labels: "team=A", Value: 1},
		store.Tally{Shard: 0, Name: "met", Labels: "", Value: 0}, // every label set starts at 0
		store.Tally{Shard: 0, Name: "met", Labels: "team=a", Value: 3}))
	must(t, addTallies(ctx, db,
		store.Tally{Shard: 0, Name: "met", Labels: "team=a", Value: -0.5},
		store.Tally{Shard: 0, Name: "open", Labels: "team=a", Value: -1}))
	must(t, addTallies(ctx, db))
	same(t, "shard 0", tallied(t, ctx, db, 0), map[string]float64{"met{team=a}": 4.5, "met{team=A}": 1, "met{}": 0, "open{team=a}": -1})
	same(t, "shard 1", tallied(t, ctx, db, 1), map[string]float64{"met{team=a}": 40})
	same(t, "shard 2", tallied(t, ctx, db, 2), map[string]float64{})
	same(t, "all", tallied(t, ctx, db, -1), map[string]float64{"met{team=a}": 44.5, "met{team=A}": 1, "met{}": 0, "open{team=a}": -1})
}

func talliesAddUnderConcurrency(t *testing.T, o Opener) {
	const writers, rounds = 6, 15
	ctx, pair := within(t), openPair(t, o.CompliancePair)
	labels := numbered("rep", 8)
	var group errgroup.Group
	for w := range writers {
		mine := labels
		if w%2 == 1 {
			mine = reversed(labels)
		}
		group.Go(func() error {
			for range rounds {
				var deltas []store.Tally
				for _, l := range mine {
					deltas = append(deltas, store.Tally{Name: "met", Labels: l, Value: 1})
				}
				if err := addTallies(ctx, pair[w%2], deltas...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	for name, value := range tallied(t, ctx, pair[0], 0) {
		if value != writers*rounds {
			t.Errorf("%s is %v after %d additions of 1", name, value, writers*rounds)
		}
	}
	if n := len(tallied(t, ctx, pair[1], 0)); n != len(labels) {
		t.Errorf("%d tallies", n)
	}
}

func pendingClocks(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Compliance)
	due := instants()[5]
	update := func(started, ended []string) {
		t.Helper()
		judge(t, ctx, db, func(ctx context.Context, tx store.ComplianceTx) error {
			var clocks []store.PendingClock
			for _, id := range started {
				clocks = append(clocks, store.PendingClock{ID: id, DueAt: due})
			}
			if err := tx.StartClocks(ctx, clocks); err != nil {
				return err
			}
			return tx.EndClocks(ctx, ended)
		})
	}
	pending := func(want int) {
		t.Helper()
		for after, want := range map[time.Duration]int{0: 0, time.Microsecond: want} {
			n, err := db.PendingClocks(ctx, due.Add(after))
			must(t, err)
			if n != want {
				t.Errorf("%v after the due time %d clocks are pending: want %d", after, n, want)
			}
		}
	}
	update([]string{"a", "b", "a", "A"}, nil)
	pending(3)
	update(nil, []string{"b", "early", "b"}) // told as ended before it is told as started
	pending(2)
	update([]string{"early", "b", "a"}, nil) // told again: what ended stays ended
	pending(2)
	update(nil, []string{"a", "A", "b"})
	pending(0)
}
