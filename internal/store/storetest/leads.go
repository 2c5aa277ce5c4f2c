package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func leadsAreMadeWhenLocked(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		leads, err := tx.LockLeads(ctx, []string{"b", "a", "B", "b"})
		same(t, "locked", leads, []store.Lead{{ID: "B"}, {ID: "a"}, {ID: "b"}})
		return err
	})
	// A lead that was locked and never saved is no lead yet.
	if _, err := db.Lead(ctx, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Lead: %v: want ErrNotFound", err)
	}
	must(t, db.EachLead(ctx, func(l store.Lead, _ []string, _ []store.FactRow) error {
		t.Errorf("EachLead tells of %q", l.ID)
		return nil
	}))
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, "a") })
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		leads, err := tx.LockLeads(ctx, []string{"b", "a"})
		same(t, "locked again", leads, []store.Lead{{ID: "a", Version: 1}, {ID: "b"}})
		return err
	})
}

func leadsHaveVersions(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	for version := int64(1); version <= 3; version++ {
		score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, "a") })
		l, err := db.Lead(ctx, "a")
		must(t, err)
		same(t, "saved", l, store.Lead{ID: "a", Version: version})
	}
	for what, l := range map[string]store.Lead{
		"what was saved already": {ID: "a", Version: 3},
		"an older version":       {ID: "a", Version: 2},
		"a version too far":      {ID: "a", Version: 5},
		"a lead that is not":     {ID: "b", Version: 1},
	} {
		err := db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error { return tx.SaveLeads(ctx, []store.Lead{l}) })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("saving %s: %v: want ErrConflict", what, err)
		}
	}
}

// leadsConflictWritesNothing: also when the function goes on as if nothing had been.
func leadsConflictWritesNothing(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, "a", "b") })
	for _, swallow := range []bool{false, true} {
		err := db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
			if _, err := tx.InsertFacts(ctx, []store.FactRow{fact("s", "1", "a", "")}); err != nil {
				return err
			}
			if err := tx.Enqueue(ctx, message("never")); err != nil {
				return err
			}
			err := tx.SaveLeads(ctx, []store.Lead{{ID: "a", Version: 2, Stage: "mql"}, {ID: "b", Version: 1, Stage: "mql"}})
			if err == nil {
				t.Error("saving a stale lead beside a fresh one succeeded")
			}
			if swallow {
				return nil
			}
			return err
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Fatalf("Update (conflict swallowed: %v) returned %v: want ErrConflict", swallow, err)
		}
		for _, id := range []string{"a", "b"} {
			l, err := db.Lead(ctx, id)
			must(t, err)
			same(t, "a lead after the conflict", l, store.Lead{ID: id, Version: 1})
		}
		if n := queued(t, ctx, db); n != 0 {
			t.Fatalf("%d messages are queued after the conflict", n)
		}
		same(t, "facts after the conflict", factsOf(t, ctx, db, "a"), map[string][]store.FactRow{})
	}
}

func leadsComeBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Scoring), random(t)
	var ids []string
	for range 20 {
		ids = append(ids, word(r))
	}
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, ids...) })
	var want []store.Lead
	for _, id := range slices.Sorted(slices.Values(ids)) {
		l := filled[store.Lead](r)
		l.ID, l.Version = id, 2
		want = append(want, l)
	}
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return tx.SaveLeads(ctx, reversed(want)) })
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		read, err := tx.LockLeads(ctx, ids)
		same(t, "locked", read, want)
		return err
	})
	for _, l := range want {
		read, err := db.Lead(ctx, l.ID)
		must(t, err)
		same(t, "read", read, l)
	}
}

// leadsUnderConcurrentWriters: eight writers over two replicas and a few leads that they all want. Each save makes the next
// version and the next transition; none is lost, none is made twice.
func leadsUnderConcurrentWriters(t *testing.T, o Opener) {
	const writers, rounds, leads = 8, 12, 5
	ctx, pair, start := within(t), openPair(t, o.ScoringPair), seed(t)
	var saves [leads]atomic.Int64
	var group errgroup.Group
	for w := range writers {
		group.Go(func() error {
			r := rand.New(rand.NewPCG(start, uint64(w)))
			for range rounds {
				picked := r.Perm(leads)[:3]
				var ids []string
				for _, l := range picked {
					ids = append(ids, fmt.Sprint("lead", l))
				}
				err := pair[w%2].Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
					rows, err := tx.LockLeads(ctx, ids)
					if err != nil {
						return err
					}
					var transitions []store.Transition
					for i := range rows {
						rows[i].Version++
						rows[i].Facts++
						transitions = append(transitions, store.Transition{Lead: rows[i].ID, Cycle: 1, N: uint32(rows[i].Version)})
					}
					if err := tx.InsertTransitions(ctx, transitions); err != nil {
						return err
					}
					return tx.SaveLeads(ctx, rows)
				})
				if err != nil {
					return err
				}
				for _, l := range picked {
					saves[l].Add(1)
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	for i := range saves {
		id, want := fmt.Sprint("lead", i), saves[i].Load()
		l, err := pair[0].Lead(ctx, id)
		must(t, err)
		if l.Version != want || l.Facts != want {
			t.Errorf("%s was saved %d times and is at version %d with %d facts", id, want, l.Version, l.Facts)
		}
		transitions, err := pair[1].Transitions(ctx, id)
		must(t, err)
		for n, tr := range transitions {
			if int(tr.N) != n+1 {
				t.Fatalf("%s: transition %d follows %d others", id, tr.N, n)
			}
		}
		if len(transitions) != int(want) {
			t.Errorf("%s was saved %d times and has %d transitions", id, want, len(transitions))
		}
	}
}

// leadsLockInOneOrder: two transactions that ask for the same leads in opposite orders must not wait for each other in a circle.
// The engine would end such a circle by failing one of them, and Update would hide it by running it again; so runs are counted.
func leadsLockInOneOrder(t *testing.T, o Opener) {
	const rounds = 25
	ctx, pair := within(t), openPair(t, o.ScoringPair)
	ids := numbered("lead", 40)
	orders := [2][]string{ids, reversed(ids)}
	// They are there before: of two that make the same leads at once one begins again, and that is no circle.
	must(t, pair[0].Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		_, err := tx.LockLeads(ctx, ids)
		return err
	}))
	var runs atomic.Int64
	var group errgroup.Group
	for i, db := range pair {
		group.Go(func() error {
			for range rounds {
				err := db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
					runs.Add(1)
					leads, err := tx.LockLeads(ctx, orders[i])
					if err != nil {
						return err
					}
					for j := range leads {
						leads[j].Version++
					}
					if i == 1 {
						slices.Reverse(leads)
					}
					return tx.SaveLeads(ctx, leads)
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
	l, err := pair[0].Lead(ctx, ids[0])
	must(t, err)
	if l.Version != 2*rounds {
		t.Fatalf("version %d after %d saves", l.Version, 2*rounds)
	}
}
