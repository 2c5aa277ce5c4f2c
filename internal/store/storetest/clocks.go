package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func clockIDs(clocks []store.ClockRow) (ids []string) {
	for _, c := range clocks {
		ids = append(ids, c.ID)
	}
	return ids
}

// openClock is a clock of lead's first handoff, in version 1.
func openClock(id, lead string, due time.Time) store.ClockRow {
	return store.ClockRow{ID: id, HandoffKey: key(lead), Version: 1, State: store.ClockOpen, DueAt: due, WakeAt: due}
}

func saveClocks(t *testing.T, ctx context.Context, db store.Handoff, rows ...store.ClockRow) (won []bool) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
		won, err = tx.SaveClocks(ctx, rows)
		return err
	})
	return won
}

func readClocks(t *testing.T, ctx context.Context, db store.Handoff, ids ...string) (clocks []store.ClockRow) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
		clocks, err = tx.Clocks(ctx, ids)
		return err
	})
	return clocks
}

func byDue(a, b store.ClockRow) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) }

func clocksComeBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	var rows []store.ClockRow
	for i := range 12 {
		row := filled[store.ClockRow](r)
		row.HandoffKey, row.Version, row.State = key(fmt.Sprint("lead", i%3)), 1, store.ClockOpen
		if i < 6 {
			row.DueAt = instants()[5] // a tie: the id decides
		}
		if i%4 == 3 {
			row.State = store.ClockCancelled
		}
		rows = append(rows, row)
	}
	insertHandoffs(t, ctx, db, key("lead0"), key("lead1"), key("lead2"))
	insertClocks(t, ctx, db, rows...)
	slices.SortFunc(rows, byDue)
	ids := clockIDs(rows)
	same(t, "inserted", readClocks(t, ctx, db, append(reversed(ids), "none", ids[0])...), rows)

	var openOnes, next []store.ClockRow
	for _, row := range rows {
		if row.State != store.ClockOpen {
			continue
		}
		if row.Lead != "lead2" {
			openOnes = append(openOnes, row)
		}
		n := filled[store.ClockRow](r)
		n.ID, n.HandoffKey, n.Shard, n.Assignment, n.Name, n.Version = row.ID, row.HandoffKey, row.Shard, row.Assignment, row.Name, 2
		next = append(next, n)
	}
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		clocks, err := tx.OpenClocks(ctx, []store.HandoffKey{key("lead1"), key("lead0"), key("none"), {Lead: "lead2", Cycle: 2}, key("lead1")})
		same(t, "open", clocks, openOnes)
		return err
	})
	for i, won := range saveClocks(t, ctx, db, next...) {
		if !won {
			t.Errorf("clock %d was open and in the version before, and lost", i)
		}
	}
	slices.SortFunc(next, byDue)
	same(t, "saved", readClocks(t, ctx, db, clockIDs(next)...), next)
}

func clocksAreWonOnce(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	due := instants()[5]
	insertHandoffs(t, ctx, db, key("l"))
	met := openClock("met", "l", due)
	met.State = store.ClockMet
	insertClocks(t, ctx, db, openClock("a", "l", due), openClock("b", "l", due), openClock("c", "l", due), met)
	next := func(id string, version int64, state string) store.ClockRow {
		c := openClock(id, "l", due)
		c.Version, c.State = version, state
		return c
	}
	won := saveClocks(t, ctx, db,
		next("a", 2, store.ClockBreached),
		next("b", 1, store.ClockBreached), next("c", 3, store.ClockBreached), // versions that are not the next
		next("met", 2, store.ClockBreached), // not open
		next("none", 1, store.ClockBreached),
		next("b", 2, store.ClockOpen))
	same(t, "won", won, []bool{true, false, false, false, false, true})
	same(t, "won the second time", saveClocks(t, ctx, db, next("a", 2, store.ClockBreached), next("a", 3, store.ClockOpen), next("b", 3, store.ClockMet)),
		[]bool{false, false, true})
	same(t, "stored", readClocks(t, ctx, db, "a", "b", "c", "met"),
		[]store.ClockRow{next("a", 2, store.ClockBreached), next("b", 3, store.ClockMet), next("c", 1, store.ClockOpen), next("met", 1, store.ClockMet)})
	same(t, "won, named twice", saveClocks(t, ctx, db, next("c", 2, store.ClockBreached), next("c", 2, store.ClockMet)), []bool{true, false})
	same(t, "won of none", saveClocks(t, ctx, db), []bool{})
}

