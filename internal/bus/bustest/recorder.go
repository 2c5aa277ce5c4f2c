package bustest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// recorder is what a role's store would be: it remembers which events were applied, in order. Several replicas share one.
type recorder struct {
	// before runs outside the lock ahead of each Apply and may fail it; nil does nothing.
	before func(ctx context.Context, partition int, events []*eventv1.Event) error

	mu          sync.Mutex
	changed     chan struct{}    // closed and replaced on every change
	applied     map[int][]string // ids by partition, repetitions included
	acting      map[int]int      // Applies under way, by partition
	overlaps    int              // Applies that found another at work on their partition
	sizes       []int            // events per Apply
	quarantined []store.Quarantined
}

func newRecorder() *recorder {
	return &recorder{changed: make(chan struct{}), applied: map[int][]string{}, acting: map[int]int{}}
}

func (r *recorder) Apply(ctx context.Context, partition int, events []*eventv1.Event) error {
	r.mu.Lock()
	r.acting[partition]++
	if r.acting[partition] > 1 {
		r.overlaps++
	}
	r.mu.Unlock()
	var err error
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.acting[partition]--
		r.touch()
	}()
	if r.before != nil {
		err = r.before(ctx, partition, events)
	}
	if err == nil {
		err = ctx.Err() // a transaction of a cancelled context does not commit
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		r.applied[partition] = append(r.applied[partition], e.GetId())
	}
	r.sizes = append(r.sizes, len(events))
	return nil
}

func (r *recorder) Quarantine(_ context.Context, rows []store.Quarantined) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quarantined = append(r.quarantined, rows...)
	r.touch()
	return nil
}

func (r *recorder) touch() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns when cond, called under the lock, holds.
func (r *recorder) wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		ok, changed := cond(), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waited %v until %s: %d applied, %d in quarantine", patience, what, r.count(), len(r.quarantined))
		}
	}
}

// waitFor returns when every one of ids was applied at least once.
func (r *recorder) waitFor(t testing.TB, ids []string) {
	t.Helper()
	r.wait(t, fmt.Sprintf("%d events are applied", len(ids)), func() bool {
		seen := r.distinct()
		for _, id := range ids {
			if !seen[id] {
				return false
			}
		}
		return true
	})
}

func (r *recorder) count() int {
	n := 0
	for _, ids := range r.applied {
		n += len(ids)
	}
	return n
}

func (r *recorder) distinct() map[string]bool {
	seen := map[string]bool{}
	for _, ids := range r.applied {
		for _, id := range ids {
			seen[id] = true
		}
	}
	return seen
}

// checkOrder fails unless each partition's events, at their first application, came in the order of their numbers.
func (r *recorder) checkOrder(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, ids := range r.applied {
		seen, last := map[string]bool{}, -1
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			n, err := strconv.Atoi(id)
			if err != nil || n <= last {
				t.Errorf("partition %d: event %s was applied after event %d", p, id, last)
				return
			}
			last = n
		}
	}
}

// checkOnce fails unless exactly ids were applied, each once.
func (r *recorder) checkOnce(t testing.TB, ids []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, applied := range r.applied {
		got = append(got, applied...)
	}
	want := slices.Clone(ids)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("applied %d events, want each of %d once", len(got), len(want))
	}
}

func (r *recorder) checkNoQuarantine(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.quarantined) > 0 {
		t.Errorf("%d rows in quarantine, the first: %s", len(r.quarantined), r.quarantined[0].Reason)
	}
}

// consume runs Consume until the test or stop ends it; stop returns what Consume returned.
func consume(t testing.TB, b *bus.Bus, role string, h bus.Handler) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, role, h) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case result = <-done:
			case <-time.After(patience):
				result = fmt.Errorf("the consumer did not return within %v", patience)
			}
		})
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// batch makes events with the numbers from..to-1 as ids, over enough leads to reach every partition.
func batch(from, to int) (events []*eventv1.Event, ids []string) {
	for i := from; i < to; i++ {
		id := strconv.Itoa(i)
		events = append(events, &eventv1.Event{
			Id: id, Source: "form", Lead: "lead-" + strconv.Itoa(i%37), Mode: eventv1.Mode_MODE_LIVE,
			Body: &eventv1.Event_LeadActivity{LeadActivity: &eventv1.LeadActivity{Kind: "reached", Rep: "rep-1"}},
		})
		ids = append(ids, id)
	}
	return events, ids
}

// publish packs events, perMessage of them at a time, and fails the test unless all are acknowledged.
func publish(t testing.TB, b *bus.Bus, producer string, events []*eventv1.Event, perMessage int) {
	t.Helper()
	var ms []event.Message
	var ids []string
	for chunk := range slices.Chunk(events, perMessage) {
		packed, err := event.Pack(chunk, b.Partitions())
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range packed {
			ms = append(ms, m)
			ids = append(ids, fmt.Sprintf("%s/%d", chunk[0].GetId(), i))
		}
	}
	if err := b.PublishAll(t.Context(), producer, ms, ids); err != nil {
		t.Fatalf("publish: %v", err)
	}
}
