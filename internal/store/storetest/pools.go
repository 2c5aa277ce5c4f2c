package storetest

import (
	"context"
	"errors"
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

func loadsAreAdded(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		loads, err := tx.Loads(ctx, []string{"zoë", "Zoe", "zoe", "zoe"})
		same(t, "before", loads, []store.RepLoad{{Rep: "Zoe"}, {Rep: "zoe"}, {Rep: "zoë"}})
		if err != nil {
			return err
		}
		return tx.AddLoads(ctx, []store.LoadChange{{Rep: "zoë", Delta: 3, Capacity: 3}, {Rep: "Zoe", Delta: 1, Capacity: 9}})
	})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		// Who gets fewer has no bound: his capacity may have been lowered below what he holds.
		if err := tx.AddLoads(ctx, []store.LoadChange{{Rep: "zoë", Delta: -1}, {Rep: "zoe", Delta: 2, Capacity: 2}, {Rep: "Zoe", Delta: 1, Capacity: 2}}); err != nil {
			return err
		}
		loads, err := tx.Loads(ctx, []string{"zoë", "zoe", "Zoe"})
		same(t, "added", loads, []store.RepLoad{{Rep: "Zoe", Live: 2}, {Rep: "zoe", Live: 2}, {Rep: "zoë", Live: 2}})
		return err
	})
}

// loadsStayWithinCapacity: also that of a rep who never held one, and of one of several; then nothing is added at all.
func loadsStayWithinCapacity(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	add := func(changes ...store.LoadChange) error {
		runs := 0
		return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
			if runs++; runs > 1 {
				return errOnce
			}
			return tx.AddLoads(ctx, changes)
		})
	}
	must(t, add(store.LoadChange{Rep: "a", Delta: 2, Capacity: 3}))
	for name, changes := range map[string][]store.LoadChange{
		"one too many":       {{Rep: "a", Delta: 2, Capacity: 3}},
		"of several":         {{Rep: "a", Delta: 2, Capacity: 3}, {Rep: "b", Delta: 1, Capacity: 3}},
		"who never held one": {{Rep: "b", Delta: 4, Capacity: 3}},
		"new beside known":   {{Rep: "a", Delta: 1, Capacity: 3}, {Rep: "b", Delta: 4, Capacity: 3}},
	} {
		if err := add(changes...); !errors.Is(err, errOnce) {
			t.Errorf("%s: %v, want a conflict that is tried again", name, err)
		}
	}
	stored, _, err := db.RepLoads(ctx)
	must(t, err)
	same(t, "stored", nonzero(stored), map[string]int{"a": 2})
}

// errOnce ends a transaction that is tried again.
var errOnce = errors.New("tried again")

// manyLoadsAreRead: as many as a great pool has, some new and some with a load, between others who were not asked for.
func manyLoadsAreRead(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	all := numbered("rep", 600)
	var changes []store.LoadChange
	var want []store.RepLoad
	var asked []string
	for i, rep := range all {
		load := 0
		if i >= 100 && i < 500 {
			load = 1 + i%10
			changes = append(changes, store.LoadChange{Rep: rep, Delta: load, Capacity: 10})
		}
		if i%2 == 0 {
			want, asked = append(want, store.RepLoad{Rep: rep, Live: load}), append(asked, rep)
		}
	}
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error { return tx.AddLoads(ctx, reversed(changes)) })
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		loads, err := tx.Loads(ctx, reversed(asked))
		same(t, "read", loads, want)
		if err != nil {
			return err
		}
		loads, err = tx.Loads(ctx, nil)
		same(t, "of nobody", len(loads), 0)
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

// loadsLoseNoUpdate: nobody locks a load before he adds to it.
func loadsLoseNoUpdate(t *testing.T, o Opener) {
	countUnderLock(t, o, func(ctx context.Context, tx store.HandoffTx) (int, error) {
		if err := tx.AddLoads(ctx, []store.LoadChange{{Rep: "r", Delta: 1, Capacity: 1000}}); err != nil {
			return 0, err
		}
		loads, err := tx.Loads(ctx, []string{"r"})
		if err != nil {
			return 0, err
		}
		return loads[0].Live, nil
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
	more := make([]store.LoadChange, len(reps))
	for i, rep := range reps {
		more[i] = store.LoadChange{Rep: rep, Delta: 1, Capacity: 1000}
	}
	hand(t, ctx, pair[0], func(ctx context.Context, tx store.HandoffTx) error { return tx.AddLoads(ctx, more) })
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
					rows, err := tx.LockHandoffs(ctx, order(leads))
					if err != nil {
						return err
					}
					for j := range rows {
						rows[j].Version++
					}
					if i == 1 {
						slices.Reverse(locked)
						slices.Reverse(rows)
					}
					if err := tx.SavePools(ctx, locked); err != nil {
						return err
					}
					changes := more
					if i == 1 {
						changes = reversed(more)
					}
					if err := tx.AddLoads(ctx, changes); err != nil {
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
		return tx.AddLoads(ctx, []store.LoadChange{{Rep: "a", Delta: 2, Capacity: 2}, {Rep: "b", Delta: 7, Capacity: 9}, {Rep: "idle"}})
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
