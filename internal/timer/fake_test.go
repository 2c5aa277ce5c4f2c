package timer_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/timer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory. Its clock runs with the process's, skew apart.
type memory struct {
	mu     sync.Mutex
	skew   time.Duration
	rows   map[string]*row
	leases map[int]lease
	away   error // what every call returns while the store is away
	fired  []look
	broken map[string]bool // ids whose Fire fails
	read   func()          // runs when a page was read and its reader does not have it yet
	faults []string
}

type row struct {
	shard int
	at    time.Time
	first time.Time // the earliest that at ever was
	open  bool
}

type lease struct {
	owner   string
	epoch   int64
	expires time.Time
}

// look is one id that was given to Fire while its row was open.
type look struct {
	id    string
	shard int
	at    time.Time // by the store's clock
	late  time.Duration
}

var errBroken, errAway = errors.New("the row is broken"), errors.New("the store is away")

func newMemory() *memory {
	return &memory{rows: map[string]*row{}, leases: map[int]lease{}, broken: map[string]bool{}}
}

func (m *memory) now() time.Time { return time.Now().Add(m.skew).UTC().Truncate(time.Microsecond) }

func (m *memory) Now(context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now(), m.away
}

func (m *memory) Acquire(_ context.Context, _ string, shard int, owner string, ttl time.Duration) (bool, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.leases[shard]
	if m.away != nil || l.owner != owner && m.now().Before(l.expires) {
		return false, l.epoch, m.away
	}
	if l.owner != owner {
		l.epoch++
	}
	m.leases[shard] = lease{owner, l.epoch, m.now().Add(ttl)}
	return true, l.epoch, nil
}

func (m *memory) Release(_ context.Context, _ string, shard int, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.leases[shard]; l.owner == owner && m.away == nil {
		m.leases[shard] = lease{owner, l.epoch, time.Time{}}
	}
	return m.away
}

func (m *memory) WakesUntil(_ context.Context, shard int, until time.Time, after store.Wake, limit int) ([]store.Wake, error) {
	m.mu.Lock()
	read := m.read
	defer func() {
		m.mu.Unlock()
		if read != nil {
			read()
		}
	}()
	var wakes []store.Wake
	for id, r := range m.rows {
		w := store.Wake{At: r.at, ID: id}
		if r.open && r.shard == shard && r.at.Before(until) && compare(w, after) > 0 {
			wakes = append(wakes, w)
		}
	}
	slices.SortFunc(wakes, compare)
	return wakes[:min(limit, len(wakes))], m.away
}

func compare(a, b store.Wake) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// write commits a row that is due in d by the store's clock.
func (m *memory) write(shard int, id string, d time.Duration) store.Wake {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.now().Add(d)
	first := at
	if old, ok := m.rows[id]; ok && old.first.Before(at) {
		first = old.first
	}
	m.rows[id] = &row{shard, at, first, true}
	return store.Wake{At: at, ID: id}
}

// change runs f with the store locked.
func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// fire closes what is open and due, like a real Fire: a row that is not is left alone.
func (m *memory) fire(_ context.Context, shard int, ids []string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return m.away
	}
	if now.After(m.now()) {
		m.faults = append(m.faults, "Fire was given a time that has not come")
	}
	for _, id := range ids {
		if m.broken[id] {
			return errBroken // and nothing is written
		}
	}
	for _, id := range ids {
		r := m.rows[id]
		switch {
		case !r.open:
		case r.shard != shard:
			m.faults = append(m.faults, id+" was fired in another shard")
		case r.first.After(now):
			m.faults = append(m.faults, id+" was fired early")
		case r.at.After(now): // a look that was planned before the row was moved
		default:
			r.open = false
			m.fired = append(m.fired, look{id, shard, now, now.Sub(r.at)})
		}
	}
	return nil
}

// looks returns what was fired so far, in order.
func (m *memory) looks() []look {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.fired)
}

func (m *memory) check(t *testing.T) {
	t.Helper()
	for _, fault := range m.faults {
		t.Error(fault)
	}
}

// config is one that tests change. The sweep is slow, so that what is on time is so because it was armed.
func (m *memory) config(owner string) timer.Config {
	return timer.Config{Name: "clocks", Shards: 1, Owner: owner, Store: m, Fire: m.fire, Batch: 4,
		Horizon: 10 * time.Minute, Sweep: time.Minute, LeaseTTL: 15 * time.Second, Logger: slog.New(slog.DiscardHandler)}
}

// start runs a timer until the test ends or stop is called.
func start(t *testing.T, c timer.Config) (_ *timer.Timer, stop func()) {
	t.Helper()
	made, err := timer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- made.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return made, stop
}
