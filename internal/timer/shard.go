package timer

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

const (
	// longestSleep bounds how long the store's clock goes unasked: it may have been set, or this machine may have slept.
	longestSleep = time.Second
	// pageSize is how many wake-ups the sweep reads between two batches: what falls due meanwhile waits for it.
	pageSize = 1000
	// most bounds what one sweep reads into memory. What is due later than these is read when they are fired.
	most = 1 << 17
)

// shard is one shard's heap and the loop that empties it.
type shard struct {
	config *Config
	number int
	logger *slog.Logger
	kick   chan struct{} // something earlier was armed

	// What Arm, the getters and the loop share.
	mu    sync.Mutex
	owned bool
	// swept is what the last sweep read, and queue what was armed since, or failed. What stands in both is looked at once.
	swept run
	queue heap
	// known is the moment up to which the sweep has read everything. Nothing later is fired, or it would overtake.
	known int64
	// wanted is the moment up to which the running sweep will have read everything, else known. What is armed for later is left to
	// the sweep; what is armed for earlier is not, for its page may be read already.
	wanted int64
	// aside are the ids that failed alone.
	aside map[string]setback
	late  time.Duration // of the last batch
	// The store's clock and, by the process's monotonic clock, when it was told.
	told   time.Time
	toldAt time.Time

	// What only the loop uses. Pauses are measured by the process's monotonic clock, so that a store's clock that is set back
	// does not stop the sweep.
	leaseUntil time.Time // by the store's clock
	leaseEnd   time.Time // by the process's
	renewAt    time.Time
	sweepAt    time.Time
	resumeAt   time.Time
	sweeping   bool
	first      bool // no sweep has come to its end since the shard was taken
	read       int  // wake-ups, by the sweep that runs
	crowded    bool // the last sweep stopped at most wake-ups
	cursor     store.Wake
	until      time.Time
	limit      int // ids in the next Fire: halved by each failure, so that the one to blame is found
	failures   int // of single ids, since the last success
	silences   int // of the store's clock, since it last answered
}

func newShard(c *Config, number int) *shard {
	s := &shard{config: c, number: number, kick: make(chan struct{}, 1), limit: c.Batch}
	s.logger = c.Logger.With("timer", c.Name, "shard", number)
	s.forget()
	return s
}

func (s *shard) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.wait(ctx, s.turn(ctx))
	}
	if !s.status().owned {
		return
	}
	s.forget()
	// Another replica need not wait for the lease to run out. When this fails it does.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.config.Store.Release(ctx, s.config.Name, s.number, s.config.Owner); err != nil {
		s.logger.WarnContext(ctx, "lease not given back", "error", err)
	}
}

// turn asks for the time once and does at most one page of the sweep and one batch, so that neither holds up the other for long.
// It returns how long there is nothing to do.
func (s *shard) turn(ctx context.Context) time.Duration {
	now, err := s.config.Store.Now(ctx)
	if err != nil {
		s.warn(ctx, "ask the store for the time", err)
		s.silences++
		return min(pause(s.silences), longestSleep)
	}
	s.silences = 0
	s.mu.Lock()
	s.told, s.toldAt = now, time.Now()
	s.mu.Unlock()
	if reached(s.renewAt) || s.owned && !s.holds(now) {
		s.renew(ctx, now)
	}
	if !s.holds(now) {
		if s.owned {
			s.forget()
		}
		return min(longestSleep, time.Until(s.renewAt))
	}
	if s.sweeping || reached(s.sweepAt) || s.starved() {
		s.sweep(ctx, now)
	}
	if reached(s.resumeAt) {
		s.fire(ctx, now)
	}
	return s.idle()
}

// wait ends early when something is armed.
func (s *shard) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.kick:
	case <-timer.C:
	}
}

// holds says whether the lease lasts, by the store's clock, which others take it by, and by the process's, which sees the time that
// a call took.
func (s *shard) holds(now time.Time) bool { return now.Before(s.leaseUntil) && !reached(s.leaseEnd) }

func (s *shard) renew(ctx context.Context, now time.Time) {
	began := time.Now()
	held, epoch, err := s.config.Store.Acquire(ctx, s.config.Name, s.number, s.config.Owner, s.config.LeaseTTL)
	if err != nil {
		s.warn(ctx, "renew the lease", err)
		s.renewAt = time.Now().Add(s.config.LeaseTTL / 10)
		return // what is left of the lease is left
	}
	s.renewAt = began.Add(s.config.LeaseTTL / 3)
	if !held {
		s.leaseUntil = time.Time{}
		return
	}
	// now was asked before the lease was taken, so this ends no later than the store's own.
	s.leaseUntil, s.leaseEnd = now.Add(s.config.LeaseTTL), began.Add(s.config.LeaseTTL)
	if !s.owned {
		s.logger.InfoContext(ctx, "shard taken", "epoch", epoch)
		s.sweepAt, s.first = began, true
		s.mu.Lock()
		s.owned = true
		s.mu.Unlock()
	}
}

