package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func assignmentsHaveOneLive(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	second := store.HandoffKey{Lead: "l", Cycle: 2}
	insertHandoffs(t, ctx, db, key("l"), second, key("m"))
	row := func(id string, k store.HandoffKey, n uint32) store.Assignment {
		return store.Assignment{ID: id, HandoffKey: k, N: n, Version: 1, Rep: "rep of " + id}
	}
	must(t, insertAssignments(ctx, db, row("1", key("l"), 1), row("m", key("m"), 1)))
	for what, rows := range map[string][]store.Assignment{
		"beside the first":   {row("2", key("l"), 2)},
		"in the next cycle":  {row("2", second, 1)},
		"twice in one call":  {row("2", store.HandoffKey{Lead: "n", Cycle: 1}, 1), row("3", store.HandoffKey{Lead: "n", Cycle: 1}, 2)},
		"beside a fresh one": {row("4", store.HandoffKey{Lead: "n", Cycle: 1}, 1), row("2", key("l"), 2)},
	} {
		if err := insertAssignments(ctx, db, rows...); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second live assignment %s: %v: want ErrConflict", what, err)
		}
	}
	// Code that asks for it and goes on in spite of the answer gets nothing either.
	err := db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		_ = tx.InsertAssignments(ctx, []store.Assignment{row("2", key("l"), 2)})
		return nil
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("a conflict that the function swallowed: %v: want ErrConflict", err)
	}

	ended := row("1", key("l"), 1)
	ended.Version, ended.EndedAt = 2, time.Unix(0, 0).UTC() // the epoch is an end like any other
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		if err := tx.SaveAssignments(ctx, []store.Assignment{ended}); err != nil {
			return err
		}
		return tx.InsertAssignments(ctx, []store.Assignment{row("2", key("l"), 2)})
	})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		live, err := tx.LiveAssignments(ctx, []string{"m", "l", "none", "l"})
		same(t, "live", live, map[string]store.Assignment{"l": row("2", key("l"), 2), "m": row("m", key("m"), 1)})
		return err
	})
	revived := ended
	revived.Version, revived.EndedAt = 3, time.Time{}
	err = db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		return tx.SaveAssignments(ctx, []store.Assignment{revived})
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("an ended assignment that is brought back beside a live one: %v: want ErrConflict", err)
	}
}

// assignmentsHaveOneLiveUnderRace: writers that lock nothing and believe that the lead is free.
func assignmentsHaveOneLiveUnderRace(t *testing.T, o Opener) {
	const writers, leads = 8, 6
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	for l := range leads {
		k := key(fmt.Sprint("lead", l))
		insertHandoffs(t, ctx, pair[0], k)
		var results [writers]error
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				results[w] = insertAssignments(ctx, pair[w%2], store.Assignment{ID: fmt.Sprint(l, "-", w), HandoffKey: k, N: uint32(w + 1), Version: 1, Rep: fmt.Sprint(w)})
			})
		}
		group.Wait()
		winner := -1
		for w, err := range results {
			switch {
			case err == nil && winner < 0:
				winner = w
			case err == nil:
				t.Fatalf("%s: writers %d and %d both have it", k.Lead, winner, w)
			case !errors.Is(err, store.ErrConflict):
				t.Fatalf("%s: a writer that lost: %v: want ErrConflict", k.Lead, err)
			}
		}
		if winner < 0 {
			t.Fatalf("%s: nobody has it", k.Lead)
		}
		hand(t, ctx, pair[1], func(ctx context.Context, tx store.HandoffTx) error {
			live, err := tx.LiveAssignments(ctx, []string{k.Lead})
			same(t, "whose", live[k.Lead].Rep, fmt.Sprint(winner))
			return err
		})
	}
}

