package handoff

import (
	"context"
	"slices"
	"sync"
	"time"
)

// largest bounds the clocks of a volley: a storm is cut into pieces, and whoever else has work gets his turn between two.
const largest = 50

// volleys fires the shots of several shards in one transaction. Each shard comes when its next clock falls due. Who comes while
// others fire waits for his turn, and then fires for all who wait: each at once while there is little to do, and together when there
// is much.
type volleys struct {
	gate    chan struct{} // holds one token while somebody fires
	mu      sync.Mutex
	waiting []*shot
}

// shot is one call of one shard.
type shot struct {
	ids  []string
	now  time.Time
	err  error
	done chan struct{} // closed when it was fired, by whomever
}

func newVolleys() *volleys { return &volleys{gate: make(chan struct{}, 1)} }

// fire returns when the shot was fired. Shots that fail together are fired again one by one, so that the fault of one is not the
// others'.
func (v *volleys) fire(ctx context.Context, mine *shot, all func(ctx context.Context, shots []*shot) error) error {
	mine.done = make(chan struct{})
	v.mu.Lock()
	v.waiting = append(v.waiting, mine)
	v.mu.Unlock()
	select {
	case v.gate <- struct{}{}:
		defer func() { <-v.gate }()
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		if v.withdraw(mine) {
			return ctx.Err()
		}
		<-mine.done
		return mine.err
	}
	shots := v.take(mine)
	if shots == nil { // it was fired while the gate opened
		return mine.err
	}
	err := all(ctx, shots)
	for _, s := range shots {
		if s.err = err; err != nil && len(shots) > 1 {
			s.err = all(ctx, []*shot{s})
		}
		close(s.done)
	}
	return mine.err
}

// take takes mine and as many others as a volley holds from those who wait, in the order in which they came; nil when mine is not
// among them, for then it is fired already.
func (v *volleys) take(mine *shot) []*shot {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.Index(v.waiting, mine)
	if i < 0 {
		return nil
	}
	v.waiting = slices.Delete(v.waiting, i, i+1)
	shots, size, rest := []*shot{mine}, len(mine.ids), v.waiting[:0]
	for _, other := range v.waiting {
		if size+len(other.ids) > largest {
			rest = append(rest, other)
			continue
		}
		shots, size = append(shots, other), size+len(other.ids)
	}
	clear(v.waiting[len(rest):])
	v.waiting = rest
	return shots
}

// withdraw says whether the shot still waited; now it does not.
func (v *volleys) withdraw(mine *shot) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.Index(v.waiting, mine)
	if i >= 0 {
		v.waiting = slices.Delete(v.waiting, i, i+1)
	}
	return i >= 0
}
