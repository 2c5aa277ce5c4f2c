package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func poolsAreMadeWhenLocked(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		pools, err := tx.LockPools(ctx, []string{"b", "a", "B", "b"})
		same(t, "locked", pools, []store.Pool{{Name: "B"}, {Name: "a"}, {Name: "b"}})
		return err
	})
	saved := filled[store.Pool](r)
	saved.Name = "a"
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		if _, err := tx.LockPools(ctx, []string{"a"}); err != nil {
			return err
		}
		return tx.SavePools(ctx, []store.Pool{saved})
	})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		pools, err := tx.LockPools(ctx, []string{"b", "a"})
		same(t, "saved", pools, []store.Pool{saved, {Name: "b"}})
		return err
	})
}

func repsAreMadeWhenLocked(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		loads, err := tx.LockReps(ctx, []string{"zoë", "Zoe", "zoe", "zoe"})
		same(t, "locked", loads, []store.RepLoad{{Rep: "Zoe"}, {Rep: "zoe"}, {Rep: "zoë"}})
		if err != nil {
			return err
		}
		return tx.SaveReps(ctx, []store.RepLoad{{Rep: "zoë", Live: 3}, {Rep: "Zoe", Live: 1}})
	})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		loads, err := tx.LockReps(ctx, []string{"zoë", "zoe", "Zoe"})
		same(t, "saved", loads, []store.RepLoad{{Rep: "Zoe", Live: 1}, {Rep: "zoe"}, {Rep: "zoë", Live: 3}})
		return err
	})
}

// poolsLoseNoUpdate: a pool's row has no compare-and-set; its lock alone keeps two replicas apart.
func poolsLoseNoUpdate(t *testing.T, o Opener) {
	countUnderLock(t, o, func(ctx context.Context, tx store.HandoffTx) (int, error) {
		pools, err := tx.LockPools(ctx, []string{"p"})
		if err != nil {
			return 0, err
		}
		pools[0].Version++
		return int(pools[0].Version), tx.SavePools(ctx, pools)
	})
}

// repsLoseNoUpdate: see poolsLoseNoUpdate.
func repsLoseNoUpdate(t *testing.T, o Opener) {
	countUnderLock(t, o, func(ctx context.Context, tx store.HandoffTx) (int, error) {
		loads, err := tx.LockReps(ctx, []string{"r"})
		if err != nil {
			return 0, err
		}
		loads[0].Live++
		return loads[0].Live, tx.SaveReps(ctx, loads)
	})
}

// countUnderLock has eight writers over two replicas add one to a row that next locks and returns.
func countUnderLock(t *testing.T, o Opener, next func(ctx context.Context, tx store.HandoffTx) (int, error)) {
	const writers, rounds = 8, 8
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	var group errgroup.Group
	for w := range writers {
		group.Go(func() error {
			for range rounds {
				err := pair[w%2].Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
					_, err := next(ctx, tx)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	hand(t, ctx, pair[0], func(ctx context.Context, tx store.HandoffTx) error {
		n, err := next(ctx, tx)
		if n != writers*rounds+1 {
			t.Errorf("after %d updates the row counts %d", writers*rounds, n-1)
		}
		return err
	})
}

// locksTakeOneOrder: see leadsLockInOneOrder.
func locksTakeOneOrder(t *testing.T, o Opener) {
	const rounds = 15
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	pools, reps, leads := numbered("pool", 10), numbered("rep", 20), numbered("lead", 20)
	var keys []store.HandoffKey
	for _, lead := range leads {
		keys = append(keys, key(lead))
	}
	insertHandoffs(t, ctx, pair[0], keys...)
	var runs atomic.Int64
	var group errgroup.Group
	for i, db := range pair {
		order := func(names []string) []string {
			if i == 1 {
				return reversed(names)
			}
			return names
		}
		group.Go(func() error {
			for range rounds {
				err := db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
					runs.Add(1)
					locked, err := tx.LockPools(ctx, order(pools))
					if err != nil {
						return err
					}
					loads, err := tx.LockReps(ctx, order(reps))
					if err != nil {
						return err
					}
					rows, err := tx.LockHandoffs(ctx, order(leads))
					if err != nil {
						return err
					}
					for j := range rows {
						rows[j].Version++
					}
					if i == 1 {
						slices.Reverse(locked)
						slices.Reverse(loads)
						slices.Reverse(rows)
					}
					if err := tx.SavePools(ctx, locked); err != nil {
						return err
					}
					if err := tx.SaveReps(ctx, loads); err != nil {
						return err
					}
					return tx.SaveHandoffs(ctx, rows)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	if n := runs.Load(); n != 2*rounds {
		t.Fatalf("%d transactions ran %d times: some met in a circle", 2*rounds, n)
	}
}

func loadsAreRecounted(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	for i, rep := range []string{"a", "a", "b", "A"} {
		k := key(fmt.Sprint("lead", i))
		insertHandoffs(t, ctx, db, k)
		must(t, insertAssignments(ctx, db, store.Assignment{ID: k.Lead, HandoffKey: k, N: 1, Version: 1, Rep: rep}))
	}
	ended := store.Assignment{ID: "ended", HandoffKey: key("lead9"), N: 1, Version: 1, Rep: "b", EndedAt: instants()[5]}
	insertHandoffs(t, ctx, db, key("lead9"))
	must(t, insertAssignments(ctx, db, ended))
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		if _, err := tx.LockReps(ctx, []string{"a", "b", "idle"}); err != nil {
			return err
		}
		return tx.SaveReps(ctx, []store.RepLoad{{Rep: "a", Live: 2}, {Rep: "b", Live: 7}})
	})
	stored, counted, err := db.RepLoads(ctx)
	must(t, err)
	same(t, "stored", nonzero(stored), map[string]int{"a": 2, "b": 7})
	same(t, "counted", nonzero(counted), map[string]int{"a": 2, "b": 1, "A": 1})
}

// nonzero drops who has nothing: a rep without a row is a rep with 0.
func nonzero(loads map[string]int) map[string]int {
	out := map[string]int{}
	for rep, live := range loads {
		if live != 0 {
			out[rep] = live
		}
	}
	return out
}
