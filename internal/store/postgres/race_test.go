package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
)

// queue enqueues one message that holds text.
func queue(ctx context.Context, tx store.HandoffTx, text string) error {
	return tx.Enqueue(ctx, []store.Message{{Data: []byte(text)}})
}

// relayed relays once and returns what was published.
func relayed(t *testing.T, s store.Relay) (texts []string) {
	t.Helper()
	_, err := s.Relay(t.Context(), 100, func(_ context.Context, messages []store.Message) error {
		for _, m := range messages {
			texts = append(texts, string(m.Data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// A transaction that took its number first and commits last: a relay that remembers the last number would never meet it.
func TestRelayMeetsWhatBeganEarlierAndCommitsLater(t *testing.T) {
	t.Parallel()
	s := handoff(t, pgtest.Database(t), postgres.Options{})
	queued, commit, committed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		committed <- s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
			if err := queue(ctx, tx, "early"); err != nil {
				return err
			}
			close(queued)
			<-commit
			return nil
		})
	}()
	<-queued
	if err := s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return queue(ctx, tx, "late") }); err != nil {
		t.Fatal(err)
	}
	if got := relayed(t, s); !slices.Equal(got, []string{"late"}) {
		t.Fatalf("while the early one is open: %q", got)
	}
	close(commit)
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	if got := relayed(t, s); !slices.Equal(got, []string{"early"}) {
		t.Fatalf("after the early one committed: %q", got)
	}
}

// What commits while a relay publishes is not forgotten with what it published.
func TestRelayForgetsOnlyWhatItPublished(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	one, other := handoff(t, url, postgres.Options{}), handoff(t, url, postgres.Options{})
	add := func(text string) {
		if err := one.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return queue(ctx, tx, text) }); err != nil {
			t.Error(err)
		}
	}
	add("first")
	n, err := one.Relay(t.Context(), 100, func(context.Context, []store.Message) error {
		add("second")
		if got := relayed(t, other); got != nil {
			t.Errorf("a second relay published %q at the same time", got)
		}
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("%d were relayed: %v", n, err)
	}
	if got := relayed(t, other); !slices.Equal(got, []string{"second"}) {
		t.Fatalf("left: %q", got)
	}
}

// Published is published, although the service is told to stop at that moment.
func TestRelayForgetsAlthoughItIsToldToStop(t *testing.T) {
	t.Parallel()
	s := handoff(t, pgtest.Database(t), postgres.Options{})
	if err := s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return queue(ctx, tx, "once") }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	n, err := s.Relay(ctx, 100, func(context.Context, []store.Message) error { stop(); return nil })
	if n != 1 || err != nil {
		t.Fatalf("%d were relayed: %v", n, err)
	}
	if got := relayed(t, s); got != nil {
		t.Fatalf("published again: %q", got)
	}
}

// Two that lock against the order meet in a deadlock; the loser tries again and both are done.
func TestDeadlockIsAConflictAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := handoff(t, pgtest.Database(t), postgres.Options{})
	var calls atomic.Int32
	both := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	done := make(chan error, 2)
	for i, order := range [][]string{{"anna", "bob"}, {"bob", "anna"}} {
		go func() {
			first := true
			done <- s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
				calls.Add(1)
				if _, err := tx.LockPools(ctx, order[:1]); err != nil {
					return err
				}
				if first { // each holds one before either wants the other
					first = false
					close(both[i])
					<-both[1-i]
				}
				if _, err := tx.LockPools(ctx, order[1:]); err != nil {
					return err
				}
				return tx.AddLoads(ctx, []store.LoadChange{{Rep: order[1], Delta: 1, Capacity: 1}})
			})
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := calls.Load(); n < 3 {
		t.Fatalf("%d calls: they never met, so this proves nothing", n)
	}
	stored, _, err := s.RepLoads(t.Context())
	if err != nil || stored["anna"] != 1 || stored["bob"] != 1 {
		t.Fatalf("loads %v: %v", stored, err)
	}
}

// A function that goes on after a conflict must not commit what it wrote.
func TestNothingCommitsAfterAConflict(t *testing.T) {
	t.Parallel()
	s := handoff(t, pgtest.Database(t), postgres.Options{})
	calls := 0
	err := s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		calls++
		if err := queue(ctx, tx, "ghost"); err != nil {
			return err
		}
		_ = tx.SaveHandoffs(ctx, []store.HandoffRow{{HandoffKey: store.HandoffKey{Lead: "nobody"}, Version: 7}})
		return nil
	})
	if !errors.Is(err, store.ErrConflict) || calls < 2 {
		t.Fatalf("after %d calls: %v", calls, err)
	}
	if got := relayed(t, s); got != nil {
		t.Fatalf("committed: %q", got)
	}
}

