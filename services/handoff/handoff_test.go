package handoff_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

func TestWholePath(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		first := w.owner("a")
		w.pass(150 * time.Second)
		w.fire()
		w.pass(time.Hour) // nobody looked for an hour
		w.fire()
		second := w.owner("a")
		if second != other(first) {
			t.Fatalf("%s was silent and %q has the lead", first, second)
		}
		if _, err := w.Accept(as(t, second), &leadpactv1.AcceptRequest{Lead: "a", RequestId: "1"}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"2", "3", "4"} {
			w.pass(time.Minute)
			if _, err := w.LogAttempt(as(t, second), &leadpactv1.LogAttemptRequest{Lead: "a", RequestId: id}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.CloseWon(as(t, second), &leadpactv1.CloseWonRequest{Lead: "a", RequestId: "5"}); err != nil {
			t.Fatal(err)
		}
		w.want("a", "handoff.started", "handoff.assigned", "clock.started", "clock.started", "clock.warned",
			"clock.breached", "clock.cancelled", "handoff.released", "handoff.assigned", "clock.started", "clock.started",
			"lead.activity", "clock.met", "lead.activity", "lead.activity", "lead.activity", "clock.met",
			"lead.activity", "handoff.released", "handoff.closed")
		for _, e := range w.events() {
			if e.GetClockBreached() != nil && event.Time(e.GetOccurredAt()) != monday.Add(5*time.Minute) {
				t.Errorf("the breach happened at %s", event.Time(e.GetOccurredAt()))
			}
			if s := e.GetClockStarted().GetClock(); s != nil && s.GetTerms().GetRep() == second && event.Time(s.GetStartedAt()) != monday.Add(150*time.Second+time.Hour) {
				t.Errorf("the second rep's clock began at %s, before he could be told", event.Time(s.GetStartedAt()))
			}
		}
		h := w.handoff("a")
		if h.State != store.HandoffClosed || h.Result != "won" || len(h.Contact) > 0 {
			t.Errorf("the handoff ended as %+v", h)
		}
		w.balanced(3)
	})
}

// What a crash between commit and acknowledgement does: the same events come again, alone and in other company.
func TestEventsAgainChangeNothing(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		a, b := w.staged("a", 200), w.staged("b", 10)
		w.apply(a, b, a)
		before := len(w.events())
		w.apply(a)
		w.apply(b, a)
		won := w.outcome("o1", "a", "won", "", eventv1.Mode_MODE_LIVE)
		w.apply(won)
		w.apply(won, a)
		if n := len(w.assignments("a")); n != 1 || w.count("handoff.started") != 2 || w.count("handoff.closed") != 1 {
			t.Fatalf("%d assignments; told before %d, now %v", n, before, w.types("a"))
		}
		ids := map[string]bool{}
		for _, e := range w.events() {
			if ids[e.GetId()] {
				t.Errorf("told twice: %s %s", event.Type(e), e.GetId())
			}
			ids[e.GetId()] = true
		}
		w.balanced(3)
	})
}

func TestActionsAgainGiveTheSameAnswer(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		for i, end := range []func(lead, rep, id string) (*leadpactv1.Assignment, error){
			func(lead, rep, id string) (*leadpactv1.Assignment, error) {
				r, err := w.Accept(as(t, rep), &leadpactv1.AcceptRequest{Lead: lead, RequestId: id})
				return r.GetAssignment(), err
			},
			func(lead, rep, id string) (*leadpactv1.Assignment, error) {
				r, err := w.Reject(as(t, rep), &leadpactv1.RejectRequest{Lead: lead, RequestId: id, Reason: "no_time"})
				return r.GetAssignment(), err
			},
			func(lead, rep, id string) (*leadpactv1.Assignment, error) {
				r, err := w.Reject(as(t, rep), &leadpactv1.RejectRequest{Lead: lead, RequestId: id, Reason: "duplicate"})
				return r.GetAssignment(), err
			},
			func(lead, rep, id string) (*leadpactv1.Assignment, error) {
				r, err := w.CloseLost(as(t, rep), &leadpactv1.CloseLostRequest{Lead: lead, RequestId: id})
				return r.GetAssignment(), err
			},
		} {
			lead := leadName(i)
			w.apply(w.staged(lead, 200))
			rep := w.owner(lead)
			one, err := end(lead, rep, lead)
			if err != nil {
				t.Fatal(err)
			}
			told := len(w.events())
			two, err := end(lead, rep, lead)
			if err != nil || two.String() != one.String() || one.GetId() != w.assignments(lead)[0].ID {
				t.Errorf("action %d: first %v, then %v (%v)", i, one, two, err)
			}
			if again := len(w.events()); again != told {
				t.Errorf("action %d told %d events more when repeated", i, again-told)
			}
		}
		w.balanced(3)
	})
}

