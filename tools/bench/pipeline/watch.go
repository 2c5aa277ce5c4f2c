package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// finish is reached when all facts and all assignments are committed.
type finish struct {
	events, assignments         atomic.Int64
	wantEvents, wantAssignments int64
	reached                     chan struct{}

	made  time.Time
	mu    sync.Mutex
	began time.Time // the first commit
	early int64     // events in it
	ended time.Time
}

func newFinish(events, assignments int) *finish {
	return &finish{wantEvents: int64(events), wantAssignments: int64(assignments), made: time.Now(), reached: make(chan struct{})}
}

// count takes in n events of one commit. The clock starts with the first: how long a start takes is another question.
func (f *finish) count(n int64) {
	f.mu.Lock()
	if f.began.IsZero() {
		f.began, f.early = time.Now(), n
	}
	f.mu.Unlock()
	f.events.Add(n)
	f.look()
}

func (f *finish) look() {
	if f.events.Load() < f.wantEvents || f.assignments.Load() < f.wantAssignments {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended.IsZero() {
		f.ended = time.Now()
		close(f.reached)
	}
}

// perSecond is how many events a second went through, once reached.
func (f *finish) perSecond() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early == f.wantEvents { // too few to tell the start from the work
		return float64(f.wantEvents) / f.ended.Sub(f.made).Seconds()
	}
	return float64(f.wantEvents-f.early) / f.ended.Sub(f.began).Seconds()
}

// counted counts the events that scoring has applied: Apply returns after the commit.
type counted struct {
	bus.Handler
	f *finish
}

func (c counted) Apply(ctx context.Context, partition int, events []*eventv1.Event) error {
	err := c.Handler.Apply(ctx, partition, events)
	if err == nil {
		n := int64(0)
		for _, e := range events {
			if e.GetLeadReceived() != nil {
				n++
			}
		}
		c.f.count(n)
	}
	return err
}

// watch counts scoring's events.
func (f *finish) watch(role string, h bus.Handler) bus.Handler {
	if role == event.Scoring {
		return counted{h, f}
	}
	return h
}

// assigning counts the assignments that are committed.
type assigning struct {
	store.Handoff
	f *finish
}

func (a assigning) Update(ctx context.Context, f func(context.Context, store.HandoffTx) error) error {
	n := 0
	err := a.Handoff.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		n = 0 // the transaction may run again
		return f(ctx, assigningTx{tx, &n})
	})
	if err == nil && n > 0 {
		a.f.assignments.Add(int64(n))
		a.f.look()
	}
	return err
}

type assigningTx struct {
	store.HandoffTx
	n *int
}

func (t assigningTx) InsertAssignments(ctx context.Context, rows []store.Assignment) error {
	*t.n += len(rows)
	return t.HandoffTx.InsertAssignments(ctx, rows)
}
