package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

// relayAll empties the outbox.
func relayAll(t *testing.T, ctx context.Context, db store.Relay) []store.Message {
	t.Helper()
	var all []store.Message
	for {
		n, err := db.Relay(ctx, 1000, func(_ context.Context, messages []store.Message) error {
			all = append(all, messages...)
			return nil
		})
		must(t, err)
		if n == 0 {
			return all
		}
	}
}

func texted(messages []store.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, string(m.Data))
	}
	return out
}

func enqueue(t *testing.T, ctx context.Context, db common, texts ...string) {
	t.Helper()
	var messages []store.Message
	for i, text := range texts {
		messages = append(messages, store.Message{Partition: i, Data: []byte(text)})
	}
	must(t, db.update(ctx, func(ctx context.Context, tx commonTx) error { return tx.Enqueue(ctx, messages) }))
}

func outboxForgetsNothingButTheAccepted(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	if n, oldest, err := db.Queued(ctx); err != nil || n != 0 || !oldest.IsZero() {
		t.Fatalf("Queued of an empty outbox: %d, %v, %v", n, oldest, err)
	}
	before, err := db.Now(ctx)
	must(t, err)
	enqueue(t, ctx, db, "a", "b", "c\x00\xff")
	enqueue(t, ctx, db, "d", "e")
	after, err := db.Now(ctx)
	must(t, err)
	n, oldest, err := db.Queued(ctx)
	must(t, err)
	if n != 5 || oldest.Before(before) || oldest.After(after) {
		t.Fatalf("Queued: %d since %v: want 5 since between %v and %v", n, oldest, before, after)
	}

	var first []store.Message
	n, err = db.Relay(ctx, 3, func(_ context.Context, messages []store.Message) error {
		first = slices.Clone(messages)
		return errRefused
	})
	if n != 0 || !errors.Is(err, errRefused) {
		t.Fatalf("Relay with a publish that fails: %d, %v", n, err)
	}
	same(t, "first", texted(first), []string{"a", "b", "c\x00\xff"})
	for i, m := range first {
		if m.Partition != i || m.ID == 0 {
			t.Fatalf("message %d came back with partition %d and id %d", i, m.Partition, m.ID)
		}
	}
	if n := queued(t, ctx, db); n != 5 {
		t.Fatalf("%d messages are queued after a publish that failed: want 5", n)
	}

	n, err = db.Relay(ctx, 3, func(_ context.Context, messages []store.Message) error {
		same(t, "the same again, with the same ids", messages, first)
		return nil
	})
	if n != 3 || err != nil {
		t.Fatalf("Relay: %d, %v", n, err)
	}
	same(t, "the rest", texted(relayAll(t, ctx, db)), []string{"d", "e"})
	n, err = db.Relay(ctx, 3, func(context.Context, []store.Message) error {
		t.Error("publish was called with nothing to publish")
		return nil
	})
	if n != 0 || err != nil {
		t.Fatalf("Relay of an empty outbox: %d, %v", n, err)
	}
}

func outboxHidesWhatIsNotCommitted(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	err := pair[0].update(ctx, func(ctx context.Context, tx commonTx) error {
		if err := tx.Enqueue(ctx, message("never")); err != nil {
			return err
		}
		for _, db := range pair {
			n, err := db.Relay(ctx, 10, func(context.Context, []store.Message) error {
				t.Error("a message was relayed before its transaction committed")
				return nil
			})
			if n != 0 || err != nil {
				return fmt.Errorf("relay beside an open transaction: %d, %w", n, err)
			}
		}
		return errRefused
	})
	if !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	if all := relayAll(t, ctx, pair[1]); len(all) != 0 {
		t.Fatalf("a transaction that was rolled back left %q", texted(all))
	}
}

// An id names a message for ever: the bus drops what it has seen under the same one.
func outboxNeverReusesAnID(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	seen := map[int64]string{}
	for i := range 4 {
		enqueue(t, ctx, db, fmt.Sprint(i, "x"), fmt.Sprint(i, "y"))
		for _, m := range relayAll(t, ctx, db) {
			if before, ok := seen[m.ID]; ok {
				t.Fatalf("id %d named %q and now names %q", m.ID, before, m.Data)
			}
			seen[m.ID] = string(m.Data)
		}
	}
}

// outboxFindsWhatCommitsLate: a relay that goes by numbers passes over a message whose transaction took a number early and
// committed late.
func outboxFindsWhatCommitsLate(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	var relayed []string
	must(t, pair[0].update(ctx, func(ctx context.Context, tx commonTx) error {
		if err := tx.Enqueue(ctx, message("early")); err != nil {
			return err
		}
		if !s.concurrent {
			// There is no second transaction to overtake this one: it waits, for as long as its caller does.
			short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			err := pair[1].update(short, func(ctx context.Context, tx commonTx) error { return tx.Enqueue(ctx, message("beside")) })
			if !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("a second writer beside this one is not held up: is Opener.ConcurrentWriters wrong? %w", err)
			}
			return nil
		}
		if err := pair[1].update(ctx, func(ctx context.Context, tx commonTx) error { return tx.Enqueue(ctx, message("late")) }); err != nil {
			return err
		}
		relayed = append(relayed, texted(relayAll(t, ctx, pair[1]))...)
		return nil
	}))
	if !s.concurrent {
		enqueue(t, ctx, pair[1], "late")
	}
	relayed = append(relayed, texted(relayAll(t, ctx, pair[1]))...)
	slices.Sort(relayed)
	same(t, "relayed", relayed, []string{"early", "late"})
}