// A connection that dies leaves it unknown whether the commit happened: only the caller may repeat it.
func TestLostConnectionIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := handoff(t, url, postgres.Options{Schema: "victim"})
	calls := 0
	err := s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		calls++
		if err := queue(ctx, tx, "ghost"); err != nil {
			return err
		}
		query[int](t, url, `SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'leadpact handoff'`)
		return nil
	})
	if err == nil || errors.Is(err, store.ErrConflict) || calls != 1 {
		t.Fatalf("after %d calls: %v", calls, err)
	}
	if got := relayed(t, s); got != nil { // and the pool has a new connection
		t.Fatalf("committed: %q", got)
	}
}

// Whoever waits for a lock that is never given back is told so, by the server.
func TestWaitingForALockEnds(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	holder, waiter := handoff(t, url, postgres.Options{}), handoff(t, url, postgres.Options{StatementTimeout: 500 * time.Millisecond})
	lock := func(ctx context.Context, tx store.HandoffTx) error {
		_, err := tx.LockPools(ctx, []string{"emea"})
		return err
	}
	err := holder.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		if err := waiter.Update(ctx, lock); err == nil || !strings.Contains(err.Error(), "statement timeout") {
			t.Errorf("the second got: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// LockHandoffs waits for a transaction that ends the newest handoff and begins a newer one: the newer one is what it must return.
func TestLockHandoffsSeesWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	one, other := handoff(t, url, postgres.Options{}), handoff(t, url, postgres.Options{})
	row := func(cycle uint32) []store.HandoffRow {
		return []store.HandoffRow{{HandoffKey: store.HandoffKey{Lead: "lead", Cycle: cycle}, Version: 1, State: store.HandoffWaiting}}
	}
	insert := func(ctx context.Context, tx store.HandoffTx, cycle uint32) error {
		_, err := tx.InsertHandoffs(ctx, row(cycle))
		return err
	}
	if err := one.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return insert(ctx, tx, 1) }); err != nil {
		t.Fatal(err)
	}
	locked := make(chan uint32, 1)
	failed := make(chan error, 1)
	err := one.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		if _, err := tx.LockHandoffs(ctx, []string{"lead"}); err != nil {
			return err
		}
		go func() {
			failed <- other.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
				rows, err := tx.LockHandoffs(ctx, []string{"lead"})
				if err == nil {
					locked <- rows[0].Cycle
				}
				return err
			})
		}()
		waitForAWaiter(t, url)
		return insert(ctx, tx, 2)
	})
	if err := errors.Join(err, <-failed); err != nil {
		t.Fatal(err)
	}
	if cycle := <-locked; cycle != 2 {
		t.Fatalf("cycle %d was locked", cycle)
	}
}

// A batch is inserted in order of its keys whatever its own order: one that waits at a key holds no later one. Two batches that
// share keys then wait in a line, not in a circle.
func TestBatchWaitsBeforeItTakesWhatComesLater(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	one, other := handoff(t, url, postgres.Options{}), handoff(t, url, postgres.Options{})
	insert := func(s store.Handoff, ids ...string) (fresh []bool, err error) {
		err = s.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
			rows := make([]store.Activity, len(ids))
			for i, id := range ids {
				rows[i].ID = id
			}
			fresh, err = tx.InsertActivities(ctx, rows)
			return err
		})
		return fresh, err
	}
	type result struct {
		fresh []bool
		err   error
	}
	waited := make(chan result, 1)
	err := one.Update(t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		if _, err := tx.InsertActivities(ctx, []store.Activity{{ID: "b"}}); err != nil {
			return err
		}
		go func() {
			fresh, err := insert(other, "c", "b")
			waited <- result{fresh, err}
		}()
		waitForAWaiter(t, url)
		fresh, err := insert(handoff(t, url, postgres.Options{StatementTimeout: 5 * time.Second}), "c")
		if err == nil && !fresh[0] {
			err = errors.New("c was taken by a batch that waits at b")
		}
		return err
	})
	if r := <-waited; err != nil || r.err != nil || !slices.Equal(r.fresh, []bool{false, false}) {
		t.Fatalf("%v; the batch that waited: %v, %v", err, r.fresh, r.err)
	}
}

// waitForAWaiter returns when a session of the database waits for a lock.
func waitForAWaiter(t *testing.T, url string) {
	t.Helper()
	for t.Context().Err() == nil {
		if query[int](t, url, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0 {
			return
		}
	}
}
