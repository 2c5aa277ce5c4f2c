package timer_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/timer"
)

// pass returns when d has passed in the bubble and everything that could run did.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func names(looks []look) []string {
	ids := make([]string, len(looks))
	for i, l := range looks {
		ids[i] = l.id
	}
	return ids
}

func TestFiresInOrderAndOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		running, stop := start(t, m.config("a"))
		synctest.Wait()
		if got := running.Owned(); !slices.Equal(got, []int{0}) {
			t.Fatalf("owns %v", got)
		}
		var want []string
		order := rand.New(rand.NewPCG(7, 7)).Perm(50)
		for i := range order {
			want = append(want, fmt.Sprintf("%02d", i))
		}
		for _, i := range order {
			running.Arm(0, m.write(0, want[i], time.Duration(3+i)*time.Second/2))
		}
		if n := running.Armed(); n != 50 {
			t.Fatalf("%d are armed", n)
		}
		pass(30 * time.Second)
		looks := m.looks()
		if got := names(looks); !slices.Equal(got, want) {
			t.Fatalf("fired %v", got)
		}
		for _, l := range looks {
			if l.late > time.Microsecond {
				t.Errorf("%s was %v late", l.id, l.late)
			}
		}
		if n, lag := running.Armed(), running.Lag(); n != 0 || lag > time.Microsecond {
			t.Errorf("%d are armed at the end, lag %v", n, lag)
		}
		stop()
		m.check(t)
	})
}

// What nobody armed, because another process wrote it or this one died in between, is found by the sweep.
func TestSweepFindsWhatWasNotArmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.write(0, "before the start", -time.Hour)
		_, stop := start(t, m.config("a"))
		pass(time.Second)
		m.write(0, "due at once", 0)
		m.write(0, "due beyond the next sweep", 90*time.Second)
		pass(2 * time.Minute)
		looks := m.looks()
		if got := names(looks); !slices.Equal(got, []string{"before the start", "due at once", "due beyond the next sweep"}) {
			t.Fatalf("fired %v", got)
		}
		if late := looks[1].late; late > time.Minute {
			t.Errorf("the hidden one was %v late, more than a sweep", late)
		}
		if late := looks[2].late; late > time.Microsecond {
			t.Errorf("what was due after the next sweep was %v late", late)
		}
		stop()
		m.check(t)
	})
}

// A row that moves is looked at when it is due, whatever was armed for it before.
func TestMovedRowFiresOnTimeAndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		running, stop := start(t, m.config("a"))
		synctest.Wait()
		for _, d := range []time.Duration{10 * time.Second, time.Hour, 30 * time.Second, 30 * time.Second} { // an hour is beyond the horizon
			running.Arm(0, m.write(0, "moved", d))
		}
		pass(40 * time.Second)
		if looks := m.looks(); len(looks) != 1 || looks[0].late > time.Microsecond {
			t.Fatalf("fired %v", looks)
		}
		running.Arm(0, m.write(0, "moved away", 10*time.Second))
		running.Arm(0, m.write(0, "moved away", time.Hour))
		pass(15 * time.Second)
		if looks := m.looks(); len(looks) != 1 {
			t.Errorf("fired %v, moved beyond the horizon", looks[1:])
		}
		stop()
		m.check(t)
	})
}

// What was armed and what the sweep found is one look.
func TestArmedAndSweptIsOneLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var given atomic.Int32
		c := m.config("a")
		c.Fire = func(ctx context.Context, shard int, ids []string, now time.Time) error {
			given.Add(int32(len(ids)))
			return m.fire(ctx, shard, ids, now)
		}
		running, stop := start(t, c)
		synctest.Wait()
		pass(50 * time.Second)
		for i := range 6 { // before, during and after the sweep at one minute
			wake := m.write(0, fmt.Sprint(i), 30*time.Second)
			running.Arm(0, wake, wake)
			if i == 3 {
				m.change(func() { m.read = func() { running.Arm(0, wake) } })
			}
			pass(3 * time.Second)
		}
		m.change(func() { m.read = nil })
		pass(time.Minute)
		if looks := m.looks(); len(looks) != 6 || given.Load() != 6 {
			t.Errorf("%d ids were given to fire %v", given.Load(), looks)
		}
		stop()
		m.check(t)
	})
}

