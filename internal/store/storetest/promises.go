package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func lockPromises(t *testing.T, ctx context.Context, db store.Handoff, ids ...string) (promises []store.Promise) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
		promises, err = tx.LockPromises(ctx, ids)
		return err
	})
	return promises
}

func saveFired(ctx context.Context, db store.Handoff, fired store.Fired) error {
	return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return tx.SaveFired(ctx, fired) })
}

// promisesAreLocked: what is open comes with its own handoff, whatever else the lead has.
func promisesAreLocked(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	var want []store.Promise
	var handoffs []store.HandoffRow
	var clocks []store.ClockRow
	for i := range 12 {
		h := filled[store.HandoffRow](r)
		h.HandoffKey, h.Version = store.HandoffKey{Lead: fmt.Sprint("lead", i%6), Cycle: uint32(1 + i/6)}, 1
		c := filled[store.ClockRow](r)
		c.HandoffKey, c.Version, c.State = h.HandoffKey, 1, store.ClockOpen
		if i < 4 {
			c.DueAt = instants()[5] // a tie: the id decides
		}
		if i%5 == 4 {
			c.State = store.ClockMet
		} else {
			want = append(want, store.Promise{ClockRow: c, HandoffState: h.State, HandoffAgreement: h.Agreement, Pool: h.Pool, Grade: h.Grade, Channel: h.Channel, Cause: h.Cause})
		}
		handoffs, clocks = append(handoffs, h), append(clocks, c)
	}
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.InsertHandoffs(ctx, handoffs)
		return errors.Join(err, tx.InsertClocks(ctx, clocks))
	})
	slices.SortFunc(want, func(a, b store.Promise) int { return byDue(a.ClockRow, b.ClockRow) })
	ids := clockIDs(clocks)
	same(t, "locked", lockPromises(t, ctx, db, append(reversed(ids), "none", ids[0])...), want)
	same(t, "locked of one", lockPromises(t, ctx, db, want[3].ID), want[3:4])
	same(t, "locked of none", lockPromises(t, ctx, db), []store.Promise{})
}

// promisesAreFiredAtOnce: all of it is written, or on a conflict nothing.
func promisesAreFiredAtOnce(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	insertHandoffs(t, ctx, db, key("l"))
	due := instants()[5]
	insertClocks(t, ctx, db, openClock("a", "l", due), openClock("b", "l", due), openClock("c", "l", due))
	rows := readClocks(t, ctx, db, "a", "b", "c")
	next := func(i int, version int64, state string) store.ClockRow {
		c := filled[store.ClockRow](r)
		c.ID, c.Version, c.State = rows[i].ID, version, state
		rows[i].Version, rows[i].State, rows[i].WakeAt, rows[i].Warned, rows[i].StoppedAt = version, state, c.WakeAt, c.Warned, c.StoppedAt
		return c
	}
	notice := filled[store.Notice](r)
	notice.State, notice.NextAt = store.NoticePending, due
	fired := store.Fired{
		Clocks:   []store.ClockRow{next(1, 2, store.ClockOpen), next(0, 2, store.ClockBreached)},
		Breaches: []store.Breach{{Clock: "a", Lead: "l", DueAt: due, RecordedAt: due}},
		Notices:  []store.Notice{notice},
		Messages: []store.Message{{Partition: 1, Data: []byte("told")}},
	}
	must(t, saveFired(ctx, db, fired))
	must(t, saveFired(ctx, db, store.Fired{}))
	same(t, "clocks", readClocks(t, ctx, db, "a", "b", "c"), rows)
	notices, err := db.DueNotices(ctx, due, 0, 10)
	must(t, err)
	if len(notices) != 1 || notices[0].Key != notice.Key {
		t.Errorf("%d notices are due: want the one that was saved", len(notices))
	}
	again := store.Fired{Breaches: fired.Breaches, Messages: fired.Messages}
	if err := saveFired(ctx, db, again); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second breach of a clock: %v: want ErrConflict", err)
	}
	kept := slices.Clone(rows)
	for what, c := range map[string]store.ClockRow{
		"a closed one": next(0, 3, store.ClockOpen), "a version ahead": next(2, 3, store.ClockMet), "a version behind": next(1, 2, store.ClockMet), "none": openClock("none", "l", due),
	} {
		good := openClock("c", "l", due)
		good.Version, good.State = 2, store.ClockMet
		err := saveFired(ctx, db, store.Fired{Clocks: []store.ClockRow{good, c}, Messages: fired.Messages})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v: want ErrConflict", what, err)
		}
	}
	same(t, "clocks after the conflicts", readClocks(t, ctx, db, "a", "b", "c"), kept)
	if n := len(relayAll(t, ctx, db)); n != 1 {
		t.Errorf("%d messages are queued: want the one of the transaction that was committed", n)
	}
}

