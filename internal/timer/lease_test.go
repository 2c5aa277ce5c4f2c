package timer_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// An owner that lost its lease, unknowingly or by the clock, fires nothing more in that shard.
func TestLostLeaseStopsFiring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		running, stop := start(t, m.config("a"))
		synctest.Wait()
		running.Arm(0, m.write(0, "soon", time.Minute))
		m.change(func() { m.leases[0] = lease{"b", 2, m.now().Add(time.Hour)} })
		pass(2 * time.Minute)
		if looks, owned := m.looks(), running.Owned(); len(looks) != 0 || len(owned) != 0 || running.Armed() != 0 {
			t.Fatalf("fired %v, owns %v, %d armed", looks, owned, running.Armed())
		}
		running.Arm(0, store.Wake{At: m.now(), ID: "soon"})
		pass(time.Minute)
		if looks := m.looks(); len(looks) != 0 {
			t.Fatalf("fired %v in another's shard", looks)
		}
		m.change(func() { m.leases[0] = lease{"b", 2, m.now()} })
		pass(10 * time.Second)
		if got := names(m.looks()); !slices.Equal(got, []string{"soon"}) {
			t.Fatalf("fired %v after the lease ran out", got)
		}
		stop()
		m.check(t)
	})
}

// A Fire that hangs is cut off when the lease ends: from then on another may own the shard.
func TestHangingFireEndsWithTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := m.config("a")
		var hung atomic.Int64
		c.Fire = func(ctx context.Context, shard int, ids []string, now time.Time) error {
			if hung.Load() > 0 {
				return m.fire(ctx, shard, ids, now)
			}
			began := time.Now()
			<-ctx.Done()
			hung.Store(int64(time.Since(began)))
			return ctx.Err()
		}
		running, stop := start(t, c)
		synctest.Wait()
		running.Arm(0, m.write(0, "a", time.Second))
		pass(time.Minute)
		if looks := m.looks(); time.Duration(hung.Load()) > 15*time.Second || len(looks) != 1 {
			t.Fatalf("hung for %v, fired %v", time.Duration(hung.Load()), looks)
		}
		stop()
		m.check(t)
	})
}

// A stop gives the shards back at once; a replica that dies keeps them for its lease.
func TestShardsPassOn(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %v", killed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				first, stopFirst := start(t, m.config("a"))
				synctest.Wait()
				second, stopSecond := start(t, m.config("b"))
				synctest.Wait()
				first.Arm(0, m.write(0, "row", 2*time.Second))
				if len(first.Owned()) != 1 || len(second.Owned()) != 0 {
					t.Fatalf("the owners are %v and %v", first.Owned(), second.Owned())
				}
				if killed {
					m.change(func() { m.away = errAway })
				}
				stopFirst()
				m.change(func() { m.away = nil })
				most := 6 * time.Second // the second asks every third of the lease
				if killed {
					most += 15 * time.Second
				}
				pass(most)
				looks := m.looks()
				if len(second.Owned()) != 1 || len(looks) != 1 {
					t.Fatalf("after %v the second owns %v and fired %v", most, second.Owned(), looks)
				}
				if killed && looks[0].late < 5*time.Second {
					t.Errorf("the dead one's shard was taken before its lease ran out")
				}
				stopSecond()
				m.check(t)
			})
		})
	}
}