func assignmentsAreUnique(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	insertHandoffs(t, ctx, db, key("l"), key("m"))
	ended := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, insertAssignments(ctx, db, store.Assignment{ID: "1", HandoffKey: key("l"), N: 1, Version: 1, EndedAt: ended}))
	for what, row := range map[string]store.Assignment{
		"number": {ID: "2", HandoffKey: key("l"), N: 1, Version: 1, EndedAt: ended},
		"id":     {ID: "1", HandoffKey: key("m"), N: 1, Version: 1, EndedAt: ended},
	} {
		if err := insertAssignments(ctx, db, row); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second assignment of one %s: %v: want ErrConflict", what, err)
		}
	}
	must(t, insertAssignments(ctx, db, store.Assignment{ID: "2", HandoffKey: key("l"), N: 2, Version: 1, EndedAt: ended}))
}

func assignmentsAreReadByHandoff(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	wanted := store.HandoffKey{Lead: "l", Cycle: 2}
	insertHandoffs(t, ctx, db, wanted, key("l"), store.HandoffKey{Lead: "L", Cycle: 2})
	var all, want []store.Assignment
	for i := range 9 {
		a := filled[store.Assignment](r)
		a.HandoffKey, a.N, a.Version = []store.HandoffKey{wanted, {Lead: "L", Cycle: 2}, key("l")}[i%3], uint32(1+i/3), 1
		if a.HandoffKey == wanted {
			want = append(want, a)
		}
		all = append(all, a)
	}
	want[2].EndedAt, all[6].EndedAt = time.Time{}, time.Time{} // the last one lives
	must(t, insertAssignments(ctx, db, reversed(all)...))
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		read, err := tx.Assignments(ctx, wanted)
		same(t, "read", read, want)
		none, err2 := tx.Assignments(ctx, store.HandoffKey{Lead: "none", Cycle: 2})
		same(t, "read of none", none, []store.Assignment{})
		return errors.Join(err, err2)
	})
}

func assignmentsSaveTheirEnd(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	row := filled[store.Assignment](r)
	row.Version, row.EndedAt, row.AcceptedAt, row.EndReason = 1, time.Time{}, time.Time{}, ""
	insertHandoffs(t, ctx, db, row.HandoffKey)
	must(t, insertAssignments(ctx, db, row))
	live := func() store.Assignment {
		t.Helper()
		var live map[string]store.Assignment
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
			live, err = tx.LiveAssignments(ctx, []string{row.Lead})
			return err
		})
		return live[row.Lead]
	}
	save := func(row store.Assignment) error {
		return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
			return tx.SaveAssignments(ctx, []store.Assignment{row})
		})
	}
	same(t, "inserted", live(), row)

	accepted := filled[store.Assignment](r) // all else stays as it was
	accepted.ID, accepted.Version, accepted.EndedAt = row.ID, 2, time.Time{}
	must(t, save(accepted))
	row.Version, row.AcceptedAt, row.EndReason = 2, accepted.AcceptedAt, accepted.EndReason
	same(t, "accepted", live(), row)

	for _, version := range []int64{1, 2, 4} {
		stale := row
		stale.Version, stale.EndedAt = version, time.Unix(1, 0)
		if err := save(stale); !errors.Is(err, store.ErrConflict) {
			t.Errorf("saving version %d over 2: %v: want ErrConflict", version, err)
		}
	}
	same(t, "after the conflicts", live(), row)

	row.Version, row.EndedAt, row.EndReason = 3, accepted.StartedAt, "breached"
	must(t, save(row))
	same(t, "live after the end", live(), store.Assignment{})
	must(t, db.EachAssignment(ctx, func(a store.Assignment, _ []store.ClockRow) error {
		same(t, "ended", a, row)
		return nil
	}))
}

