package handoff_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// A response and the breach of the same clock meet, from two goroutines: one of them happens, never both and never neither.
func TestResponseAndBreachMeet(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 100}, bob: {team: sales, capacity: 100}, max: {team: big, capacity: 1}}")
		met, broken := 0, 0
		for i := range 30 {
			lead := leadName(i)
			w.apply(w.staged(lead, 200))
			owner := w.owner(lead)
			clock := lead + "/1/1/response"
			due := w.now().Add(5 * time.Minute)
			w.pass(5*time.Minute - time.Microsecond)
			var both sync.WaitGroup
			both.Go(func() {
				_, err := w.Accept(as(t, owner), &leadpactv1.AcceptRequest{Lead: lead, RequestId: lead})
				if err != nil && status.Code(err) != codes.FailedPrecondition {
					t.Errorf("accept: %v", err)
				}
			})
			both.Go(func() {
				for range 2 { // a second owner of the shard looks too
					if err := w.FireClocks(t.Context(), 0, []string{clock}, due); err != nil {
						t.Errorf("fire: %v", err)
					}
				}
			})
			both.Wait()
			told := w.types(lead)
			isMet, isBroken := slices.Contains(told, "clock.met"), slices.Contains(told, "clock.breached")
			if isMet == isBroken {
				t.Fatalf("%s: met %v and broken %v: %v", lead, isMet, isBroken, told)
			}
			if isMet != (w.owner(lead) == owner) {
				t.Fatalf("%s: met %v, of %s, and now %s has it", lead, isMet, owner, w.owner(lead))
			}
			if isMet {
				met++
			} else {
				broken++
			}
			w.pass(time.Microsecond)
		}
		t.Logf("%d met, %d broken", met, broken)
		w.balanced(100)
	})
}

// A response that came in before due is kept although the clock's moment comes while its transaction still waits.
func TestSlowTransactionDoesNotLose(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		owner := w.owner("a")
		w.pass(5*time.Minute - 100*time.Millisecond)
		due := w.now().Add(100 * time.Millisecond)
		entered, release := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		w.store.mu.Lock()
		w.store.gate = func() {
			if held.CompareAndSwap(false, true) { // the first, which is the response's
				close(entered)
				<-release
			}
		}
		w.store.mu.Unlock()
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := w.Accept(as(t, owner), &leadpactv1.AcceptRequest{Lead: "a", RequestId: "1"}); err != nil {
				t.Errorf("accept: %v", err)
			}
		})
		<-entered
		firing := make(chan struct{})
		both.Go(func() {
			close(firing)
			if err := w.FireClocks(t.Context(), 0, []string{"a/1/1/response"}, due); err != nil {
				t.Errorf("fire: %v", err)
			}
		})
		<-firing
		time.AfterFunc(50*time.Millisecond, func() { close(release) }) // gives a firing that does not wait the time to win
		both.Wait()
		if told := w.types("a"); slices.Contains(told, "clock.breached") || !slices.Contains(told, "clock.met") {
			t.Errorf("told %v", told)
		}
	})
}

func TestCapacityHoldsUnderLoad(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {a: {team: sales, capacity: 10, weight: 5}, b: {team: sales, capacity: 25}, c: {team: sales, capacity: 15, weight: 3}, max: {team: big, capacity: 1}}")
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := g; i < 200; i += 8 {
					// A transaction that loses too many races is the bus's to send again.
					for {
						err := w.Apply(t.Context(), g, eventsOf(w.staged(leadName(i), 10)))
						if err == nil {
							break
						}
						if !errors.Is(err, store.ErrConflict) {
							t.Errorf("apply: %v", err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		stored, _, err := w.store.RepLoads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if stored["a"] != 10 || stored["b"] != 25 || stored["c"] != 15 {
			t.Errorf("loads %v", stored)
		}
		waiting, err := w.store.WaitingHandoffs(t.Context(), 1000)
		if err != nil || len(waiting) != 150 || w.count("handoff.assigned") != 50 {
			t.Errorf("%d wait, %d assigned (%v)", len(waiting), w.count("handoff.assigned"), err)
		}
		w.balanced(25)
	})
}

func TestWaitingIsHandedOffWhenThereIsRoom(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 2000), w.staged("b", 2000))
		if w.owner("a") != "max" || w.handoff("b").State != store.HandoffWaiting {
			t.Fatalf("a: %s, b: %s", w.owner("a"), w.handoff("b").State)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.RunWaiting(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		defer running.Wait()
		defer stop()
		// One look at the start, one for the roster of the beginning; from then on only what happens here makes it look.
		w.until("the first looks", func() bool { return w.store.looks.Load() == 2 })
		w.pass(time.Minute)
		if _, err := w.CloseWon(as(t, "max"), &leadpactv1.CloseWonRequest{Lead: "a", RequestId: "1"}); err != nil {
			t.Fatal(err)
		}
		w.until("b goes to max", func() bool { return w.owner("b") == "max" })
		w.want("b", "handoff.started", "handoff.waiting", "clock.started", "clock.cancelled", "handoff.assigned", "clock.started", "clock.started")
		// A person more is room too.
		w.apply(w.staged("c", 2000))
		w.people(people + "  moe: {team: big, capacity: 1}\n")
		w.until("c goes to moe", func() bool { return w.owner("c") == "moe" })
		w.balanced(3)
	})
}

// New hours of a rep move the clocks that run on them; each deadline that was in force is told.
func TestNewHoursMoveRunningClocks(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 9}, max: {team: big, capacity: 1}}")
		w.apply(w.staged("a", 10))
		w.people(`
teams: {sales:, big:}
calendars: {late: {zone: Europe/Berlin, hours: {mon-fri: 13:00-17:00}}}
reps: {ann: {team: sales, capacity: 9, calendar: late}, max: {team: big, capacity: 1}}
`)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.RunWaiting(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		w.until("the clock moves", func() bool { return w.count("clock.cancelled") == 1 })
		stop()
		running.Wait()
		w.want("a", "handoff.started", "handoff.assigned", "clock.started", "clock.cancelled", "clock.started")
		moved := w.events()[len(w.events())-1].GetClockStarted().GetClock()
		if moved.GetCalendar() != "late" || moved.GetStartedAt() != monday.UnixMicro() || moved.GetDueAt() != monday.Add(5*time.Hour).UnixMicro() {
			t.Errorf("moved to %v", moved)
		}
		w.pass(5 * time.Hour)
		w.fire()
		if w.count("clock.breached") != 1 {
			t.Errorf("told %v", w.types("a"))
		}
	})
}
