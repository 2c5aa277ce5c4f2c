package handoff_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// withdrawn takes back the handoff of a lead's cycle.
func (w *world) withdrawn(lead string, cycle uint32) *eventv1.Event {
	return &eventv1.Event{
		Id: "withdrawn-" + lead, Source: event.Scoring, Lead: lead, Mode: eventv1.Mode_MODE_LIVE, Agreement: w.hash,
		OccurredAt: event.Micros(w.now()), RecordedAt: event.Micros(w.now()),
		Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
			Cycle: cycle, N: 2, From: "mql", To: "mql", Grade: "hot", Channel: "search", Withheld: "do_not_contact", Withdrawn: true,
		}},
	}
}

// ends are why the lead's clocks fell away, when, and how the handoff ended.
func (w *world) ends(lead string) (reasons []string, at time.Time, result string) {
	w.t.Helper()
	for _, e := range w.events() {
		if e.GetLead() != lead {
			continue
		}
		if c := e.GetClockCancelled(); c != nil {
			reasons, at = append(reasons, c.GetReason()), event.Time(e.GetOccurredAt())
		}
		if r := e.GetHandoffReleased(); r != nil {
			reasons = append(reasons, r.GetReason())
		}
		if c := e.GetHandoffClosed(); c != nil {
			result = c.GetResult()
		}
	}
	return reasons, at, result
}

func TestAWithdrawalStopsWhatIsUnderWay(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		rep := w.owner("a")
		w.pass(time.Minute)
		stop := w.withdrawn("a", 1)
		w.apply(stop)
		w.apply(stop, w.staged("a", 200))
		reasons, at, result := w.ends("a")
		if !slices.Equal(reasons, []string{"withdrawn", "withdrawn", "withdrawn"}) || result != "withdrawn" || !at.Equal(monday.Add(time.Minute)) {
			t.Errorf("it ended with %v at %s as %q", reasons, at, result)
		}
		if h := w.handoff("a"); h.State != store.HandoffClosed || h.Result != "withdrawn" || len(h.Contact) > 0 || w.owner("a") != "" {
			t.Errorf("the handoff is %+v", h)
		}
		w.pass(2 * time.Hour)
		w.fire()
		if w.count("clock.breached") != 0 {
			t.Errorf("a promise was missed on a lead that nobody may call: %v", w.types("a"))
		}
		_, err := w.Accept(as(t, rep), &leadpactv1.AcceptRequest{Lead: "a", RequestId: "1"})
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("who had it may accept it: %v", err)
		}
		w.balanced(3)
	})
}

func TestAWithdrawalStopsWhatWaits(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people(`
teams: {sales:, big:}
reps:
  ann: {team: sales, capacity: 1}
  max: {team: big, capacity: 1}
`)
		w.apply(w.staged("x", 10))
		w.pass(time.Second)
		w.apply(w.staged("a", 200), w.staged("b", 200))
		w.apply(w.withdrawn("a", 1))
		reasons, _, result := w.ends("a")
		if !slices.Equal(reasons, []string{"withdrawn"}) || result != "withdrawn" || w.handoff("b").State != store.HandoffWaiting {
			t.Errorf("it ended with %v as %q, b is %+v", reasons, result, w.handoff("b"))
		}
		defer w.runsWaiting()()
		if _, err := w.CloseWon(as(t, "ann"), &leadpactv1.CloseWonRequest{Lead: "x", RequestId: "1"}); err != nil {
			t.Fatal(err)
		}
		w.until("ann, who has room again, to have what still waits", func() bool { return w.owner("b") == "ann" })
		w.pass(time.Hour)
		w.fire()
		if slices.Contains(w.types("a"), "clock.breached") || w.owner("a") != "" {
			t.Errorf("the lead went to %q: %v", w.owner("a"), w.types("a"))
		}
	})
}

