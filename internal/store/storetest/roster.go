package storetest

import (
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func rosterKeepsItsHistory(t *testing.T, o Opener) {
	ctx, pair, r := within(t), openPair(t, o.HandoffPair), random(t)
	if _, err := pair[0].LatestRoster(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("LatestRoster before the first: %v: want ErrNotFound", err)
	}
	a, b := filled[store.RosterRow](r), filled[store.RosterRow](r)
	var last int64
	save := func(row store.RosterRow, want bool) {
		t.Helper()
		stored, err := pair[0].SaveRoster(ctx, row)
		must(t, err)
		if stored != want {
			t.Fatalf("stored: %v: want %v", stored, want)
		}
		read, err := pair[1].LatestRoster(ctx)
		must(t, err)
		if want && read.Version <= last {
			t.Fatalf("version %d follows %d", read.Version, last)
		}
		last, row.Version = read.Version, read.Version
		same(t, "the newest", read, row)
	}
	save(a, true)
	save(a, false)
	save(b, true)
	save(b, false)
	save(a, true) // back to what it was is a version of its own

	c := filled[store.RosterRow](r)
	var stored atomic.Int32
	var group errgroup.Group
	for i := range 6 {
		group.Go(func() error {
			fresh, err := pair[i%2].SaveRoster(ctx, c)
			if fresh {
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
