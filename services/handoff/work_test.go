package handoff_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// One batch touches the leads of more owners, and of more pools, than a transaction may be begun again.
func TestManyOwnersAndPoolsInOneBatch(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		const owners, pools = 50, 30
		var routes, named, teams, reps strings.Builder
		for p := range pools {
			fmt.Fprintf(&routes, "{pool: p%d, when: lead.employees == %d}, ", p, 5000+p)
			fmt.Fprintf(&named, ", p%d: {teams: [t%d]}", p, p)
			fmt.Fprintf(&teams, ", t%d:", p)
			fmt.Fprintf(&reps, ", q%d: {team: t%d, capacity: 1}", p, p)
		}
		for r := range owners {
			fmt.Fprintf(&reps, ", r%d: {team: sales, capacity: 1}", r)
		}
		many := strings.Replace(document, "routes: [", "routes: ["+routes.String(), 1)
		w.agree(strings.Replace(many, "big: {teams: [big]}", "big: {teams: [big]}"+named.String(), 1))
		w.people("teams: {sales:, big:" + teams.String() + "}\nreps: {max: {team: big, capacity: 1}" + reps.String() + "}")

		var staged, erased, later []*eventv1.Event
		erase := func(lead string) {
			erased = append(erased, &eventv1.Event{
				Id: "erase-" + lead, Source: event.Scoring, Lead: lead, Body: &eventv1.Event_LeadErased{LeadErased: &eventv1.LeadErased{}},
			})
		}
		for i := range owners {
			staged = append(staged, w.staged(leadName(i), 200))
			erase(leadName(i))
		}
		for p := range pools {
			staged = append(staged, w.staged(fmt.Sprintf("first%d", p), float64(5000+p)))
			erase(fmt.Sprintf("first%d", p))
			later = append(later, w.staged(fmt.Sprintf("later%d", p), float64(5000+p)))
		}
		w.apply(staged...)
		w.apply(later...)
		if n := w.count("handoff.assigned"); n != owners+pools || w.count("handoff.waiting") != pools {
			t.Fatalf("%d assigned, %d wait", n, w.count("handoff.waiting"))
		}
		w.apply(erased...)
		if n := w.count("handoff.closed"); n != owners+pools {
			t.Fatalf("%d closed", n)
		}
		defer w.runsWaiting()()
		w.until("each pool's rep takes the lead that waited", func() bool { return w.count("handoff.assigned") == owners+2*pools })
		w.balanced(1)
	})
}

// A pool that is full is asked once in a look, however many leads wait for it; one whose rep is out for a single lead is not full.
func TestFullPoolIsAskedOnce(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		const waiting = 3 * 100
		var staged []*eventv1.Event
		for i := range waiting + 1 {
			staged = append(staged, w.staged(leadName(i), 2000))
		}
		w.apply(append(staged, w.staged("x", 10), w.staged("y", 10))...)
		if n := w.count("handoff.waiting"); n != waiting {
			t.Fatalf("%d wait", n)
		}
		defer w.runsWaiting()()
		looked := func(n int64) { w.until("a look", func() bool { return w.store.looks.Load() >= n }) }
		looked(2)
		for i, lead := range []string{"x", "y"} { // each ends a lead of another pool, which makes the service look
			if _, err := w.CloseLost(as(t, w.owner(lead)), &leadpactv1.CloseLostRequest{Lead: lead, RequestId: "1"}); err != nil {
				t.Fatal(err)
			}
			looked(int64(3 + i))
		}
		w.store.mu.Lock()
		defer w.store.mu.Unlock()
		// Three batches, the first begun again to lock the pool; and the action between the two looks.
		if n := w.store.before[3] - w.store.before[2]; n != 4+1 {
			t.Errorf("a look took %d transactions", n-1)
		}
	})
}

// The first that waits had the only free rep; the second goes to him.
func TestExcludedLeadDoesNotShutItsPool(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 1}, bob: {team: sales, capacity: 1}, max: {team: big, capacity: 1}}")
		w.apply(w.staged("a", 10), w.staged("b", 10))
		rep := w.owner("a")
		if _, err := w.Reject(as(t, rep), &leadpactv1.RejectRequest{Lead: "a", RequestId: "1", Reason: "no_time"}); err != nil {
			t.Fatal(err)
		}
		if w.handoff("a").State != store.HandoffWaiting {
			t.Fatal("a does not wait")
		}
		w.pass(time.Second)
		e := w.staged("c", 10)
		w.people("teams: {sales:, big:}\nreps: {zoe: {team: sales, capacity: 1, absences: [{from: 2026-03-02T07:00:00Z, to: 2026-03-03T07:00:00Z}]}, max: {team: big, capacity: 1}}")
		w.apply(e)
		if w.handoff("c").State != store.HandoffWaiting {
			t.Fatal("c does not wait")
		}
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 1}, bob: {team: sales, capacity: 1}, max: {team: big, capacity: 1}}")
		defer w.runsWaiting()()
		w.until("c goes to the rep who gave a back", func() bool { return w.owner("c") == rep })
		w.balanced(1)
	})
}