// What was due when the withdrawal came in is missed; what fell due while it was on its way is not.
func TestAWithdrawalCountsFromWhenItCameIn(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200), w.staged("b", 200))
		w.pass(5*time.Minute - time.Second)
		inTime := w.withdrawn("a", 1)
		w.pass(time.Second)
		late := w.withdrawn("b", 1)
		w.pass(time.Second)
		w.apply(inTime, late)
		if got, _, _ := w.ends("a"); slices.Contains(w.types("a"), "clock.breached") || len(got) != 3 {
			t.Errorf("a told %v", w.types("a"))
		}
		if !slices.Contains(w.types("b"), "clock.breached") || w.handoff("b").Result != "withdrawn" {
			t.Errorf("b told %v", w.types("b"))
		}
		w.balanced(3)
	})
}

// verdicts are how the promises on a lead that have ended count.
func (w *world) verdicts(lead string) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, e := range w.events() {
		switch b := e.GetBody().(type) {
		case *eventv1.Event_ClockMet:
			if e.GetLead() == lead {
				out["met"]++
			}
		case *eventv1.Event_ClockBreached:
			if e.GetLead() == lead {
				out["missed"]++
			}
		case *eventv1.Event_ClockCancelled:
			if e.GetLead() == lead {
				out[b.ClockCancelled.GetReason()]++
			}
		case *eventv1.Event_ClockCorrected:
			if e.GetLead() == lead {
				out["missed"]--
				out[b.ClockCorrected.GetBy()]++
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, n int) bool { return n == 0 })
	return out
}

// What fell due after the withdrawal came in is neither kept nor missed, whether the timer looked before the desk heard of it or after.
func TestAWithdrawalHeardAfterTheTimer(t *testing.T) {
	cases := map[string]struct {
		employees float64
		at        time.Duration // when it came in
		fires     []time.Duration
		between   func(w *world, lead string)
		missed    int // in either order
	}{
		"a promise with no remedy": {employees: 10, at: time.Hour - time.Microsecond, fires: []time.Duration{2 * time.Hour}},
		"at due":                   {employees: 10, at: time.Hour, fires: []time.Duration{2 * time.Hour}, missed: 1},
		"handed on, and on to nobody": {
			employees: 200, at: 4 * time.Minute, fires: []time.Duration{6 * time.Minute, 12 * time.Minute, 3 * time.Hour},
		},
		"the first was missed in truth": {
			employees: 200, at: 5 * time.Minute, fires: []time.Duration{6 * time.Minute, 12 * time.Minute, 3 * time.Hour}, missed: 1,
		},
		"over in between": {
			employees: 10, at: 30 * time.Minute, fires: []time.Duration{2 * time.Hour},
			between: func(w *world, lead string) {
				w.apply(w.says(lead+"-lost", lead, "lost", w.owner(lead), "website", w.now()))
			},
		},
		"its next cycle in between": {
			employees: 10, at: 30 * time.Minute, fires: []time.Duration{2 * time.Hour},
			between: func(w *world, lead string) {
				again := w.staged(lead, 10)
				again.Id, again.GetLeadStaged().Cycle = lead+"-again", 2
				w.apply(again)
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, w *world) {
				start := w.now()
				early, late := "early", "late"
				w.apply(w.staged(early, c.employees), w.staged(late, c.employees))
				stop := map[string]*eventv1.Event{}
				for _, lead := range []string{early, late} {
					stop[lead] = w.withdrawn(lead, 1)
					stop[lead].RecordedAt = event.Micros(start.Add(c.at))
				}
				w.pass(c.fires[0])
				w.apply(stop[early])
				for i, at := range c.fires {
					if i > 0 {
						w.pass(at - c.fires[i-1])
					}
					w.fire()
				}
				if c.between != nil {
					c.between(w, late)
				}
				w.apply(stop[late], stop[late])
				w.apply(stop[late])
				e, l := w.verdicts(early), w.verdicts(late)
				if e["missed"] != c.missed || l["missed"] != c.missed || e["met"]+l["met"] > 0 {
					t.Errorf("heard before the timer %v, after it %v; want %d missed", e, l, c.missed)
				}
				if c.employees == 10 && c.between == nil && !maps.Equal(e, l) {
					t.Errorf("heard before the timer %v, after it %v", e, l)
				}
				if c.missed > 0 && len(c.fires) == 1 {
					return
				}
				told := w.corrections(late)
				if len(told) == 0 {
					t.Fatalf("nothing was corrected: %v", w.types(late))
				}
				for _, k := range told {
					b := k.GetClockCorrected()
					at := max(event.Micros(start.Add(c.at)), b.GetClock().GetStartedAt())
					if b.GetBy() != "withdrawn" || b.GetSource() != event.Scoring || b.GetRespondedAt() != at || k.GetOccurredAt() != at || at >= b.GetClock().GetDueAt() {
						t.Errorf("told %v", k)
					}
					if r := w.clock(b.GetClock().GetId()); r.State != store.ClockBreached || event.Micros(r.RespondedAt) != at || r.Witness != event.Scoring {
						t.Errorf("stored %+v", r)
					}
				}
			})
		})
	}
}

