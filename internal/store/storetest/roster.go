package storetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func saveRoster(ctx context.Context, db store.Handoff, row store.RosterRow) (version int64, err error) {
	err = db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		version, err = tx.SaveRoster(ctx, row)
		return err
	})
	return version, err
}

func rosterKeepsItsHistory(t *testing.T, o Opener) {
	ctx, pair, r := within(t), openPair(t, o.HandoffPair), random(t)
	if _, err := pair[0].LatestRoster(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("LatestRoster before the first: %v: want ErrNotFound", err)
	}
	a, b := filled[store.RosterRow](r), filled[store.RosterRow](r)
	var history []store.RosterRow // the newest first
	save := func(row store.RosterRow, want bool) {
		t.Helper()
		version, err := saveRoster(ctx, pair[0], row)
		must(t, err)
		if (version > 0) != want {
			t.Fatalf("stored as version %d: want it stored: %v", version, want)
		}
		read, err := pair[1].LatestRoster(ctx)
		must(t, err)
		if want {
			if len(history) > 0 && version <= history[0].Version {
				t.Fatalf("version %d follows %d", version, history[0].Version)
			}
			row.Version = version
			history = append([]store.RosterRow{row}, history...)
		}
		same(t, "the newest", read, history[0])
	}
	save(a, true)
	save(a, false)
	save(b, true)
	save(b, false)
	save(a, true) // back to what it was is a version of its own

	for _, row := range history {
		read, err := pair[1].Roster(ctx, row.Version)
		must(t, err)
		same(t, "a version", read, row)
	}
	if _, err := pair[1].Roster(ctx, 1000); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a version that is not there: %v: want ErrNotFound", err)
	}
	bare := slices.Clone(history)
	for i := range bare {
		bare[i].Text = nil
	}
	for limit, want := range map[int][]store.RosterRow{10: bare, 2: bare[:2], 0: nil} {
		list, err := pair[1].ListRosters(ctx, limit)
		must(t, err)
		same(t, "the history", list, want)
	}

	c := filled[store.RosterRow](r)
	var stored atomic.Int32
	var group errgroup.Group
	for i := range 6 {
		group.Go(func() error {
			version, err := saveRoster(ctx, pair[i%2], c)
			if version > 0 {
				stored.Add(1)
			}
			return err
		})
	}
	must(t, group.Wait())
	if n := stored.Load(); n != 1 {
		t.Fatalf("one roster, saved by six at once, was stored %d times", n)
	}
}