// clocksAreWonOnceUnderRace: two replicas fire the same clocks at once, in opposite orders, with no lock and the same knowledge. The
// breach is written by who won; a second one would be a conflict.
func clocksAreWonOnceUnderRace(t *testing.T, o Opener) {
	const n, rounds = 40, 6
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	insertHandoffs(t, ctx, pair[0], key("l"))
	for round := range rounds {
		var rows []store.ClockRow
		for _, id := range numbered(fmt.Sprint("clock-", round), n) {
			rows = append(rows, openClock(id, "l", instants()[5]))
		}
		insertClocks(t, ctx, pair[0], rows...)
		for i := range rows {
			rows[i].Version, rows[i].State = 2, store.ClockBreached
		}
		var won [2][]bool
		var group errgroup.Group
		for i, db := range pair {
			mine := slices.Clone(rows)
			if i == 1 {
				slices.Reverse(mine)
			}
			group.Go(func() error {
				return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) (err error) {
					won[i], err = tx.SaveClocks(ctx, mine)
					if err != nil {
						return err
					}
					var breaches []store.Breach
					for j, c := range mine {
						if won[i][j] {
							breaches = append(breaches, store.Breach{Clock: c.ID, Lead: c.Lead, DueAt: c.DueAt})
						}
					}
					return tx.InsertBreaches(ctx, breaches)
				})
			})
		}
		must(t, group.Wait())
		slices.Reverse(won[1])
		for i, c := range rows {
			if won[0][i] == won[1][i] {
				t.Fatalf("%s: won by the one: %v, by the other: %v", c.ID, won[0][i], won[1][i])
			}
		}
	}
}

// clocksThatAreMetCannotBeBreached: a response and the breach race for one clock. Whoever is second loses, and knows it.
func clocksThatAreMetCannotBeBreached(t *testing.T, o Opener) {
	const rounds = 20
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	insertHandoffs(t, ctx, pair[0], key("l"))
	for _, id := range numbered("clock", rounds) {
		insertClocks(t, ctx, pair[0], openClock(id, "l", instants()[5]))
		states, won := [2]string{store.ClockMet, store.ClockBreached}, [2]bool{}
		var group errgroup.Group
		for i, db := range pair {
			group.Go(func() error {
				return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
					next := openClock(id, "l", instants()[5])
					next.Version, next.State = 2, states[i]
					result, err := tx.SaveClocks(ctx, []store.ClockRow{next})
					won[i] = err == nil && result[0]
					return err
				})
			})
		}
		must(t, group.Wait())
		if won[0] == won[1] {
			t.Fatalf("%s: met %v, breached %v", id, won[0], won[1])
		}
		stored := readClocks(t, ctx, pair[0], id)[0]
		if (stored.State == store.ClockMet) != won[0] || stored.Version != 2 {
			t.Fatalf("%s is %s in version %d, met won: %v", id, stored.State, stored.Version, won[0])
		}
	}
}

