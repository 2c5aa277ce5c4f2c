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

func activitiesAreUnique(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	a, b, c := filled[store.Activity](r), filled[store.Activity](r), filled[store.Activity](r)
	a.ID, b.ID, c.ID = "a", "A", "a "
	insert := func(rows ...store.Activity) (fresh []bool) {
		t.Helper()
		hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) (err error) {
			fresh, err = tx.InsertActivities(ctx, rows)
			return err
		})
		return fresh
	}
	same(t, "fresh", insert(a, b, a), []bool{true, true, false})
	same(t, "fresh", insert(b, c, a), []bool{false, true, false})
	same(t, "fresh of none", insert(), []bool{})
}

func activitiesAreReadByHandoff(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	wanted := store.HandoffKey{Lead: "l", Cycle: 2}
	var all, want []store.Activity
	for i := range 12 {
		a := filled[store.Activity](r)
		a.HandoffKey = []store.HandoffKey{wanted, {Lead: "L", Cycle: 2}, {Lead: "l", Cycle: 1}}[i%3]
		if i < 6 {
			a.OccurredAt = instants()[5] // a tie: the id decides
		}
		if a.HandoffKey == wanted {
			want = append(want, a)
		}
		all = append(all, a)
	}
	all[0].Outside, want[0].Outside = false, false
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.InsertActivities(ctx, all)
		return err
	})
	slices.SortFunc(want, func(a, b store.Activity) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.ID, b.ID))
	})
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		read, err := tx.Activities(ctx, wanted)
		same(t, "read", read, want)
		none, err2 := tx.Activities(ctx, store.HandoffKey{Lead: "none", Cycle: 2})
		same(t, "read of none", none, []store.Activity{})
		return errors.Join(err, err2)
	})
}

func insertNotices(t *testing.T, ctx context.Context, db store.Handoff, rows ...store.Notice) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertNotices(ctx, rows) })
}

func noticeKeys(notices []store.Notice) (keys []string) {
	for _, n := range notices {
		keys = append(keys, n.Key)
	}
	return keys
}

func noticesAreUniqueAndComeBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Handoff), random(t)
	now := instants()[5]
	var rows []store.Notice
	for i := range 6 {
		n := filled[store.Notice](r)
		n.State, n.NextAt = store.NoticePending, now.Add(-time.Duration(i/2)*time.Second)
		rows = append(rows, n)
	}
	again := filled[store.Notice](r)
	again.Key, again.State, again.NextAt = rows[0].Key, store.NoticePending, now.Add(-time.Hour)
	insertNotices(t, ctx, db, append(slices.Clone(rows), again)...)
	insertNotices(t, ctx, db, again)
	slices.SortFunc(rows, func(a, b store.Notice) int {
		if c := a.NextAt.Compare(b.NextAt); c != 0 {
			return c
		}
		return slices.Compare([]byte(a.Key), []byte(b.Key))
	})
	due, err := db.DueNotices(ctx, now, time.Hour, 10)
	must(t, err)
	for i := range due {
		due[i].NextAt = rows[min(i, len(rows)-1)].NextAt // when it is due again is told by who sends it
	}
	same(t, "due, the longest first", due, rows)
}

func noticesAreHiddenWhileClaimed(t *testing.T, o Opener) {
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	now := instants()[5]
	at := now.Add
	insertNotices(t, ctx, pair[0],
		store.Notice{Key: "early", State: store.NoticePending, NextAt: at(-time.Hour)},
		store.Notice{Key: "now", State: store.NoticePending, NextAt: now},
		store.Notice{Key: "soon", State: store.NoticePending, NextAt: at(time.Microsecond)})
	claim := func(replica int, d time.Duration, limit int, want ...string) []store.Notice {
		t.Helper()
		due, err := pair[replica].DueNotices(ctx, at(d), time.Minute, limit)
		must(t, err)
		same(t, fmt.Sprintf("due at %v", d), noticeKeys(due), want)
		return due
	}
	first := claim(0, 0, 1, "early")
	claim(1, 0, 10, "now")
	claim(0, 0, 10)
	claim(1, time.Minute-time.Microsecond, 10, "soon")
	claim(1, time.Minute, 10, "early", "now") // whoever claimed them is gone, and took nothing with it

	// What came of sending decides when it is due again, whatever the claim said.
	first[0].Attempts, first[0].NextAt, first[0].LastError = 1, at(2*time.Second), "503"
	must(t, pair[0].SaveNotices(ctx, first))
	claim(0, time.Second, 10)
	retried := claim(1, 2*time.Second, 10, "early")
	if n := retried[0]; n.Attempts != 1 || n.LastError != "503" {
		t.Fatalf("the notice came back with %d attempts and error %q", n.Attempts, n.LastError)
	}
}

func noticesAreClaimedOnceUnderRace(t *testing.T, o Opener) {
	const n, claimers = 60, 6
	ctx, pair := within(t), openPair(t, o.HandoffPair)
	now := instants()[5]
	var rows []store.Notice
	for _, key := range numbered("notice", n) {
		rows = append(rows, store.Notice{Key: key, State: store.NoticePending, NextAt: now})
	}
	insertNotices(t, ctx, pair[0], rows...)
	claimed := make([][]string, claimers)
	var group errgroup.Group
	for c := range claimers {
		group.Go(func() error {
			for range 4 * n { // one may come away with nothing while others hold what is due
				due, err := pair[c%2].DueNotices(ctx, now, time.Hour, 7)
				if err != nil {
					return err
				}
				claimed[c] = append(claimed[c], noticeKeys(due)...)
				if len(due) == 0 {
					return nil
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	rest, err := pair[0].DueNotices(ctx, now, time.Hour, n)
	must(t, err)
	all := append(slices.Concat(claimed...), noticeKeys(rest)...)
	slices.Sort(all)
	same(t, "each was claimed once", all, numbered("notice", n))
}

func noticesThatAreSentOrDeadStayQuiet(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Handoff)
	now := instants()[5]
	var rows []store.Notice
	for _, key := range []string{"a", "b", "c"} {
		rows = append(rows, store.Notice{Key: key, State: store.NoticePending, NextAt: now})
	}
	insertNotices(t, ctx, db, rows...)
	rows[0].State, rows[1].State = store.NoticeSent, store.NoticeDead
	must(t, db.SaveNotices(ctx, rows))
	must(t, db.SaveNotices(ctx, nil))
	due, err := db.DueNotices(ctx, now.Add(24*time.Hour), time.Hour, 10)
	must(t, err)
	same(t, "due", noticeKeys(due), []string{"c"})
}