// A witness's word that comes after has nothing left to turn, and what a witness turned before stays kept.
func TestAWithdrawalAndAWitness(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		start := w.now()
		w.apply(w.staged("a", 10), w.staged("b", 10))
		a, b := w.owner("a"), w.owner("b")
		stopA, stopB := w.withdrawn("a", 1), w.withdrawn("b", 1)
		w.pass(2 * time.Hour)
		w.fire()
		at := start.Add(time.Minute)
		w.apply(stopA, w.says("o1", "a", "reached", a, "crm", at), w.says("o2", "b", "reached", b, "crm", at), stopB)
		if got := w.verdicts("a"); got["withdrawn"] != 1 || got["reached"] != 0 || got["missed"] != 0 {
			t.Errorf("a: %v", got)
		}
		if got := w.verdicts("b"); got["withdrawn"] != 0 || got["reached"] != 1 || got["missed"] != 0 {
			t.Errorf("b: %v", got)
		}
	})
}

// Who was told of the breach is told of the withdrawal; what history tells is told to nobody.
func TestAVerdictThatAWithdrawalTurnedIsTold(t *testing.T) {
	polling(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		theirs := newReceiver(t)
		w.people(`
teams: {sales:, big:}
reps:
  ann: {team: sales, capacity: 2}
  max: {team: big, capacity: 1}
notices:
  shared: {url: "` + theirs.URL + `", secret: env:SHARED}
`)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.RunNotices(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		defer running.Wait()
		defer stop()
		w.apply(w.staged("a", 10), w.staged("b", 10))
		live, past := w.withdrawn("a", 1), w.withdrawn("b", 1)
		past.Mode = eventv1.Mode_MODE_HISTORY
		w.pass(2 * time.Hour)
		w.fire()
		w.apply(past, live)
		w.until("ann is told", func() bool {
			return len(theirs.twice("clock.breached")) == 2 && len(theirs.twice("lead.withdrawn")) == 1 && len(theirs.twice("clock.corrected")) == 1
		})
		data := theirs.twice("clock.corrected")[0]["data"].(map[string]any)
		if c := data["clock"].(map[string]any); data["lead"] != "a" || c["state"] != "withdrawn" || c["responded_at"] != nil {
			t.Errorf("ann is told %v", data)
		}
		if len(w.corrections("b")) != 1 {
			t.Errorf("what history tells of turned %v", w.types("b"))
		}
	})
}

// In whatever order a handoff and its withdrawal come, in one batch or two, nobody has the lead in the end and no clock runs.
func TestAWithdrawalMayOvertake(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		for lead, batches := range map[string]func(staged, withdrawn *eventv1.Event) [][]*eventv1.Event{
			"a": func(s, x *eventv1.Event) [][]*eventv1.Event { return [][]*eventv1.Event{{s}, {x}} },
			"b": func(s, x *eventv1.Event) [][]*eventv1.Event { return [][]*eventv1.Event{{x}, {s}} },
			"c": func(s, x *eventv1.Event) [][]*eventv1.Event { return [][]*eventv1.Event{{s, x}} },
			"d": func(s, x *eventv1.Event) [][]*eventv1.Event { return [][]*eventv1.Event{{x, s}} },
			"e": func(s, x *eventv1.Event) [][]*eventv1.Event { return [][]*eventv1.Event{{x}, {x, s}, {s}} },
		} {
			for _, events := range batches(w.staged(lead, 200), w.withdrawn(lead, 1)) {
				w.apply(events...)
			}
			if h := w.handoff(lead); h.State != store.HandoffClosed || h.Result != "withdrawn" || len(h.Contact) > 0 || w.owner(lead) != "" {
				t.Errorf("lead %s: %+v", lead, h)
			}
		}
		w.pass(2 * time.Hour)
		w.fire()
		if w.count("clock.breached") != 0 {
			t.Error("a clock ran on")
		}
		w.balanced(3)
		// The next cycle is another handoff.
		next := w.staged("b", 200)
		next.Id, next.GetLeadStaged().Cycle = "staged-b-2", 2
		w.apply(next, w.withdrawn("b", 1))
		if h := w.handoff("b"); h.Cycle != 2 || h.State != store.HandoffAssigned {
			t.Errorf("the next cycle is %+v", h)
		}
	})
}