// forget drops everything: the shard is another's, or nobody's.
func (s *shard) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned {
		s.logger.Info("shard left")
	}
	s.owned, s.swept, s.queue, s.known, s.wanted, s.aside = false, run{}, nil, math.MinInt64, math.MinInt64, map[string]setback{}
	s.late, s.sweeping, s.crowded = 0, false, false
}

// sweep reads the next page.
func (s *shard) sweep(ctx context.Context, now time.Time) {
	if !s.sweeping {
		s.sweeping, s.read, s.cursor, s.until = true, 0, store.Wake{}, now.Add(s.config.Horizon)
		s.mu.Lock()
		s.swept.restart()
		s.wanted = max(s.known, s.until.UnixMicro())
		s.mu.Unlock()
	}
	wakes, err := s.config.Store.WakesUntil(ctx, s.number, s.until, s.cursor, pageSize)
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.config.Sweep
	switch {
	case err != nil:
		s.warn(ctx, "sweep", err)
		again = min(again, longestSleep)
	case len(wakes) < pageSize:
		s.swept.add(wakes)
		s.swept.finish()
		s.known, s.crowded = s.until.UnixMicro(), false
	default:
		s.swept.add(wakes)
		s.cursor, s.read = wakes[len(wakes)-1], s.read+len(wakes)
		if s.read < most {
			s.known = max(s.known, s.cursor.At.UnixMicro())
			return // to be continued
		}
		s.swept.finish()
		s.known, s.crowded = s.cursor.At.UnixMicro(), true
	}
	s.sweeping, s.wanted, s.sweepAt = false, s.known, time.Now().Add(again)
	if s.first && err == nil {
		// Shards that were taken together do not sweep together.
		s.first, s.sweepAt = false, time.Now().Add(again*time.Duration(s.number+1)/time.Duration(s.config.Shards))
	}
}

func (s *shard) arm(wakes []store.Wake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.owned {
		return
	}
	for _, w := range wakes {
		at := w.At.UnixMicro()
		if at > s.wanted {
			continue // the sweep comes by in time
		}
		s.queue.push(entry{at, w.ID})
		if s.queue[0].id != w.ID {
			continue
		}
		select {
		case s.kick <- struct{}{}:
		default: // it is awake already
		}
	}
}

// head returns the earliest entry; called with mu held.
func (s *shard) head() (_ entry, inQueue, ok bool) {
	e, ok := s.swept.head()
	for ok && s.waits(e.id) {
		s.swept.pop()
		e, ok = s.swept.head()
	}
	if len(s.queue) > 0 && (!ok || s.queue[0].before(e)) {
		return s.queue[0], true, true
	}
	return e, false, ok
}

// waits says that an id failed alone: it comes when its pause is over, not when the sweep finds it.
func (s *shard) waits(id string) bool {
	if len(s.aside) == 0 {
		return false
	}
	_, waits := s.aside[id]
	return waits
}

// pop removes the earliest entry wherever it stands; called with mu held.
func (s *shard) pop() entry {
	first, inQueue, _ := s.head()
	if !inQueue {
		first.id = strings.Clone(first.id) // it must not hold on to its page
	}
	for {
		e, inQueue, ok := s.head()
		switch {
		case !ok || e != first:
			return first
		case inQueue:
			s.queue.pop()
		default:
			s.swept.pop()
		}
	}
}

// starved says that a sweep stopped early and that what it read is fired.
func (s *shard) starved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, _, ok := s.head()
	return s.crowded && (!ok || e.at > s.known)
}

// idle is how long it is until the next thing must be done.
func (s *shard) idle() time.Duration {
	if s.sweeping || s.starved() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := min(longestSleep, time.Until(s.sweepAt), time.Until(s.renewAt))
	if e, _, ok := s.head(); ok && e.at <= s.known {
		due := time.UnixMicro(e.at).Sub(s.told) - time.Since(s.toldAt)
		d = min(d, max(due, time.Until(s.resumeAt)))
	}
	return d
}

// setback is an id that failed alone: how often, and when it was due.
type setback struct {
	failures int
	due      int64
}

type status struct {
	owned bool
	armed int
	lag   time.Duration
}

func (s *shard) status() status {
	s.mu.Lock()
	defer s.mu.Unlock()
	lag := s.late
	now := s.told.Add(time.Since(s.toldAt))
	if e, _, ok := s.head(); ok {
		lag = max(lag, now.Sub(time.UnixMicro(e.at)))
	}
	for _, b := range s.aside {
		lag = max(lag, now.Sub(time.UnixMicro(b.due)))
	}
	return status{s.owned, s.swept.size + len(s.queue), lag}
}

// warn is silent about what a stop breaks off.
func (s *shard) warn(ctx context.Context, tried string, err error) {
	if ctx.Err() == nil {
		s.logger.WarnContext(ctx, "failed and tried again", "tried", tried, "error", err)
	}
}

func reached(t time.Time) bool { return !time.Now().Before(t) }
