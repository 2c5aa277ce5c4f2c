package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func leaseHasOneOwner(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	acquire := func(replica int, name string, shard int, owner string, held bool, epoch int64) {
		t.Helper()
		got, e, err := pair[replica].Acquire(ctx, name, shard, owner, time.Hour)
		must(t, err)
		if got != held || held && e != epoch {
			t.Fatalf("%s asks for %s/%d: held %v, epoch %d: want %v, %d", owner, name, shard, got, e, held, epoch)
		}
	}
	acquire(0, "timer", 1, "a", true, 1)
	acquire(0, "timer", 1, "a", true, 1) // renewing is no change of owner
	acquire(1, "timer", 1, "b", false, 0)
	acquire(1, "timer", 1, "A", false, 0)
	acquire(1, "timer", 2, "b", true, 1) // shards and names are apart
	acquire(1, "sweep", 1, "b", true, 1)
	must(t, pair[1].Release(ctx, "timer", 1, "b")) // not its own
	acquire(1, "timer", 1, "b", false, 0)
	must(t, pair[0].Release(ctx, "timer", 1, "a"))
	acquire(1, "timer", 1, "b", true, 2)
	acquire(0, "timer", 1, "a", false, 0)
	must(t, pair[0].Release(ctx, "timer", 1, "a")) // no longer its own
	acquire(0, "timer", 1, "a", false, 0)
	must(t, pair[1].Release(ctx, "timer", 1, "b"))
	acquire(0, "timer", 1, "a", true, 3)
	must(t, pair[0].Release(ctx, "nobody's", 9, "a"))
}

// leaseEndsByTheStoresClock asks until it is given the lease, and then looks at the store's clock: not before the ttl was over.
func leaseEndsByTheStoresClock(t *testing.T, s service) {
	const ttl = 150 * time.Millisecond
	ctx, pair := within(t), s.pair(t)
	start, err := pair[0].Now(ctx)
	must(t, err)
	held, first, err := pair[0].Acquire(ctx, "timer", 0, "a", ttl)
	if !held || err != nil {
		t.Fatalf("a free lease: %v, %v", held, err)
	}
	for {
		held, epoch, err := pair[1].Acquire(ctx, "timer", 0, "b", time.Hour)
		must(t, err)
		now, err := pair[1].Now(ctx)
		must(t, err)
		if !held && now.After(start.Add(30*time.Second)) {
			t.Fatal("the lease does not end")
		}
		if held {
			if now.Before(start.Add(ttl)) {
				t.Fatalf("b has the lease %v after a took it for %v", now.Sub(start), ttl)
			}
			if epoch != first+1 {
				t.Fatalf("the epoch went from %d to %d", first, epoch)
			}
			break
		}
	}
	if held, _, err := pair[0].Acquire(ctx, "timer", 0, "a", ttl); held || err != nil {
		t.Fatalf("a lost the lease and asks again: %v, %v", held, err)
	}
}

func leaseIsTakenOnceByManyAtTheSameTime(t *testing.T, s service) {
	ctx, pair := within(t), s.pair(t)
	for shard := range 5 {
		var owners atomic.Int32
		var group errgroup.Group
		for i, owner := range numbered("owner", 6) {
			group.Go(func() error {
				held, _, err := pair[i%2].Acquire(ctx, "timer", shard, owner, time.Hour)
				if held {
					owners.Add(1)
				}
				return err
			})
		}
		must(t, group.Wait())
		if n := owners.Load(); n != 1 {
			t.Fatalf("shard %d has %d owners", shard, n)
		}
	}
}