// promisesAreFiredOnceUnderRace: two replicas fire the same clocks, while a third moves some of them with SaveClocks. Each is closed
// once, and what was locked is saved.
func promisesAreFiredOnceUnderRace(t *testing.T, o Opener) {
	const n, rounds = 30, 6
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	insertHandoffs(t, ctx, pair[0], key("l"))
	for round := range rounds {
		ids := numbered(fmt.Sprint("clock-", round), n)
		var rows []store.ClockRow
		for _, id := range ids {
			rows = append(rows, openClock(id, "l", instants()[5]))
		}
		insertClocks(t, ctx, pair[0], rows...)
		var closed [3]int
		var group errgroup.Group
		for i := range 2 {
			mine := ids
			if i == 1 {
				mine = reversed(ids)
			}
			group.Go(func() error {
				return pair[i].Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
					promises, err := tx.LockPromises(ctx, mine)
					if err != nil {
						return err
					}
					var fired store.Fired
					for _, p := range promises {
						p.Version++
						p.State = store.ClockBreached
						fired.Clocks = append(fired.Clocks, p.ClockRow)
						fired.Breaches = append(fired.Breaches, store.Breach{Clock: p.ID, Lead: p.Lead, DueAt: p.DueAt})
					}
					closed[i] = len(promises)
					return tx.SaveFired(ctx, fired)
				})
			})
		}
		group.Go(func() error {
			return pair[round%2].Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
				mine := slices.Clone(rows[:n/2])
				for i := range mine {
					mine[i].Version, mine[i].State = 2, store.ClockMet
				}
				won, err := tx.SaveClocks(ctx, mine)
				closed[2] = 0
				for _, ok := range won {
					if ok {
						closed[2]++
					}
				}
				return err
			})
		})
		must(t, group.Wait())
		if closed[0]+closed[1]+closed[2] != n {
			t.Fatalf("%v of %d were closed by each", closed, n)
		}
		if left := lockPromises(t, ctx, pair[1], ids...); len(left) != 0 {
			t.Fatalf("%d are open still", len(left))
		}
	}
}

func missed(t *testing.T, ctx context.Context, db store.Handoff, key store.HandoffKey) (promises []store.Promise) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
		promises, err = tx.MissedPromises(ctx, key)
		return err
	})
	return promises
}

func correctClocks(ctx context.Context, db store.Handoff, rows ...store.ClockRow) error {
	return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return tx.CorrectClocks(ctx, rows) })
}

// missedPromisesAreRead: of one handoff, what is breached and not corrected, with what the handoff says.
func missedPromisesAreRead(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	h := filled[store.HandoffRow](r)
	h.HandoffKey, h.Version = store.HandoffKey{Lead: "l", Cycle: 2}, 1
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.InsertHandoffs(ctx, []store.HandoffRow{h})
		return err
	})
	insertHandoffs(t, ctx, db, key("l"), store.HandoffKey{Lead: "L", Cycle: 2})
	var want []store.Promise
	var clocks []store.ClockRow
	for i := range 16 {
		c := filled[store.ClockRow](r)
		c.HandoffKey, c.Version, c.State, c.RespondedAt, c.Witness = h.HandoffKey, 2, store.ClockBreached, time.Time{}, ""
		if i < 8 {
			c.DueAt = instants()[5] // a tie: the id decides
		}
		switch i % 8 {
		case 1:
			c.State = []string{store.ClockOpen, store.ClockMet}[i/8]
		case 2:
			c.HandoffKey = key("l")
		case 3:
			c.HandoffKey.Lead = "L"
		case 4:
			c.RespondedAt, c.Witness = instants()[5], "crm"
		default:
			want = append(want, store.Promise{ClockRow: c, HandoffState: h.State, HandoffAgreement: h.Agreement, Pool: h.Pool, Grade: h.Grade, Channel: h.Channel, Cause: h.Cause})
		}
		clocks = append(clocks, c)
	}
	insertClocks(t, ctx, db, clocks...)
	slices.SortFunc(want, func(a, b store.Promise) int { return byDue(a.ClockRow, b.ClockRow) })
	same(t, "missed", missed(t, ctx, db, h.HandoffKey), want)
	same(t, "missed of none", missed(t, ctx, db, store.HandoffKey{Lead: "none", Cycle: 2}), []store.Promise{})
}

