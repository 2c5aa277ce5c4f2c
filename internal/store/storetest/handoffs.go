package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func handoffsAreUnique(t *testing.T, o Opener) {
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	row := func(lead string, cycle uint32, cause string) store.HandoffRow {
		return store.HandoffRow{HandoffKey: store.HandoffKey{Lead: lead, Cycle: cycle}, Version: 1, State: store.HandoffWaiting, Cause: cause}
	}
	insert := func(db store.Handoff, rows ...store.HandoffRow) (fresh []bool) {
		t.Helper()
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
			fresh, err = tx.InsertHandoffs(ctx, rows)
			return err
		})
		return fresh
	}
	same(t, "fresh", insert(pair[0], row("l", 1, "first"), row("L", 1, "x"), row("l", 1, "second"), row("m", 1, "x")), []bool{true, true, false, true})
	same(t, "fresh", insert(pair[1], row("l", 1, "third"), row("m", 2, "x"), row("m", 1, "y")), []bool{false, true, false})
	l, err := pair[0].HandoffOf(ctx, "l")
	must(t, err)
	same(t, "what was stored first", l, row("l", 1, "first"))

	// The same stage told to two replicas at once: one of them starts the handoff.
	for cycle := uint32(10); cycle < 20; cycle++ {
		var fresh [2][]bool
		var group errgroup.Group
		for i, db := range pair {
			rows := []store.HandoffRow{row("p", cycle, ""), row("q", cycle, "")}
			if i == 1 {
				rows = reversed(rows)
			}
			group.Go(func() error {
				return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) (err error) {
					fresh[i], err = tx.InsertHandoffs(ctx, rows)
					return err
				})
			})
		}
		must(t, group.Wait())
		if fresh[0][0] == fresh[1][1] || fresh[0][1] == fresh[1][0] {
			t.Fatalf("cycle %d: fresh %v here and %v (reversed) there", cycle, fresh[0], fresh[1])
		}
	}
}

func handoffsHaveVersions(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	insertHandoffs(t, ctx, db, key("a"), key("b"))
	save := func(rows ...store.HandoffRow) error {
		return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return tx.SaveHandoffs(ctx, rows) })
	}
	a, b := store.HandoffRow{HandoffKey: key("a"), Version: 2, State: store.HandoffClosed}, store.HandoffRow{HandoffKey: key("b"), Version: 2}
	must(t, save(a))
	other := store.HandoffRow{HandoffKey: store.HandoffKey{Lead: "a", Cycle: 2}, Version: 1}
	far := a
	far.Version = 4
	for what, rows := range map[string][]store.HandoffRow{
		"a stale one beside a fresh one": {b, a}, "a version too far": {far}, "one that is not": {other},
	} {
		if err := save(rows...); !errors.Is(err, store.ErrConflict) {
			t.Errorf("saving %s: %v: want ErrConflict", what, err)
		}
	}
	for lead, want := range map[string]store.HandoffRow{"a": a, "b": {HandoffKey: key("b"), Version: 1, State: store.HandoffAssigned}} {
		read, err := db.HandoffOf(ctx, lead)
		must(t, err)
		same(t, "stored", read, want)
	}
}

func handoffsComeBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	for range 10 {
		row := filled[store.HandoffRow](r)
		row.Version = 1
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
			_, err := tx.InsertHandoffs(ctx, []store.HandoffRow{row})
			return err
		})
		read, err := db.HandoffOf(ctx, row.Lead)
		must(t, err)
		same(t, "inserted", read, row)

		next := filled[store.HandoffRow](r)
		next.HandoffKey, next.Version = row.HandoffKey, 2
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
			return tx.SaveHandoffs(ctx, []store.HandoffRow{next})
		})
		read, err = db.HandoffOf(ctx, row.Lead)
		must(t, err)
		same(t, "saved", read, next)
	}
}

func handoffsLockTheNewest(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	insertHandoffs(t, ctx, db, key("b"), key("B"),
		store.HandoffKey{Lead: "a", Cycle: 9}, store.HandoffKey{Lead: "a", Cycle: 10}, store.HandoffKey{Lead: "a", Cycle: 2})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		rows, err := tx.LockHandoffs(ctx, []string{"b", "none", "a", "B", "a"})
		var keys []store.HandoffKey
		for _, row := range rows {
			keys = append(keys, row.HandoffKey)
		}
		same(t, "locked", keys, []store.HandoffKey{key("B"), {Lead: "a", Cycle: 10}, key("b")})
		return err
	})
	newest, err := db.HandoffOf(ctx, "a")
	if err != nil || newest.Cycle != 10 {
		t.Fatalf("HandoffOf: cycle %d, %v", newest.Cycle, err)
	}
	if _, err := db.HandoffOf(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("HandoffOf a lead without one: %v: want ErrNotFound", err)
	}
}

func handoffsWaitInOrder(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []store.HandoffRow
	for _, w := range []struct {
		key   store.HandoffKey
		state string
		since time.Time
	}{
		{key("late"), store.HandoffWaiting, at.Add(time.Hour)},
		{key("a"), store.HandoffWaiting, at},
		{key("B"), store.HandoffWaiting, at},
		{key("assigned"), store.HandoffAssigned, at},
		{key("closed"), store.HandoffClosed, at},
		{key("first"), store.HandoffWaiting, at.Add(-time.Microsecond)},
	} {
		rows = append(rows, store.HandoffRow{HandoffKey: w.key, Version: 1, State: w.state, WaitingSince: w.since})
	}
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.InsertHandoffs(ctx, rows)
		return err
	})
	want := []store.HandoffKey{key("first"), key("B"), key("a"), key("late")}
	for _, limit := range []int{10, 4, 2, 1} {
		read, err := db.WaitingHandoffs(ctx, limit)
		must(t, err)
		same(t, "waiting", read, want[:min(limit, len(want))])
	}
}