// A wake-up that is armed while a new owner reads what he took over is not left to the sweep after.
func TestArmedWhileTheFirstSweepReadsIsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for i := range 2500 { // some pages
			m.write(0, fmt.Sprintf("row %04d", i), time.Duration(i)*time.Millisecond)
		}
		var running *timer.Timer
		pages := 0
		m.read = func() {
			pages++
			running.Arm(0, m.write(0, fmt.Sprintf("armed after page %d", pages), time.Duration(pages)*time.Second))
		}
		c := m.config("a")
		c.Batch = 500
		made, err := timer.New(c)
		if err != nil {
			t.Fatal(err)
		}
		running = made
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- made.Run(ctx) }()
		pass(30 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		armed := 0
		for _, l := range m.looks() {
			if strings.HasPrefix(l.id, "armed") {
				armed++
			}
			if l.late > time.Millisecond {
				t.Errorf("%s was %v late", l.id, l.late)
			}
		}
		if pages < 3 || armed != pages {
			t.Errorf("%d of %d were fired that were armed while a page was read", armed, pages)
		}
		m.check(t)
	})
}

// What the sweep read can be older than what was armed while it read.
func TestSweepDoesNotUndoWhatIsArmedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		running, stop := start(t, m.config("a"))
		synctest.Wait()
		pass(50 * time.Second)
		m.write(0, "moved", 20*time.Second)
		m.change(func() { m.read = func() { running.Arm(0, m.write(0, "moved", 30*time.Second)) } })
		pass(10 * time.Second) // the sweep comes by
		m.change(func() { m.read = nil })
		pass(50 * time.Second)
		if looks := m.looks(); len(looks) != 1 || looks[0].late > time.Microsecond {
			t.Fatalf("fired %v", looks)
		}
		stop()
		m.check(t)
	})
}

// The store's clock decides, wherever it stands and however it is set.
func TestClockThatIsSetNeverFiresEarly(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, -3 * time.Hour, 3 * time.Hour, -700 * time.Millisecond} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				m.skew = skew
				running, stop := start(t, m.config("a"))
				synctest.Wait()
				wake := m.write(0, "a", 20*time.Second)
				running.Arm(0, wake)
				pass(19 * time.Second)
				m.change(func() { m.skew -= 10 * time.Second }) // set back: 11 seconds are left
				pass(10 * time.Second)
				if looks := m.looks(); len(looks) != 0 {
					t.Fatalf("fired %v", looks)
				}
				pass(time.Second)
				if looks := m.looks(); len(looks) != 1 || looks[0].late > time.Microsecond {
					t.Fatalf("fired %v", looks)
				}
				running.Arm(0, m.write(0, "b", 5*time.Minute))
				pass(10 * time.Second)
				m.change(func() { m.skew += time.Hour }) // set forward, or this machine slept
				pass(1100 * time.Millisecond)
				if got := names(m.looks()); !slices.Equal(got, []string{"a", "b"}) {
					t.Fatalf("fired %v within a second of the jump", got)
				}
				stop()
				m.check(t)
			})
		})
	}
}

// A shard whose Fire fails keeps what is due; the others do not notice.
func TestFailingShardHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := m.config("a")
		c.Shards = 2
		var calls atomic.Int32
		var well atomic.Bool
		c.Fire = func(ctx context.Context, shard int, ids []string, now time.Time) error {
			if shard == 0 && !well.Load() {
				calls.Add(1)
				return errAway
			}
			return m.fire(ctx, shard, ids, now)
		}
		running, stop := start(t, c)
		synctest.Wait()
		for i := range 10 {
			running.Arm(0, m.write(0, fmt.Sprintf("sick %d", i), time.Second))
			running.Arm(1, m.write(1, fmt.Sprintf("well %d", i), time.Second))
		}
		pass(2 * time.Minute)
		for _, l := range m.looks() {
			if l.shard != 1 || l.late > time.Microsecond {
				t.Errorf("fired %v", l)
			}
		}
		if n := len(m.looks()); n != 10 {
			t.Fatalf("%d of 10 were fired in the shard that is well", n)
		}
		// Pauses grow to ten seconds, so each of the ten rows comes about two dozen times.
		if n := calls.Load(); n > 300 {
			t.Errorf("%d calls in two minutes", n)
		}
		if lag := running.Lag(); lag < time.Minute {
			t.Errorf("the lag is %v while a shard fails for two minutes", lag)
		}
		well.Store(true)
		pass(11 * time.Second)
		if n := len(m.looks()); n != 20 {
			t.Fatalf("%d of 20 were fired after the recovery", n)
		}
		stop()
		m.check(t)
	})
}