func TestRefusals(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		owner := w.owner("a")
		accept := func(rep, lead, id string) error {
			_, err := w.Accept(as(t, rep), &leadpactv1.AcceptRequest{Lead: lead, RequestId: id})
			return err
		}
		_, anonymous := w.ListInbox(t.Context(), &leadpactv1.ListInboxRequest{})
		_, reason := w.Reject(as(t, owner), &leadpactv1.RejectRequest{Lead: "a", RequestId: "1", Reason: "mood"})
		_, limit := w.ListInbox(as(t, owner), &leadpactv1.ListInboxRequest{Limit: 501})
		for name, c := range map[string]struct {
			err  error
			want codes.Code
		}{
			"no token":          {anonymous, codes.Unauthenticated},
			"no rep":            {accept("eve", "a", "1"), codes.PermissionDenied},
			"another's lead":    {accept(other(owner), "a", "1"), codes.FailedPrecondition},
			"unknown lead":      {accept(owner, "b", "1"), codes.NotFound},
			"no request id":     {accept(owner, "a", ""), codes.InvalidArgument},
			"no lead":           {accept(owner, "", "1"), codes.InvalidArgument},
			"unknown reason":    {reason, codes.InvalidArgument},
			"too long an inbox": {limit, codes.InvalidArgument},
		} {
			if got := status.Code(c.err); got != c.want {
				t.Errorf("%s: %v", name, c.err)
			}
		}
		// A refused request has left nothing behind: the same id works for the owner and, later, for the other.
		if err := accept(owner, "a", "1"); err != nil {
			t.Error(err)
		}
		if _, err := w.Reject(as(t, owner), &leadpactv1.RejectRequest{Lead: "a", RequestId: "2", Reason: "no_time"}); err != nil {
			t.Error(err)
		}
		if err := accept(other(owner), "a", "1"); err != nil {
			t.Error(err)
		}
		if err := accept(owner, "a", "3"); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a lead given back was accepted: %v", err)
		}
		inbox, err := w.ListInbox(as(t, other(owner)), &leadpactv1.ListInboxRequest{})
		if err != nil || len(inbox.GetAssignments()) != 1 || inbox.GetAssignments()[0].GetContact().GetEmail() != "lea@example.com" {
			t.Errorf("inbox %v, %v", inbox, err)
		}
	})
}

// The timer has not come by yet: who answers late is treated as if it had.
func TestLateAnswerIsLateBeforeTheTimerSaysSo(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		owner := w.owner("a")
		w.pass(5 * time.Minute) // due itself is late
		if _, err := w.Accept(as(t, owner), &leadpactv1.AcceptRequest{Lead: "a", RequestId: "1"}); status.Code(err) != codes.FailedPrecondition {
			t.Fatalf("late: %v", err)
		}
		w.fire()
		if w.count("clock.breached") != 1 || w.owner("a") != other(owner) {
			t.Fatalf("%v, owner %s", w.types("a"), w.owner("a"))
		}
	})
}

func TestOutcomeInTimeIsKeptWhenProcessedLate(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200), w.staged("b", 200))
		a, b := w.owner("a"), w.owner("b")
		w.pass(5*time.Minute - time.Microsecond)
		in := w.outcome("o1", "a", "attempt", a, eventv1.Mode_MODE_LIVE)
		w.pass(time.Microsecond)
		late := w.outcome("o2", "b", "attempt", b, eventv1.Mode_MODE_LIVE)
		w.pass(time.Minute)
		w.apply(in, late)
		w.fire()
		if !slices.Contains(w.types("a"), "clock.met") || slices.Contains(w.types("a"), "clock.breached") {
			t.Errorf("in time: %v", w.types("a"))
		}
		if slices.Contains(w.types("b"), "clock.met") || !slices.Contains(w.types("b"), "clock.breached") || w.owner("b") == b {
			t.Errorf("late: %v", w.types("b"))
		}
		if w.count("lead.activity") != 0 {
			t.Error("an outside outcome went back as lead.activity")
		}
	})
}

