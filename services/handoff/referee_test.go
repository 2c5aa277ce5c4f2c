package handoff_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// Random days at the desk, judged by a referee who sees only what was told.
func TestRandomDaysObeyTheReferee(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		for seed := range int64(3) {
			day(w, seed)
		}
		w.pass(30 * 24 * time.Hour)
		for range 5 { // remedies start clocks anew
			w.fire()
			w.pass(30 * 24 * time.Hour)
		}
		judge(t, w.events())
		w.balanced(3)
		w.runAgain()
	})
}

func day(w *world, seed int64) {
	w.t.Helper()
	random := rand.New(rand.NewSource(seed))
	lead := func() string { return fmt.Sprintf("day%d-%02d", seed, random.Intn(15)) }
	who := func(lead string) string {
		if owner := w.owner(lead); owner != "" && random.Intn(4) > 0 {
			return owner
		}
		return other("ann")
	}
	for i := range 150 {
		id := fmt.Sprintf("%d-%d", seed, i)
		l := lead()
		// A refusal is an answer as good as any here.
		switch random.Intn(9) {
		case 0, 1:
			w.apply(w.staged(l, float64(random.Intn(1500))))
		case 2:
			_, _ = w.Accept(as(w.t, who(l)), &leadpactv1.AcceptRequest{Lead: l, RequestId: id})
		case 3:
			_, _ = w.LogAttempt(as(w.t, who(l)), &leadpactv1.LogAttemptRequest{Lead: l, RequestId: id})
		case 4:
			reason := []string{"duplicate", "no_time"}[random.Intn(2)]
			_, _ = w.Reject(as(w.t, who(l)), &leadpactv1.RejectRequest{Lead: l, RequestId: id, Reason: reason})
		case 5:
			kind := []string{"attempt", "accepted", "won"}[random.Intn(3)]
			e := w.outcome(id, l, kind, w.owner(l), eventv1.Mode_MODE_LIVE)
			e.OccurredAt -= random.Int63n(int64(10 * time.Minute / time.Microsecond))
			e.RecordedAt -= random.Int63n(int64(2 * time.Minute / time.Microsecond))
			e.GetLeadOutcome().Source = []string{"website", "crm"}[random.Intn(2)]
			w.apply(e)
		case 6:
			_, _ = w.CloseLost(as(w.t, who(l)), &leadpactv1.CloseLostRequest{Lead: l, RequestId: id})
		case 7:
			w.fire()
		case 8:
			w.pass(time.Duration(random.Int63n(int64(8 * time.Minute))).Truncate(time.Microsecond))
		}
	}
	w.t.Logf("seed %d", seed)
}

// judge demands of the events: each clock starts once and ends once; kept before due, broken at due and not told before it,
// cancelled at no later time than due; warned only before its end; corrected once at most, after its breach, by what was done in time; a
// lead has one owner at a time.
func judge(t *testing.T, events []*eventv1.Event) {
	t.Helper()
	due, ended := map[string]int64{}, map[string]string{}
	owner, seen := map[string]string{}, map[string]bool{}
	end := func(e *eventv1.Event, c *eventv1.Clock, at int64, ok bool) {
		how := event.Type(e)
		switch {
		case due[c.GetId()] == 0:
			t.Errorf("%s ended before it started", c.GetId())
		case ended[c.GetId()] != "":
			t.Errorf("%s: %s after %s", c.GetId(), how, ended[c.GetId()])
		case !ok:
			t.Errorf("%s: %s at %s, due %s, recorded %s", c.GetId(), how, event.Time(at), event.Time(due[c.GetId()]), event.Time(e.GetRecordedAt()))
		}
		ended[c.GetId()] = how
	}
	counts := map[string]int{}
	for _, e := range events {
		if seen[e.GetId()] {
			t.Errorf("told twice: %s", e.GetId())
		}
		seen[e.GetId()] = true
		counts[event.Type(e)]++
		switch body := e.GetBody().(type) {
		case *eventv1.Event_ClockStarted:
			c := body.ClockStarted.GetClock()
			if due[c.GetId()] != 0 {
				t.Errorf("%s started twice", c.GetId())
			}
			due[c.GetId()] = c.GetDueAt()
		case *eventv1.Event_ClockWarned:
			if c := body.ClockWarned.GetClock(); ended[c.GetId()] != "" || e.GetRecordedAt() >= c.GetDueAt() {
				t.Errorf("%s warned at %s, due %s, %s", c.GetId(), event.Time(e.GetRecordedAt()), event.Time(c.GetDueAt()), ended[c.GetId()])
			}
		case *eventv1.Event_ClockMet:
			c := body.ClockMet.GetClock()
			end(e, c, body.ClockMet.GetStoppedAt(), body.ClockMet.GetStoppedAt() < due[c.GetId()])
		case *eventv1.Event_ClockBreached:
			c := body.ClockBreached.GetClock()
			end(e, c, e.GetOccurredAt(), e.GetOccurredAt() == due[c.GetId()] && e.GetRecordedAt() >= due[c.GetId()])
		case *eventv1.Event_ClockCancelled:
			c := body.ClockCancelled.GetClock()
			end(e, c, e.GetOccurredAt(), e.GetOccurredAt() < due[c.GetId()])
		case *eventv1.Event_ClockCorrected:
			c, at := body.ClockCorrected.GetClock(), body.ClockCorrected.GetRespondedAt()
			if ended[c.GetId()] != "clock.breached" || at < c.GetStartedAt() || at >= due[c.GetId()] || at != e.GetOccurredAt() {
				t.Errorf("%s: corrected after %q, by what was done at %s, due %s", c.GetId(), ended[c.GetId()], event.Time(at), event.Time(due[c.GetId()]))
			}
			ended[c.GetId()] = event.Type(e)
		case *eventv1.Event_HandoffAssigned:
			if owner[e.GetLead()] != "" {
				t.Errorf("%s has two owners", e.GetLead())
			}
			owner[e.GetLead()] = body.HandoffAssigned.GetTerms().GetRep()
		case *eventv1.Event_HandoffReleased:
			if owner[e.GetLead()] != body.HandoffReleased.GetTerms().GetRep() {
				t.Errorf("%s taken from %s, who does not have it", e.GetLead(), body.HandoffReleased.GetTerms().GetRep())
			}
			owner[e.GetLead()] = ""
		}
	}
	for id := range due {
		if ended[id] == "" {
			t.Errorf("%s never ended", id)
		}
	}
	for _, typ := range []string{"clock.met", "clock.breached", "clock.cancelled", "clock.corrected", "handoff.waiting", "handoff.closed"} {
		if counts[typ] == 0 {
			t.Errorf("the days had no %s: they prove little", typ)
		}
	}
	t.Logf("%v", counts)
}