// One row that cannot be fired is found by halving and steps aside.
func TestBrokenRowHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := m.config("a")
		c.Batch = 64
		running, stop := start(t, c)
		synctest.Wait()
		m.broken["row 020"], m.broken["row 021"] = true, true
		for i := range 200 {
			running.Arm(0, m.write(0, fmt.Sprintf("row %03d", i), time.Second+time.Duration(i)*time.Microsecond))
		}
		pass(3 * time.Second)
		if n := len(m.looks()); n != 198 {
			t.Fatalf("%d of 198 were fired", n)
		}
		pass(2 * time.Minute) // and the sweep does not press
		m.change(func() { clear(m.broken) })
		pass(11 * time.Second)
		if n := len(m.looks()); n != 200 {
			t.Fatalf("%d of 200 were fired after the repair", n)
		}
		stop()
		m.check(t)
	})
}

// Fire may find that a row is not to be closed yet: as long as it is open and due, it is brought again.
func TestWhatIsLeftOpenComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var calls atomic.Int32
		c := m.config("a")
		c.Fire = func(ctx context.Context, shard int, ids []string, now time.Time) error {
			if calls.Add(1) < 3 {
				return nil
			}
			return m.fire(ctx, shard, ids, now)
		}
		running, stop := start(t, c)
		synctest.Wait()
		running.Arm(0, m.write(0, "stubborn", time.Second))
		pass(3 * time.Minute)
		if looks := m.looks(); len(looks) != 1 || calls.Load() != 3 {
			t.Fatalf("%d calls fired %v", calls.Load(), looks)
		}
		stop()
		m.check(t)
	})
}

func TestStoreThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		running, stop := start(t, m.config("a"))
		synctest.Wait()
		running.Arm(0, m.write(0, "second", 40*time.Second), m.write(0, "first", 30*time.Second))
		pass(10 * time.Second)
		m.change(func() { m.away = errAway })
		pass(5 * time.Minute)
		m.change(func() { m.away = nil })
		pass(2 * time.Second)
		if got := names(m.looks()); !slices.Equal(got, []string{"first", "second"}) {
			t.Fatalf("fired %v after the outage", got)
		}
		stop()
		m.check(t)
	})
}

// More than one sweep holds in memory.
func TestLongBacklogFiresInOrder(t *testing.T) {
	t.Parallel()
	const rows = 150_000
	began := time.Unix(1_800_000_000, 0).UTC()
	s := &backlog{now: began.Add(time.Hour), done: make(chan struct{})}
	for i := range rows {
		s.wakes = append(s.wakes, store.Wake{At: began.Add(time.Duration(i/3) * time.Millisecond), ID: fmt.Sprintf("row %06d", i)})
	}
	running, stop := start(t, timer.Config{Name: "clocks", Shards: 1, Owner: "a", Store: s, Fire: s.fire,
		Logger: slog.New(slog.DiscardHandler)})
	<-s.done
	if n := running.Armed(); n != 0 {
		t.Errorf("%d are armed at the end", n)
	}
	stop()
	for i, id := range s.fired {
		if want := s.wakes[i].ID; id != want {
			t.Fatalf("%s was fired in the place of %s", id, want)
		}
	}
}

// backlog is a store whose rows are all overdue.
type backlog struct {
	now   time.Time
	wakes []store.Wake
	fired []string
	done  chan struct{}
}

func (b *backlog) Now(context.Context) (time.Time, error) { return b.now, nil }

func (b *backlog) Acquire(context.Context, string, int, string, time.Duration) (bool, int64, error) {
	return true, 1, nil
}

func (b *backlog) Release(context.Context, string, int, string) error { return nil }

func (b *backlog) WakesUntil(_ context.Context, _ int, _ time.Time, after store.Wake, limit int) ([]store.Wake, error) {
	i, found := slices.BinarySearchFunc(b.wakes, after, compare)
	if found {
		i++
	}
	i = max(i, len(b.fired)) // what was fired is closed
	return b.wakes[i:min(i+limit, len(b.wakes))], nil
}

func (b *backlog) fire(_ context.Context, _ int, ids []string, _ time.Time) error {
	b.fired = append(b.fired, ids...)
	if len(b.fired) == len(b.wakes) {
		close(b.done)
	}
	return nil
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := timer.New(timer.Config{Batch: -1, Horizon: time.Second, Sweep: time.Second, LeaseTTL: -1})
	if err == nil {
		t.Fatal("an empty config was taken")
	}
	for _, fault := range []string{"Name", "Shards", "Owner", "Store", "Fire", "Batch", "Horizon", "LeaseTTL"} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("%q does not name %s", err, fault)
		}
	}
}