func TestOverdueClocksBreakInOrderOfDue(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 100}, max: {team: big, capacity: 1}}")
		for i := range 12 {
			w.apply(w.staged(leadName(i), 200))
			w.pass(7 * time.Second)
		}
		w.pass(30 * time.Minute) // an outage: every response is overdue, the persistence clocks are not
		w.fire()
		due := map[int]int64{}
		n := 0
		for _, e := range w.events() {
			if e.GetClockWarned() != nil {
				t.Error("a warning after the breach")
			}
			if e.GetClockBreached() == nil {
				continue
			}
			shard := event.Partition(e.GetLead(), 2)
			if e.GetOccurredAt() <= due[shard] {
				t.Errorf("%s broke out of order", e.GetLead())
			}
			due[shard] = e.GetOccurredAt()
			n++
		}
		if n != 12 || w.count("handoff.waiting") != 12 {
			t.Errorf("%d of 12 broke, %d wait", n, w.count("handoff.waiting"))
		}
		// All wait for lack of another rep, under the clock of those who wait.
		w.pass(10 * time.Minute)
		w.fire()
		if got := w.count("clock.breached"); got != 24 {
			t.Errorf("%d breaches", got)
		}
		w.balanced(100)
	})
}

func TestAbsentRepIsNeverPicked(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people(`
teams: {sales:, big:}
reps:
  ann: {team: sales, capacity: 50, absences: [{from: 2026-03-02T08:00:00Z, to: 2026-03-02T09:00:00Z}]}
  bob: {team: sales, capacity: 50}
  max: {team: big, capacity: 1}
`)
		for i := range 10 {
			w.apply(w.staged(leadName(i), 10))
			if who := w.owner(leadName(i)); who != "bob" {
				t.Fatalf("%q was picked", who)
			}
		}
		w.pass(time.Hour)
		w.apply(w.staged("x", 10), w.staged("y", 10))
		if w.owner("x") != "ann" && w.owner("y") != "ann" {
			t.Error("ann is back and gets nothing")
		}
	})
}

func TestHistoryWakesNobody(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		past := w.outcome("o1", "a", "won", "somebody-who-left", eventv1.Mode_MODE_HISTORY)
		w.apply(past)
		w.apply(past, w.outcome("o2", "b", "attempt", "ann", eventv1.Mode_MODE_HISTORY))
		all := w.assignments("a")
		if len(all) != 1 || all[0].Rep != "somebody-who-left" || !all[0].EndedAt.Equal(monday) || !all[0].StartedAt.Equal(monday) {
			t.Fatalf("assignments %+v", all)
		}
		if h := w.handoff("a"); h.State != store.HandoffClosed || h.Result != "won" || !h.History {
			t.Errorf("handoff %+v", h)
		}
		if told := append(w.types("a"), w.types("b")...); len(told) != 0 {
			t.Errorf("history told %v", told)
		}
		w.apply(w.staged("b", 10)) // a live event hands it off all the same
		if w.owner("b") == "" {
			t.Error("the lead with a past was not handed off")
		}
		w.balanced(3)
	})
}

func TestMergeEndsTheYounger(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		w.pass(time.Second)
		w.apply(w.staged("b", 200))
		merge := &eventv1.Event{Id: "m", Source: event.Scoring, Lead: "a", Body: &eventv1.Event_LeadMerged{LeadMerged: &eventv1.LeadMerged{Survivor: "a", Absorbed: "b"}}}
		w.apply(merge)
		w.apply(merge)
		if w.owner("a") == "" || w.owner("b") != "" || w.handoff("b").Result != "merged" || len(w.handoff("b").Contact) > 0 {
			t.Errorf("a: %s, b: %+v", w.owner("a"), w.handoff("b"))
		}
		w.apply(&eventv1.Event{Id: "e", Source: event.Scoring, Lead: "a", Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}}})
		if h := w.handoff("a"); h.Result != "erased" || len(h.Contact) > 0 {
			t.Errorf("after erasure: %+v", h)
		}
		w.balanced(3)
	})
}