// relayHoldsUpNobody: publishing takes as long as the bus takes; writers do not wait for it, and what they queue meanwhile stays.
func relayHoldsUpNobody(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	enqueue(t, ctx, pair[0], "first")
	n, err := pair[0].Relay(ctx, 10, func(ctx context.Context, messages []store.Message) error {
		same(t, "published", texted(messages), []string{"first"})
		for i, db := range pair {
			enqueue(t, ctx, db, fmt.Sprint("meanwhile ", i))
		}
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("Relay: %d, %v", n, err)
	}
	same(t, "left", texted(relayAll(t, ctx, pair[0])), []string{"meanwhile 0", "meanwhile 1"})
}

func relayIsOneAtATime(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	enqueue(t, ctx, pair[0], "only once")
	n, err := pair[0].Relay(ctx, 10, func(ctx context.Context, _ []store.Message) error {
		for i, db := range pair {
			n, err := db.Relay(ctx, 10, func(context.Context, []store.Message) error {
				t.Errorf("replica %d relays beside another", i)
				return nil
			})
			if n != 0 || err != nil {
				t.Errorf("a relay that finds another at work: %d, %v: want 0, nil", n, err)
			}
		}
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("Relay: %d, %v", n, err)
	}
	enqueue(t, ctx, pair[0], "next")
	same(t, "the other's turn", texted(relayAll(t, ctx, pair[1])), []string{"next"})
}

func relayIsFreeAfterCancelAndPanic(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	enqueue(t, ctx, pair[0], "kept")
	inner, cancel := context.WithCancel(ctx)
	_, err := pair[0].Relay(inner, 10, func(ctx context.Context, _ []store.Message) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a relay that was cancelled returned %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = pair[0].Relay(ctx, 10, func(context.Context, []store.Message) error { panic("in publish") })
		t.Error("Relay swallowed a panic")
	}()
	same(t, "relayed by the other", texted(relayAll(t, ctx, pair[1])), []string{"kept"})
}

// relayUnderLoad: writers and relays on two replicas, transactions that fail and a bus that fails. What was committed comes out at
// least once, in order per lead, under one id; what was not committed never does.
func relayUnderLoad(t *testing.T, s service) {
	const writers, rounds, keys = 4, 15, 3
	ctx, pair, start := within(t), s.pair(t), seed(t)

	next := make([]int, keys) // guarded by each key's lock in the store; read after the writers are done
	var writing errgroup.Group
	for w := range writers {
		writing.Go(func() error {
			r := rand.New(rand.NewPCG(start, uint64(w)))
			for range rounds {
				key, fails := r.IntN(keys), r.IntN(4) == 0
				err := pair[w%2].update(ctx, func(ctx context.Context, tx commonTx) error {
					if err := tx.lock(ctx, fmt.Sprint("lead", key)); err != nil {
						return err
					}
					text := fmt.Sprintf("%d:%d", key, next[key])
					if fails {
						text = "ghost"
					}
					if err := tx.Enqueue(ctx, message(text)); err != nil {
						return err
					}
					if fails {
						return errRefused
					}
					next[key]++
					return nil
				})
				if fails && errors.Is(err, errRefused) {
					err = nil
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}

	var mu sync.Mutex
	var published []store.Message
	publish := func(_ context.Context, messages []store.Message) error {
		mu.Lock()
		defer mu.Unlock()
		published = append(published, messages...)
		return nil
	}
	var written atomic.Bool
	var relaying errgroup.Group
	for i, db := range pair {
		relaying.Go(func() error {
			r := rand.New(rand.NewPCG(start, uint64(100+i)))
			for !written.Load() {
				fails := r.IntN(4) == 0
				_, err := db.Relay(ctx, 1+r.IntN(5), func(ctx context.Context, messages []store.Message) error {
					if err := publish(ctx, messages); err != nil || !fails {
						return err
					}
					return errRefused
				})
				if err != nil && !errors.Is(err, errRefused) {
					return err
				}
			}
			return nil
		})
	}
	err := writing.Wait()
	written.Store(true)
	must(t, errors.Join(err, relaying.Wait()))
	must(t, publish(ctx, relayAll(t, ctx, pair[0])))

	byID, last := map[int64]string{}, make([]int, keys)
	for _, m := range published {
		text := string(m.Data)
		if before, ok := byID[m.ID]; ok {
			if before != text {
				t.Fatalf("id %d came with %q and with %q", m.ID, before, text)
			}
			continue
		}
		byID[m.ID] = text
		var key, n int
		if _, err := fmt.Sscanf(text, "%d:%d", &key, &n); err != nil {
			t.Fatalf("%q came out and was never committed", text)
		}
		if n != last[key] {
			t.Fatalf("lead %d: message %d came out when %d was next", key, n, last[key])
		}
		last[key]++
	}
	same(t, "messages of each lead", last, next)
}
