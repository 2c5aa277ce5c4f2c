package handoff_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// What history says of a cycle does not stand in the way of the live handoff of that cycle.
func TestLiveHandoffTakesOverItsHistory(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.outcome("o1", "a", "lost", "somebody-who-left", eventv1.Mode_MODE_HISTORY))
		w.pass(time.Hour)
		staged := w.staged("a", 200)
		w.apply(staged)
		w.apply(staged, w.outcome("o2", "a", "won", "ann", eventv1.Mode_MODE_HISTORY))
		h, all := w.handoff("a"), w.assignments("a")
		if h.State != store.HandoffAssigned || h.History || h.Result != "" || !h.StartedAt.Equal(w.now()) || len(h.Contact) == 0 {
			t.Fatalf("handoff %+v", h)
		}
		if len(all) != 2 || all[0].Rep != "somebody-who-left" || all[1].ID != "a/1/2" {
			t.Fatalf("assignments %+v", all)
		}
		w.want("a", "handoff.started", "handoff.assigned", "clock.started", "clock.started")
		// A repeat is told of the same assignment, whoever had the lead before.
		rep := w.owner("a")
		for range 2 {
			r, err := w.Reject(as(t, rep), &leadpactv1.RejectRequest{Lead: "a", RequestId: "1", Reason: "no_time"})
			if err != nil || r.GetAssignment().GetId() != "a/1/2" {
				t.Errorf("%v, %v", r, err)
			}
		}
		w.balanced(3)
	})
}

// Both come in one batch.
func TestLiveHandoffTakesOverHistoryOfItsBatch(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.outcome("o1", "a", "lost", "ann", eventv1.Mode_MODE_HISTORY), w.staged("a", 200))
		if w.owner("a") == "" || w.handoff("a").History {
			t.Errorf("handoff %+v", w.handoff("a"))
		}
		w.balanced(3)
	})
}

// A newer cycle of history does not hide the clocks of a handoff that lives.
func TestHistoryLeavesALiveHandoffAlone(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		past := w.outcome("o1", "a", "won", "ann", eventv1.Mode_MODE_HISTORY)
		past.GetLeadOutcome().Cycle = 2
		w.apply(past)
		if h := w.handoff("a"); h.Cycle != 1 || h.State != store.HandoffAssigned {
			t.Fatalf("handoff %+v", h)
		}
		w.pass(5 * time.Minute)
		w.fire()
		if w.count("clock.breached") != 1 {
			t.Errorf("told %v", w.types("a"))
		}
	})
}

// An outcome that names nobody and happened in the first owner's time says nothing of the second.
func TestOutcomeBeforeTheAssignmentIsNotTheNewOwners(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200), w.staged("b", 200))
		a, b := w.owner("a"), w.owner("b")
		w.pass(time.Minute)
		attempt := w.outcome("o1", "a", "attempt", "", eventv1.Mode_MODE_LIVE)
		won := w.outcome("o2", "b", "won", "", eventv1.Mode_MODE_LIVE)
		w.pass(time.Minute)
		for lead, rep := range map[string]string{"a": a, "b": b} {
			if _, err := w.Reject(as(t, rep), &leadpactv1.RejectRequest{Lead: lead, RequestId: "1", Reason: "no_time"}); err != nil {
				t.Fatal(err)
			}
		}
		w.apply(attempt, won)
		if told := w.types("a"); slices.Contains(told, "clock.met") {
			t.Errorf("the second owner's clock was met: %v", told)
		}
		if got := w.kept("a", "attempt"); got.Assignment != "" {
			t.Errorf("the activity stands on assignment %s", got.Assignment)
		}
		if h := w.handoff("b"); h.Result != "won" {
			t.Errorf("a win that comes late left the handoff %+v", h)
		}
		// One of his own time counts, though it names nobody.
		w.pass(time.Minute)
		w.apply(w.outcome("o3", "a", "attempt", "", eventv1.Mode_MODE_LIVE))
		if told := w.types("a"); !slices.Contains(told, "clock.met") {
			t.Errorf("told %v", told)
		}
	})
}

// What somebody typed may name a person; only the agreement's own reasons are kept.
func TestFreeTextIsNotKept(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200), w.staged("b", 200))
		outside := w.outcome("o1", "a", "attempt", "", eventv1.Mode_MODE_LIVE)
		outside.GetLeadOutcome().GetOutcome().Reason = "Lea was rude"
		w.apply(outside)
		if _, err := w.CloseLost(as(t, w.owner("a")), &leadpactv1.CloseLostRequest{Lead: "a", RequestId: "1", Reason: "Lea hung up"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reject(as(t, w.owner("b")), &leadpactv1.RejectRequest{Lead: "b", RequestId: "1", Reason: "no_time"}); err != nil {
			t.Fatal(err)
		}
		if got := w.kept("a", "attempt").Reason + w.kept("a", "lost").Reason; got != "" {
			t.Errorf("kept %q", got)
		}
		if got := w.kept("b", "rejected").Reason; got != "no_time" {
			t.Errorf("the reason to give a lead back is kept as %q", got)
		}
		for _, e := range w.events() {
			if a := e.GetLeadActivity(); a.GetKind() == "lost" && a.GetReason() != "" {
				t.Errorf("%s told %q", event.Type(e), a.GetReason())
			}
		}
	})
}