func TestNewCycleEndsTheOld(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		next := w.staged("a", 200)
		next.Id, next.GetLeadStaged().Cycle = "staged-a-2", 2
		w.apply(next)
		if all := w.assignments("a"); len(all) != 2 || all[0].EndReason != "recycled" || !all[1].EndedAt.IsZero() {
			t.Errorf("assignments %+v", all)
		}
		w.apply(w.staged("a", 200)) // the old one comes late
		if h := w.handoff("a"); h.Cycle != 2 || h.State != store.HandoffAssigned {
			t.Errorf("handoff %+v", h)
		}
		w.balanced(3)
	})
}

func TestEventWaitsForItsAgreement(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		e := w.staged("a", 10)
		newer := document + "# signed again\n"
		e.Agreement = event.DerivedID("not here")
		if err := w.Apply(t.Context(), 0, []*eventv1.Event{e}); err == nil || bus.IsPermanent(err) {
			t.Fatalf("an agreement that is not here yet: %v", err)
		}
		w.agree(newer)
		e.Agreement = w.hash
		w.apply(e)
		if w.handoff("a").Agreement != w.hash {
			t.Error("the handoff is not pinned to its version")
		}
		for name, bad := range map[string]*eventv1.Event{
			"no lead":  {Id: "1", Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}}},
			"no cycle": {Id: "2", Lead: "x", Agreement: w.hash, Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{Handoff: true}}},
			"no kind":  {Id: "3", Lead: "x", Body: &eventv1.Event_LeadOutcome{LeadOutcome: &eventv1.LeadOutcome{}}},
		} {
			if err := w.Apply(t.Context(), 0, []*eventv1.Event{bad}); !bus.IsPermanent(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// What was poison is handed off once by its retry, and a dry run starts nothing.
func TestRetryOfPoison(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		again := quarantine.Again(w.store, w)
		rows := map[string]store.Quarantined{}
		cold := w.staged("nobody", 10)
		cold.GetLeadStaged().Cycle = 0
		later := w.staged("later", 10)
		later.Agreement = event.DerivedID("not here")
		for key, e := range map[string]*eventv1.Event{"good": w.staged("a", 10), "bad": cold, "later": later} {
			raw, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			rows[key] = store.Quarantined{Key: key, Kind: store.PoisonEvent, Raw: raw, Attempts: 1, At: w.now()}
			if err := w.Quarantine(t.Context(), []store.Quarantined{rows[key]}); err != nil {
				t.Fatal(err)
			}
		}
		for _, dry := range []bool{true, false, false} {
			if v, err := again(t.Context(), rows["good"], quarantine.Trial{Dry: dry}); err != nil || v.Outcome != quarantine.Applied {
				t.Errorf("dry %t: %+v, %v", dry, v, err)
			}
			if v, err := again(t.Context(), rows["bad"], quarantine.Trial{Dry: dry}); !bus.IsPermanent(err) {
				t.Errorf("bad, dry %t: %+v, %v", dry, v, err)
			}
			if v, err := again(t.Context(), rows["later"], quarantine.Trial{Dry: dry}); err == nil || bus.IsPermanent(err) {
				t.Errorf("under a version that is not here, dry %t: %+v, %v", dry, v, err)
			}
			if n := w.count("handoff.started"); (n == 0) != dry || n > 1 {
				t.Errorf("dry %t: %d handoffs", dry, n)
			}
		}
		if left, err := w.store.ListQuarantined(t.Context(), store.Search{Limit: 9}); err != nil || len(left) != 2 {
			t.Errorf("there wait %+v, %v", left, err)
		}
	})
}

// Two promises fall due at one instant, and the remedy of the first takes the lead away: the second was open then, and breaks too.
func TestWhatFallsDueTogetherBreaksTogether(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.agree(strings.Replace(document, "name: persistence, within: 1h, calendar: rep", "name: touches, within: 5m, calendar: always", 1))
		w.apply(w.staged("a", 200))
		w.pass(time.Hour)
		w.fire()
		if w.count("clock.breached") != 2 || w.count("clock.cancelled") != 0 || w.count("handoff.assigned") != 2 {
			t.Errorf("told %v", w.types("a"))
		}
	})
}
