package timer

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses after failures begin at firstPause and double up to longestPause.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// fire looks at what is due by now, in order.
func (s *shard) fire(ctx context.Context, now time.Time) {
	due, alone := s.take(now)
	if len(due) == 0 {
		return
	}
	ids := make([]string, len(due))
	for i, e := range due {
		ids[i] = e.id
	}
	// A Fire that hangs is not waited for longer than the lease lasts.
	ctxFire, cancel := context.WithDeadline(ctx, s.leaseEnd)
	err := s.config.Fire(ctxFire, s.number, ids, now)
	cancel()
	if err == nil {
		s.failures = 0
		s.limit = min(2*s.limit, s.config.Batch)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range ids {
			delete(s.aside, id)
		}
		return
	}
	s.warn(ctx, "fire", err)
	s.putBack(due, now)
	switch {
	case alone:
		// It failed alone before: a short rest for the store, and on with the others.
		s.resumeAt = time.Now().Add(firstPause)
	case len(due) > 1:
		s.limit = (len(due) + 1) / 2
	default:
		// One after another fails alone: it is not the rows.
		s.failures++
		s.resumeAt = time.Now().Add(pause(s.failures))
	}
}

// take removes up to limit entries that are due. One that failed alone before comes alone again, so that it spoils no batch.
func (s *shard) take(now time.Time) (due []entry, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := min(now.UnixMicro(), s.known)
	for len(due) < s.limit {
		e, _, ok := s.head()
		if !ok || e.at > latest {
			break
		}
		_, failedAlone := s.aside[e.id]
		if failedAlone && len(due) > 0 {
			break
		}
		due = append(due, s.pop())
		if failedAlone {
			return due, true
		}
	}
	if len(due) > 0 {
		s.late = now.Sub(time.UnixMicro(due[0].at))
	}
	return due, false
}

// putBack keeps what failed where it was in the order. One that failed alone steps aside and comes again after a pause of its own.
func (s *shard) putBack(due []entry, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(due) == 1 {
		b, before := s.aside[due[0].id]
		if !before {
			b.due = due[0].at
		}
		b.failures++
		s.aside[due[0].id] = b
		due[0].at = now.Add(pause(b.failures)).UnixMicro()
	}
	for _, e := range due {
		s.queue.push(e)
	}
}

// pause grows with the number of failures, with jitter so that shards that failed together do not come back together.
func pause(failures int) time.Duration {
	d := firstPause << min(failures-1, 10)
	d = min(d, longestPause)
	return d/2 + rand.N(d/2) //nolint:gosec // jitter keeps no secret
}
