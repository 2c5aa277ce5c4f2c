package handoff_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/timer"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// The timer and the service by themselves: a lead comes, nobody answers, and it goes from hand to hand until it waits.
func TestTimerDrivesTheClocks(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		wake, err := timer.New(timer.Config{Name: "handoff", Shards: 2, Owner: "test", Store: w.store, Fire: w.FireClocks, Sweep: 20 * time.Millisecond, Horizon: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		w.arm(func(shard int, wakes ...store.Wake) { wake.Arm(shard, wakes...) })
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = wake.Run(ctx) })
		defer running.Wait()
		defer stop()
		w.apply(w.staged("a", 200))
		for round := 1; round <= 2; round++ {
			w.pass(5*time.Minute - time.Microsecond)
			w.until("the warning", func() bool { return w.count("clock.warned") == round })
			if n := w.count("clock.breached"); n != round-1 {
				t.Fatalf("%d breaches an instant before due", n)
			}
			w.pass(time.Microsecond)
			w.until("the breach", func() bool { return w.count("clock.breached") == round })
		}
		if h := w.handoff("a"); h.State != store.HandoffWaiting || len(h.Excluded) != 2 {
			t.Errorf("the handoff is %s, %v had it", h.State, h.Excluded)
		}
		w.apply(&eventv1.Event{Id: "e", Lead: "a", Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}}})
	})
}