// clocksAreCorrectedOnce: only what is breached is corrected, and only once; on a conflict nothing is.
func clocksAreCorrectedOnce(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	insertHandoffs(t, ctx, db, key("l"))
	due := instants()[5]
	var rows []store.ClockRow
	for id, state := range map[string]string{"a": store.ClockBreached, "b": store.ClockBreached, "open": store.ClockOpen, "met": store.ClockMet} {
		c := openClock(id, "l", due)
		c.State = state
		rows = append(rows, c)
	}
	insertClocks(t, ctx, db, rows...)
	turned := func(id string, version int64) store.ClockRow {
		c := filled[store.ClockRow](r)
		c.ID, c.Version = id, version
		return c
	}
	for what, rows := range map[string][]store.ClockRow{
		"an open one": {turned("a", 2), turned("open", 2)}, "a met one": {turned("met", 2), turned("a", 2)},
		"a version ahead": {turned("a", 2), turned("b", 3)}, "a version behind": {turned("a", 2), turned("b", 1)}, "none": {turned("a", 2), turned("none", 2)},
	} {
		if err := correctClocks(ctx, db, rows...); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v: want ErrConflict", what, err)
		}
	}
	a, want := turned("a", 2), readClocks(t, ctx, db, "a")[0]
	want.Version, want.RespondedAt, want.Witness = 2, a.RespondedAt, a.Witness
	must(t, correctClocks(ctx, db, a))
	must(t, correctClocks(ctx, db))
	same(t, "corrected", readClocks(t, ctx, db, "a"), []store.ClockRow{want})
	if err := correctClocks(ctx, db, turned("a", 3)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second correction: %v: want ErrConflict", err)
	}
	if left := missed(t, ctx, db, key("l")); len(left) != 1 || left[0].ID != "b" {
		t.Errorf("left as missed: %v: want b", left)
	}
	// What is broken and corrected in one transaction is written as any clock that moves.
	both := openClock("open", "l", due)
	both.Version, both.State, both.RespondedAt, both.Witness = 2, store.ClockBreached, due.Add(-time.Minute), "crm"
	same(t, "won", saveClocks(t, ctx, db, both), []bool{true})
	same(t, "broken and corrected", readClocks(t, ctx, db, "open"), []store.ClockRow{both})
}

// clocksAreCorrectedOnceUnderRace: of two replicas that hear of the same late truth one corrects the clock.
func clocksAreCorrectedOnceUnderRace(t *testing.T, o Opener) {
	const rounds = 20
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	insertHandoffs(t, ctx, pair[0], key("l"))
	for _, id := range numbered("clock", rounds) {
		c := openClock(id, "l", instants()[5])
		c.State = store.ClockBreached
		insertClocks(t, ctx, pair[0], c)
		var won [2]bool
		var group errgroup.Group
		for i, db := range pair {
			group.Go(func() error {
				mine := c
				mine.Version, mine.RespondedAt, mine.Witness = 2, instants()[4], fmt.Sprint("witness ", i)
				err := correctClocks(ctx, db, mine)
				won[i] = err == nil
				if errors.Is(err, store.ErrConflict) {
					return nil
				}
				return err
			})
		}
		must(t, group.Wait())
		stored := readClocks(t, ctx, pair[0], id)[0]
		if won[0] == won[1] || (stored.Witness == "witness 0") != won[0] {
			t.Fatalf("%s was corrected by the one: %v, by the other: %v; stored is %q", id, won[0], won[1], stored.Witness)
		}
	}
}
