package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
)

var errRefused = errors.New("refused by the test")

func message(text string) []store.Message {
	return []store.Message{{Partition: 1, Data: []byte(text)}}
}

// queued counts the outbox.
func queued(t *testing.T, ctx context.Context, db store.Relay) int {
	t.Helper()
	n, _, err := db.Queued(ctx)
	must(t, err)
	return n
}

func updateRollsBackOnError(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	calls := 0
	err := db.update(ctx, func(ctx context.Context, tx commonTx) error {
		calls++
		must(t, tx.lock(ctx, "k"))
		must(t, tx.Enqueue(ctx, message("never")))
		return fmt.Errorf("in the middle: %w", errRefused)
	})
	if !errors.Is(err, errRefused) || errors.Is(err, store.ErrConflict) {
		t.Fatalf("Update returned %v: want the function's own error", err)
	}
	if calls != 1 {
		t.Fatalf("a function whose error is no conflict ran %d times", calls)
	}
	if n := queued(t, ctx, db); n != 0 {
		t.Fatalf("%d messages of a transaction that was rolled back", n)
	}
}

func updateRollsBackOnPanic(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Update swallowed a panic")
			}
		}()
		_ = db.update(ctx, func(ctx context.Context, tx commonTx) error {
			must(t, tx.lock(ctx, "k"))
			must(t, tx.Enqueue(ctx, message("never")))
			panic("in the middle")
		})
	}()
	// The row's lock is free again, or this waits for ever.
	must(t, db.update(ctx, func(ctx context.Context, tx commonTx) error { return tx.lock(ctx, "k") }))
	if n := queued(t, ctx, db); n != 0 {
		t.Fatalf("%d messages of a transaction that panicked", n)
	}
}

func updateRetriesConflicts(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	calls := 0
	must(t, db.update(ctx, func(ctx context.Context, tx commonTx) error {
		calls++
		if err := tx.Enqueue(ctx, message(fmt.Sprint(calls))); err != nil {
			return err
		}
		if calls < 3 {
			return fmt.Errorf("call %d: %w", calls, store.ErrConflict)
		}
		return nil
	}))
	if calls != 3 {
		t.Fatalf("the function ran %d times, want 3", calls)
	}
	same(t, "what was queued", texted(relayAll(t, ctx, db)), []string{"3"})
}

func updateGivesUpOnLastingConflict(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	calls := 0
	err := db.update(ctx, func(ctx context.Context, tx commonTx) error {
		calls++
		if err := tx.Enqueue(ctx, message("never")); err != nil {
			return err
		}
		if calls > 100 {
			return fmt.Errorf("still called after %d conflicts: %w", calls, errRefused)
		}
		return fmt.Errorf("call %d: %w", calls, store.ErrConflict)
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Update returned %v: want ErrConflict", err)
	}
	if calls < 2 {
		t.Fatal("a conflict was not tried again")
	}
	if n := queued(t, ctx, db); n != 0 {
		t.Fatalf("%d messages of transactions that conflicted", n)
	}
}

func updateHeedsCancelBeforeCommit(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	inner, cancel := context.WithCancel(ctx)
	err := db.update(inner, func(ctx context.Context, tx commonTx) error {
		if err := tx.Enqueue(ctx, message("never")); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Update returned %v: want context.Canceled", err)
	}
	if n := queued(t, ctx, db); n != 0 {
		t.Fatalf("%d messages of a transaction that was cancelled", n)
	}
}

func updateHeedsCancelWhileWaiting(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	waiter, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	must(t, pair[0].update(ctx, func(ctx context.Context, tx commonTx) error {
		if err := tx.lock(ctx, "k"); err != nil {
			return err
		}
		started := make(chan struct{})
		go func() {
			close(started)
			result <- pair[1].update(waiter, func(ctx context.Context, tx commonTx) error { return tx.lock(ctx, "k") })
		}()
		<-started
		cancel()
		select { // it must end while the lock is held
		case err := <-result:
			result <- err
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}))
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("the one that waited returned %v: want context.Canceled", err)
	}
}
