package timer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// Store is what a timer needs of a store. store.Handoff is one.
type Store interface {
	store.Leases
	// Now is the clock that decides what is due.
	Now(ctx context.Context) (time.Time, error)
	// WakesUntil returns what is open of a shard and must be looked at before until, in order of (At, ID), after a cursor.
	WakesUntil(ctx context.Context, shard int, until time.Time, after store.Wake, limit int) ([]store.Wake, error)
}

// Config says what a timer does. Name, Shards, Owner, Store and Fire must be given.
type Config struct {
	// Name of the leases: timers with one name share the shards.
	Name string
	// Shards are numbered from 0; every replica must give the same number.
	Shards int
	// Owner names this process, differently from every other that lives or lived.
	Owner string
	Store Store
	// Fire looks at rows that are due by now, the store's clock, in the order in which they fell due. It decides again from the
	// rows and writes by compare-and-set. On an error all ids are kept and tried again, fewer at a time. Calls for one shard never
	// overlap; calls for two shards may. ctx ends with the lease.
	Fire func(ctx context.Context, shard int, ids []string, now time.Time) error

	// Batch bounds the ids of one Fire; 50 unless given. More than these are fired one batch after another, so that others get their
	// turn between them.
	Batch int
	// Horizon bounds what is held in memory: what is due within it; three times Sweep unless given. It must be more than twice Sweep.
	Horizon time.Duration
	// Sweep is how often the store is read for what is due within the horizon; five seconds unless given. What another process
	// writes is fired on time when it is due later than this, and within this otherwise.
	Sweep time.Duration
	// LeaseTTL is how long a shard waits for an owner that died; fifteen seconds unless given.
	LeaseTTL time.Duration
	// Logger is slog.Default unless given.
	Logger *slog.Logger
}

// Timer fires what is due, in the shards that it owns.
type Timer struct {
	config Config
	shards []*shard
}

// New checks the config and fills in its defaults.
func New(c Config) (*Timer, error) {
	c.defaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("timer: configure %q: %w", c.Name, err)
	}
	t := &Timer{config: c}
	for i := range c.Shards {
		t.shards = append(t.shards, newShard(&t.config, i))
	}
	return t, nil
}

// Run takes the leases of the shards that it can get, fires what falls due in them, and gives the leases back when ctx ends; then it
// returns nil. A store that is away is waited for. Run is called once.
func (t *Timer) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range t.shards {
		all.Go(func() { s.run(ctx) })
	}
	all.Wait()
	return nil
}

// Arm tells of wake-ups that were written, after their commit. It does nothing for a shard that is not owned here. It takes nothing
// back: a look that was planned for the same id is made too, and finds nothing to do.
func (t *Timer) Arm(shard int, wakes ...store.Wake) {
	if shard >= 0 && shard < len(t.shards) {
		t.shards[shard].arm(wakes)
	}
}

// Owned returns the shards that are owned here, sorted.
func (t *Timer) Owned() []int {
	var owned []int
	for i, s := range t.shards {
		if s.status().owned {
			owned = append(owned, i)
		}
	}
	return owned
}

// Armed returns how many looks are planned in memory. What was armed and then found by the sweep counts twice.
func (t *Timer) Armed() int {
	armed := 0
	for _, s := range t.shards {
		armed += s.status().armed
	}
	return armed
}

// Lag is how late the last batch was looked at, or how late the earliest row is that is due and not yet looked at, whichever is
// more, in the shard where it is most.
func (t *Timer) Lag() time.Duration {
	var lag time.Duration
	for _, s := range t.shards {
		lag = max(lag, s.status().lag)
	}
	return lag
}

func (c *Config) defaults() {
	if c.Batch == 0 {
		c.Batch = 50
	}
	if c.Sweep == 0 {
		c.Sweep = 5 * time.Second
	}
	if c.Horizon == 0 {
		c.Horizon = 3 * c.Sweep
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, fault string) {
		if !ok {
			errs = append(errs, errors.New(fault))
		}
	}
	need(c.Name != "", "Name is empty: give the leases a name")
	need(c.Shards > 0, "Shards must be 1 or more")
	need(c.Owner != "", "Owner is empty: name this process")
	need(c.Store != nil, "Store is nil")
	need(c.Fire != nil, "Fire is nil")
	need(c.Batch > 0, "Batch must be 1 or more")
	need(c.Sweep > 0, "Sweep must be above zero")
	need(c.Horizon > 2*c.Sweep, "Horizon must be more than twice Sweep, or rows fall due between two sweeps unseen")
	need(c.LeaseTTL > 0, "LeaseTTL must be above zero")
	return errors.Join(errs...)
}
