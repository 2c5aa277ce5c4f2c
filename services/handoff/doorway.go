package handoff

import (
	"context"
	"sync"
	"time"
)

// doorway knows the calls that are inside. The race it settles: a rep's response comes in at 10:04:59.9 and its transaction
// begins at 10:05:00.1; without it the breach of 10:05:00 could get the row first. It works within one process; between two
// replicas the row's lock decides.
type doorway struct {
	mu     sync.Mutex
	inside map[chan struct{}]struct{}
}

// patience bounds how long calls inside can hold the breaking of clocks back.
const patience = 2 * time.Second

// enter comes in; leave must be called.
func (w *doorway) enter() (leave func()) {
	done := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside == nil {
		w.inside = make(map[chan struct{}]struct{})
	}
	w.inside[done] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.inside, done)
		close(done)
	}
}

// pass waits until all who were inside when it was called have left.
func (w *doorway) pass(ctx context.Context) {
	w.mu.Lock()
	var before []chan struct{}
	for done := range w.inside {
		before = append(before, done)
	}
	w.mu.Unlock()
	if len(before) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, done := range before {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