// A withdrawal that overtakes finds what history, or an earlier cycle, left behind.
func TestAWithdrawalOvertakesBesideAPast(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.outcome("o1", "a", "lost", "somebody-who-left", eventv1.Mode_MODE_HISTORY), w.staged("b", 200))
		again := w.staged("b", 200)
		again.Id, again.GetLeadStaged().Cycle = "staged-b-2", 2
		w.apply(w.withdrawn("a", 1), w.withdrawn("b", 2))
		w.apply(w.staged("a", 200), again)
		if h := w.handoff("a"); h.State != store.HandoffClosed || h.Result != "lost" || w.owner("a") != "" {
			t.Errorf("a is %+v", h)
		}
		if h := w.handoff("b"); h.Cycle != 2 || h.Result != "withdrawn" || w.owner("b") != "" {
			t.Errorf("b is %+v", h)
		}
		if got := w.assignments("b"); len(got) != 1 || got[0].EndReason != "recycled" {
			t.Errorf("b had %+v", got)
		}
		w.balanced(3)
	})
}

// Each runs against the other in a transaction of its own.
func TestAWithdrawalRacesTheHandoff(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		for i := range 20 {
			var both sync.WaitGroup
			for _, e := range []*eventv1.Event{w.staged(leadName(i), 200), w.withdrawn(leadName(i), 1)} {
				both.Go(func() {
					if err := w.Apply(t.Context(), 0, eventsOf(e)); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			if h := w.handoff(leadName(i)); h.Result != "withdrawn" || w.owner(leadName(i)) != "" {
				t.Errorf("lead %d: %+v", i, h)
			}
		}
		w.pass(2 * time.Hour)
		w.fire()
		if w.count("clock.breached") != 0 {
			t.Error("a clock ran on")
		}
		w.balanced(3)
	})
}

func TestTheRepIsToldToStop(t *testing.T) {
	polling(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		theirs := newReceiver(t)
		w.people(`
teams: {sales:, big:}
reps:
  ann: {team: sales, capacity: 2}
  max: {team: big, capacity: 1}
notices:
  shared: {url: "` + theirs.URL + `", secret: env:SHARED}
`)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.RunNotices(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		defer running.Wait()
		defer stop()
		w.apply(w.staged("a", 200), w.staged("b", 200))
		past := w.withdrawn("b", 1)
		past.Mode = eventv1.Mode_MODE_HISTORY
		w.apply(past, w.withdrawn("a", 1))
		w.until("ann is told", func() bool {
			return len(theirs.twice("lead.assigned")) == 2 && len(theirs.twice("lead.withdrawn")) == 1
		})
		if data := theirs.twice("lead.withdrawn")[0]["data"].(map[string]any); data["lead"] != "a" || data["contact"] != nil || data["live"] != false {
			t.Errorf("ann is told %v", data)
		}
		if h := w.handoff("b"); h.Result != "withdrawn" {
			t.Errorf("what history tells of is %+v", h)
		}
		theirs.mu.Lock()
		defer theirs.mu.Unlock()
		if len(theirs.got) != 3 {
			t.Errorf("%d keys came, of two assigned and one withdrawn", len(theirs.got))
		}
	})
}