// clocksLockLosesNoUpdate: Clocks locks, so what is read stays true until it is saved.
func clocksLockLosesNoUpdate(t *testing.T, o Opener) {
	const writers, rounds = 6, 8
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	insertHandoffs(t, ctx, pair[0], key("l"))
	ids := numbered("clock", 5)
	for i, id := range ids {
		insertClocks(t, ctx, pair[0], openClock(id, "l", instants()[5].Add(-time.Duration(i)*time.Hour)))
	}
	var group errgroup.Group
	for w := range writers {
		mine := ids
		if w%2 == 1 {
			mine = reversed(ids)
		}
		group.Go(func() error {
			for range rounds {
				err := pair[w%2].Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
					clocks, err := tx.Clocks(ctx, mine)
					if err != nil {
						return err
					}
					for i := range clocks {
						clocks[i].Version++
						clocks[i].Warned++
					}
					won, err := tx.SaveClocks(ctx, clocks)
					if err == nil && slices.Contains(won, false) {
						err = errors.New("a clock that was locked changed before it was saved")
					}
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
	for _, c := range readClocks(t, ctx, pair[0], ids...) {
		if c.Warned != writers*rounds {
			t.Errorf("%s counts %d of %d", c.ID, c.Warned, writers*rounds)
		}
	}
}

func breachesAreUnique(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	insert := func(rows ...store.Breach) error {
		return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertBreaches(ctx, rows) })
	}
	a, b, c := filled[store.Breach](r), filled[store.Breach](r), filled[store.Breach](r)
	a2, c2 := filled[store.Breach](r), filled[store.Breach](r)
	a2.Clock, c2.Clock = a.Clock, c.Clock
	must(t, insert(a))
	if err := insert(b, a2); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second breach of a clock: %v: want ErrConflict", err)
	}
	if err := insert(c, c2); !errors.Is(err, store.ErrConflict) {
		t.Errorf("two breaches of a clock in one call: %v: want ErrConflict", err)
	}
	must(t, insert(b, c)) // the conflicts left neither
}

func wakesArePagedInOrder(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	insertHandoffs(t, ctx, db, key("l"))
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := base.Add(20 * time.Second)
	var rows []store.ClockRow
	var want []store.Wake
	for i := range 40 {
		for _, name := range []string{"a", "B", "é"} { // three at each moment: the page's edge falls among equals
			c := openClock(fmt.Sprintf("%s%02d", name, i), "l", base.Add(time.Hour))
			c.WakeAt, c.Shard = base.Add(time.Duration(i)*time.Second), 7
			switch {
			case i%5 == 1:
				c.State = store.ClockMet
			case i%5 == 2:
				c.Shard = 8
			case c.WakeAt.Before(until):
				want = append(want, store.Wake{At: c.WakeAt, ID: c.ID})
			}
			rows = append(rows, c)
		}
	}
	old := openClock("old", "l", base)
	old.WakeAt, old.Shard = instants()[1], 7 // long before 1970: the zero cursor lies before it
	rows, want = append(rows, old), append(want, store.Wake{At: old.WakeAt, ID: old.ID})
	insertClocks(t, ctx, db, reversed(rows)...)
	slices.SortFunc(want, func(a, b store.Wake) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	for _, limit := range []int{1, 2, 7, 1000} {
		var read []store.Wake
		for after := (store.Wake{}); ; {
			page, err := db.WakesUntil(ctx, 7, until, after, limit)
			must(t, err)
			if len(page) > limit {
				t.Fatalf("%d rows of at most %d", len(page), limit)
			}
			read = append(read, page...)
			if len(page) < limit {
				break
			}
			after = page[len(page)-1]
		}
		same(t, fmt.Sprintf("wakes in pages of %d", limit), read, want)
	}
}

func overdueClocksAreCounted(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	insertHandoffs(t, ctx, db, key("l"))
	due := instants()[5]
	met := openClock("met", "l", due)
	met.State = store.ClockMet
	insertClocks(t, ctx, db, openClock("a", "l", due), openClock("b", "l", due.Add(time.Microsecond)), met)
	for after, want := range map[time.Duration]int{0: 0, time.Microsecond: 1, 2 * time.Microsecond: 2, time.Hour: 2} {
		n, err := db.OverdueClocks(ctx, due.Add(after))
		must(t, err)
		if n != want {
			t.Errorf("%v after the first is due: %d overdue, want %d", after, n, want)
		}
	}
}
