package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
)

// budget is what one source may be asked.
type budget struct {
	pace  Pace
	slots chan struct{}

	mu    sync.Mutex
	left  float64
	at    time.Time // when left was counted
	quiet time.Time // nothing is asked before
}

func newBudget(p Pace, now time.Time) *budget {
	return &budget{pace: p, slots: make(chan struct{}, p.Concurrent), left: p.Burst, at: now}
}

// turn waits for the right to ask one question. A sender that wants to be left alone is not waited for: that is bus.LaterError.
func (b *budget) turn(ctx context.Context, now func() time.Time) error {
	for {
		quiet, wait := b.take(now())
		switch {
		case quiet > 0:
			return bus.TryLater(quiet, errors.New("the sender is left alone for a while"))
		case wait == 0:
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// take allows one question now, or says how long the sender is left alone, or else how long to wait for the next question.
func (b *budget) take(now time.Time) (quiet, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if quiet = b.quiet.Sub(now); quiet > 0 {
		return quiet, 0
	}
	if now.After(b.at) {
		b.left, b.at = min(b.pace.Burst, b.left+now.Sub(b.at).Seconds()*b.pace.Rate), now
	}
	if b.left < 1 {
		return 0, time.Duration((1-b.left)/b.pace.Rate*float64(time.Second)) + time.Microsecond
	}
	b.left--
	return 0, 0
}

// rest asks nothing for a while.
func (b *budget) rest(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.quiet) {
		b.quiet = until
	}
}

// enter takes one of the places, unless ctx ends first.
func (b *budget) enter(ctx context.Context) bool {
	select {
	case b.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *budget) leave() { <-b.slots }
