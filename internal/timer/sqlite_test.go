package timer_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/internal/timer"
)

func openHandoff(t *testing.T, path string) store.Handoff {
	t.Helper()
	db, err := sqlite.OpenHandoff(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func insertClocks(t *testing.T, db store.Handoff, due time.Time, ids ...string) {
	t.Helper()
	rows := make([]store.ClockRow, len(ids))
	for i, id := range ids {
		at := due.Add(time.Duration(i) * time.Millisecond)
		rows[i] = store.ClockRow{ID: id, HandoffKey: store.HandoffKey{Lead: id, Cycle: 1}, Version: 1, State: store.ClockOpen, DueAt: at, WakeAt: at}
	}
	if err := db.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertClocks(ctx, rows) }); err != nil {
		t.Fatal(err)
	}
}

// breach fires as a service does: it reads the rows, decides again, and tells of those that it won. It does not lock them, so
// that only compare-and-set stands between two that fire at once.
func breach(db store.Handoff, won chan<- string) func(context.Context, int, []string, time.Time) error {
	return func(ctx context.Context, _ int, ids []string, now time.Time) error {
		var breaches []store.Breach
		err := db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
			breaches = nil
			rows, err := tx.Clocks(ctx, ids)
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(c store.ClockRow) bool { return c.State != store.ClockOpen || c.DueAt.After(now) })
			for i := range rows {
				rows[i].Version++
				rows[i].State = store.ClockBreached
			}
			saved, err := tx.SaveClocks(ctx, rows)
			for i, ok := range saved {
				if ok {
					breaches = append(breaches, store.Breach{Clock: rows[i].ID, Lead: rows[i].Lead, DueAt: rows[i].DueAt, RecordedAt: now})
				}
			}
			if err != nil {
				return err
			}
			return tx.InsertBreaches(ctx, breaches)
		})
		if err == nil {
			for _, b := range breaches {
				won <- b.Clock
			}
		}
		return err
	}
}

// everyones is a store that gives the lease to whoever asks: two owners at once, each believing that it is alone.
type everyones struct{ store.Handoff }

func (everyones) Acquire(context.Context, string, int, string, time.Duration) (bool, int64, error) {
	return true, 1, nil
}

func TestTwoOwnersFireNoClockTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "handoff.db")
	one, other := openHandoff(t, path), openHandoff(t, path)
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf("clock %03d", i))
	}
	insertClocks(t, one, time.Now(), ids...)
	won := make(chan string, 2*len(ids))
	var both sync.WaitGroup
	both.Add(2)
	for i, db := range []store.Handoff{one, other} {
		looked := sync.OnceFunc(both.Done)
		fire := breach(db, won)
		_, stop := start(t, timer.Config{Name: "clocks", Shards: 1, Owner: fmt.Sprint(i), Store: everyones{db}, Batch: 7,
			Sweep: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
			Fire: func(ctx context.Context, shard int, ids []string, now time.Time) error {
				looked()
				return fire(ctx, shard, ids, now)
			}})
		defer stop()
	}
	times := map[string]int{}
	for range ids {
		times[<-won]++
	}
	both.Wait() // or there was only one
	for _, id := range ids {
		if times[id] != 1 {
			t.Errorf("%s was fired %d times", id, times[id])
		}
	}
	if n, err := one.OverdueClocks(t.Context(), time.Now()); n != 0 || err != nil {
		t.Errorf("%d are left (%v)", n, err)
	}
	if len(won) != 0 {
		t.Errorf("%d more were fired", len(won))
	}
}

// dead is a store of a process that is killed: nothing is given back.
type dead struct{ store.Handoff }

func (dead) Release(context.Context, string, int, string) error { return nil }

func TestShardOfAKilledOwnerIsTakenOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "handoff.db")
	victim, heir := openHandoff(t, path), openHandoff(t, path)
	const ttl = 2 * time.Second
	byVictim, byHeir := make(chan string, 2), make(chan string, 2)
	c := timer.Config{Name: "clocks", Shards: 1, LeaseTTL: ttl, Sweep: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}

	c.Owner, c.Store, c.Fire = "victim", dead{victim}, breach(victim, byVictim)
	_, kill := start(t, c)
	insertClocks(t, heir, time.Now(), "first")
	if got := <-byVictim; got != "first" {
		t.Fatalf("the first owner fired %q", got)
	}
	c.Owner, c.Store, c.Fire = "heir", heir, breach(heir, byHeir)
	start(t, c)
	kill()
	insertClocks(t, heir, time.Now(), "second")
	if got := <-byHeir; got != "second" {
		t.Fatalf("the second owner fired %q", got)
	}
	if held, epoch, err := heir.Acquire(t.Context(), "clocks", 0, "heir", ttl); !held || epoch != 2 || err != nil {
		t.Errorf("held %v, epoch %d, %v", held, epoch, err)
	}
}
