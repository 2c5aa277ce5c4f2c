package handoff_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// long promises of a rep more hours than an office has in all the years that calendars are compiled for.
var long = strings.Replace(document, "within: 1h, calendar: rep", "within: 2000d, calendar: rep", 1)

// office gives ann and max hours of their own.
const office = `
teams: {sales: {manager: mia}, big:, leads:}
calendars: {office: {zone: Europe/Berlin, hours: {mon-fri: 13:00-17:00}}}
reps:
  ann: {team: sales, capacity: 3, calendar: office}
  bob: {team: sales, capacity: 3}
  max: {team: big, capacity: 1, calendar: office}
  mia: {team: leads, capacity: 1}
`

// Whose hours cannot hold a promise gets no lead, and what waits for him stands in nobody's way.
func TestRepWithoutHoursGetsNoLead(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people(office)
		w.agree(long) // signed after the roster was checked
		w.apply(w.staged("a", 2000), w.staged("b", 10), w.staged("c", 10))
		if h := w.handoff("a"); h.State != store.HandoffWaiting {
			t.Fatalf("handoff %+v", h)
		}
		w.want("a", "handoff.started", "handoff.waiting", "clock.started")
		for _, e := range w.events() {
			if wait := e.GetHandoffWaiting(); wait != nil && wait.GetReason() != "no_hours" {
				t.Errorf("%s waits for %s", e.GetLead(), wait.GetReason())
			}
		}
		if w.owner("b") != "bob" || w.owner("c") != "bob" {
			t.Errorf("b: %q, c: %q", w.owner("b"), w.owner("c"))
		}
		w.balanced(3)
	})
}

// New hours cannot hold promises that run: those go on as they were, the others move, and who waits is handed off.
func TestOneLeadWithoutHoursHoldsUpNoOther(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.agree(long)
		w.apply(w.staged("a", 2000), w.staged("b", 10), w.staged("c", 10), w.staged("d", 2000)) // d waits for max
		w.pass(time.Second)
		w.agree(document + "# signed again\n")
		w.people(strings.Replace(people, "bob: {team: sales", "bob: {team: big", 1)) // e goes to ann
		if w.owner("d") != "" {
			t.Fatal("d does not wait")
		}
		w.apply(w.staged("e", 10))
		w.people(office + "  moe: {team: big, capacity: 1}\n")
		defer w.runsWaiting()()
		w.until("e's clock moves, and d goes to moe", func() bool { return w.owner("e") == "ann" && w.owner("d") == "moe" })
		for _, e := range w.events() {
			if c := e.GetClockCancelled(); c.GetReason() == "hours_changed" && e.GetLead() != "e" {
				t.Errorf("%s moved", c.GetClock().GetId())
			}
		}
		w.want("e", "handoff.started", "handoff.assigned", "clock.started", "clock.cancelled", "clock.started")
		w.balanced(3)
	})
}