func eachAssignmentIsOneSnapshot(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	ended := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var want []string
	for _, k := range []struct {
		lead     string
		cycle, n uint32
	}{{"B", 1, 1}, {"a", 1, 1}, {"a", 1, 2}, {"a", 1, 10}, {"a", 2, 1}, {"a", 10, 1}, {"b", 1, 1}} {
		id := fmt.Sprintf("%s/%d/%d", k.lead, k.cycle, k.n)
		want = append(want, id)
	}
	for _, id := range reversed(want) {
		a := store.Assignment{ID: id, Version: 1, EndedAt: ended}
		_, err := fmt.Sscanf(id, "%1s/%d/%d", &a.Lead, &a.Cycle, &a.N)
		must(t, err)
		insertHandoffs(t, ctx, db, a.HandoffKey)
		must(t, insertAssignments(ctx, db, a))
		insertClocks(t, ctx, db,
			store.ClockRow{ID: id + " late", HandoffKey: a.HandoffKey, Assignment: id, Version: 1, State: store.ClockOpen, DueAt: ended.Add(time.Hour)},
			store.ClockRow{ID: id + " early", HandoffKey: a.HandoffKey, Assignment: id, Version: 1, State: store.ClockMet, DueAt: ended})
	}
	var walked []string
	must(t, db.EachAssignment(ctx, func(a store.Assignment, clocks []store.ClockRow) error {
		if len(walked) == 0 { // what comes while the walk is under way belongs to the next one
			late := store.HandoffKey{Lead: "late", Cycle: 1}
			insertHandoffs(t, ctx, db, late)
			must(t, insertAssignments(ctx, db, store.Assignment{ID: "late", HandoffKey: late, N: 1, Version: 1}))
			insertClocks(t, ctx, db, store.ClockRow{ID: "late", HandoffKey: key("b"), Assignment: "b/1/1", Version: 1, State: store.ClockOpen})
		}
		walked = append(walked, a.ID)
		same(t, "clocks of "+a.ID, clockIDs(clocks), []string{a.ID + " early", a.ID + " late"})
		return nil
	}))
	same(t, "assignments in order", walked, want)
	err := db.EachAssignment(ctx, func(store.Assignment, []store.ClockRow) error { return errRefused })
	if !errors.Is(err, errRefused) {
		t.Fatalf("EachAssignment returned %v", err)
	}
}

func inboxShowsTheNearestFirst(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := map[string]store.InboxRow{}
	add := func(id, rep string, ended time.Time, due ...time.Time) {
		row := store.InboxRow{Handoff: filled[store.HandoffRow](r), Assignment: filled[store.Assignment](r)}
		row.Handoff.Lead, row.Assignment.ID, row.Assignment.Rep, row.Assignment.EndedAt = "lead of "+id, id, rep, ended
		row.Assignment.HandoffKey = row.Handoff.HandoffKey
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
			_, err := tx.InsertHandoffs(ctx, []store.HandoffRow{row.Handoff})
			return err
		})
		must(t, insertAssignments(ctx, db, row.Assignment))
		for i, d := range due {
			clock := filled[store.ClockRow](r)
			clock.ID, clock.HandoffKey, clock.Assignment, clock.DueAt, clock.State = fmt.Sprint(id, i), row.Handoff.HandoffKey, id, d, store.ClockOpen
			if d.Before(at) {
				clock.State = store.ClockMet // what is over makes nothing urgent
			}
			insertClocks(t, ctx, db, clock)
			row.Clocks = append(row.Clocks, clock)
		}
		slices.SortFunc(row.Clocks, func(a, b store.ClockRow) int { return a.DueAt.Compare(b.DueAt) })
		rows[id] = row
	}
	add("calm", "rep", time.Time{}, at.Add(5*time.Hour))
	add("urgent", "rep", time.Time{}, at.Add(9*time.Hour), at.Add(time.Hour))
	add("soon", "rep", time.Time{}, at.Add(2*time.Hour), at.Add(-time.Hour))
	add("none", "rep", time.Time{})
	add("done", "rep", time.Time{}, at.Add(-2*time.Hour))
	add("over", "rep", at, at.Add(time.Minute))
	add("other", "Rep", time.Time{}, at.Add(time.Minute))
	order := []string{"urgent", "soon", "calm", "done", "none"}
	for _, limit := range []int{10, 2} {
		read, err := db.Inbox(ctx, "rep", limit)
		must(t, err)
		var want []store.InboxRow
		for _, id := range order[:min(limit, len(order))] {
			want = append(want, rows[id])
		}
		same(t, "inbox", read, want)
	}
	empty, err := db.Inbox(ctx, "nobody", 10)
	must(t, err)
	same(t, "nobody's inbox", empty, []store.InboxRow{})
}
