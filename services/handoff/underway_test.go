package handoff_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/agreement"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// version is the document as another one, with replacements.
func version(name, underWay string, replace ...string) string {
	head := []string{`version: "1"`, fmt.Sprintf("version: %q\nunder_way: %s", name, underWay)}
	return strings.NewReplacer(append(head, replace...)...).Replace(document)
}

// within is what a version makes of the promise of an hour.
func within(is string) []string { return []string{"within: 1h", "within: " + is} }

// run is one clock as it was told.
type run struct {
	id, version string
	due         time.Duration // since monday
	end         string        // why it fell away, or met or breached; "" while it runs
}

// runs are the clocks of a lead in the order in which they were told. Every event of a clock is of one version, and tells of one start.
func (w *world) runs(lead string) []run {
	w.t.Helper()
	var out []run
	at, began := map[string]int{}, map[string]int64{}
	of := func(e *eventv1.Event, c *eventv1.Clock) *run {
		r := &out[at[c.GetId()]]
		if r.version != w.names[e.GetAgreement()] {
			w.t.Errorf("%s of %s is of version %s, it started under %s", e.GetId(), r.id, w.names[e.GetAgreement()], r.version)
		}
		return r
	}
	for _, e := range w.events() {
		if e.GetLead() != lead {
			continue
		}
		switch b := e.GetBody().(type) {
		case *eventv1.Event_ClockStarted:
			c := b.ClockStarted.GetClock()
			key := c.GetTerms().GetAssignment() + c.GetName()
			if start, known := began[key]; known && start != c.GetStartedAt() {
				w.t.Errorf("%s starts anew", c.GetId())
			}
			began[key], at[c.GetId()] = c.GetStartedAt(), len(out)
			out = append(out, run{id: c.GetId(), version: w.names[e.GetAgreement()], due: time.UnixMicro(c.GetDueAt()).Sub(monday)})
		case *eventv1.Event_ClockCancelled:
			of(e, b.ClockCancelled.GetClock()).end = b.ClockCancelled.GetReason()
		case *eventv1.Event_ClockMet:
			of(e, b.ClockMet.GetClock()).end = "met"
		case *eventv1.Event_ClockBreached:
			of(e, b.ClockBreached.GetClock()).end = "breached"
		}
	}
	return out
}

func (w *world) ran(lead string, want ...run) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.runs(lead), cmp.AllowUnexported(run{})); diff != "" {
		w.t.Errorf("the clocks of %s (-want +got):\n%s", lead, diff)
	}
}

// comes is a version that comes into force after in, and is called by its name from now on.
func (w *world) comes(text string, in time.Duration) (suffix string) {
	w.t.Helper()
	a, faults := agreement.Parse("agreement.yaml", []byte(text))
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.names[a.Hash] = a.Version
	w.scheduled(text, in)
	return "@" + a.Hash[:12]
}

// looked waits until the service has seen to all that there was.
func (w *world) looked() {
	w.t.Helper()
	before := w.store.looks.Load()
	w.until("another look", func() bool { return w.store.looks.Load() >= before+2 })
}

// polled is a test of a service that looks all the time.
func polled(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	polling(t, time.Millisecond, func(t *testing.T, w *world) {
		t.Cleanup(w.runsWaiting())
		test(t, w)
	})
}

// A version that says so takes over the clocks that run when it comes into force, and no others.
func TestVersionTakesOverRunningClocks(t *testing.T) {
	t.Parallel()
	const half = 30 * time.Minute
	for name, c := range map[string]struct {
		change []string
		before func(w *world) // half an hour before it comes
		want   func(suffix string) []run
	}{
		"more time": {within("2h"), nil, func(s string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "version_changed"}, {"a/1/1/persistence" + s, "2", 2 * time.Hour, "breached"}}
		}},
		"less time": {within("45m"), nil, func(s string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "version_changed"}, {"a/1/1/persistence" + s, "2", 45 * time.Minute, "breached"}}
		}},
		"it would have been due": {within("20m"), nil, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "breached"}}
		}},
		"it would be due just then": {within("30m"), nil, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "breached"}}
		}},
		"a promise that it does not make": {[]string{"name: persistence", "name: patience"}, nil, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "breached"}}
		}},
		"a promise that it makes to others": {[]string{"name: persistence,", "name: persistence, grades: [hot],", "within: 1h", "within: 2h"}, nil, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "breached"}}
		}},
		"another promise of the name": {[]string{"within: 1h, calendar: rep, count: 3", "within: 2h, calendar: rep, count: 4"}, nil, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "breached"}}
		}},
		"kept before": {within("2h"), func(w *world) { w.apply(w.outcome("o", "a", "reached", w.owner("a"), eventv1.Mode_MODE_LIVE)) }, func(string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "met"}}
		}},
		"half kept before": {within("2h"), func(w *world) {
			for _, id := range []string{"1", "2"} {
				w.attempt("a", id)
			}
		}, func(s string) []run {
			return []run{{"a/1/1/persistence", "1", time.Hour, "version_changed"}, {"a/1/1/persistence" + s, "2", 2 * time.Hour, "met"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			polled(t, func(t *testing.T, w *world) {
				w.apply(w.staged("a", 10))
				if c.before != nil {
					c.before(w)
				}
				suffix := w.comes(version("2", "move", c.change...), half)
				w.pass(half - time.Microsecond)
				w.looked()
				if n := w.count("clock.cancelled"); n != 0 {
					t.Fatalf("%d clocks were taken over before it came", n)
				}
				w.pass(time.Microsecond)
				w.looked()
				w.looked()
				if n := strings.Count(w.logs.String(), `clock="a/1/1/persistence due`); n != len(c.want(suffix))-1 || n != strings.Count(w.logs.String(), "audit=true")-1 {
					t.Errorf("the log: %s", w.logs)
				}
				w.pass(15 * time.Minute)
				w.fire()
				if name == "half kept before" {
					w.pass(half)
					w.attempt("a", "3")
				}
				w.pass(24 * time.Hour)
				w.fire()
				w.ran("a", c.want(suffix)...)
				if h := w.handoff("a"); h.Agreement != w.hash {
					t.Errorf("the handoff is of version %q", w.names[h.Agreement])
				}
			})
		})
	}
}

// attempt is one of the owner's.
func (w *world) attempt(lead, id string) {
	w.t.Helper()
	if _, err := w.LogAttempt(as(w.t, w.owner(lead)), &leadpactv1.LogAttemptRequest{Lead: lead, RequestId: id}); err != nil {
		w.t.Fatal(err)
	}
}

// What is told of a clock that was taken over: it ends when the version comes, and goes on from its own start.
func TestTakenOverIsTold(t *testing.T) {
	polled(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200)) // response of five minutes, persistence of an hour
		suffix := w.comes(version("2", "move", "within: 5m", "within: 8m"), 3*time.Minute)
		w.pass(2*time.Minute + 30*time.Second)
		w.fire() // half of five minutes
		w.pass(time.Minute)
		w.looked()
		w.pass(30 * time.Second)
		w.fire() // half of eight
		w.ran("a", run{"a/1/1/response", "1", 5 * time.Minute, "version_changed"}, run{"a/1/1/persistence", "1", time.Hour, "version_changed"},
			run{"a/1/1/response" + suffix, "2", 8 * time.Minute, ""}, run{"a/1/1/persistence" + suffix, "2", time.Hour, ""})
		w.want("a", "handoff.started", "handoff.assigned", "clock.started", "clock.started", "clock.warned",
			"clock.cancelled", "clock.started", "clock.cancelled", "clock.started", "clock.warned")
		for _, e := range w.events() {
			if c := e.GetClockCancelled(); c != nil {
				if at := time.UnixMicro(e.GetOccurredAt()).Sub(monday); at != 3*time.Minute || time.UnixMicro(e.GetRecordedAt()).Sub(monday) != 3*time.Minute+30*time.Second {
					t.Errorf("%s ends at %s, told at %d", c.GetClock().GetId(), at, e.GetRecordedAt())
				}
			}
			if c := e.GetClockWarned(); c != nil && c.GetPercent() != 50 {
				t.Errorf("warned of %d %%", c.GetPercent())
			}
		}
		// The next rep has the old promise: all but what ran stays pinned.
		if _, err := w.Reject(as(t, w.owner("a")), &leadpactv1.RejectRequest{Lead: "a", RequestId: "r", Reason: "no_time"}); err != nil {
			t.Fatal(err)
		}
		runs := w.runs("a")
		if diff := cmp.Diff([]run{{"a/1/2/response", "1", 9 * time.Minute, ""}, {"a/1/2/persistence", "1", 64 * time.Minute, ""}}, runs[4:], cmp.AllowUnexported(run{})); diff != "" {
			t.Errorf("the next rep's clocks (-want +got):\n%s", diff)
		}
	})
}

// The clock of a lead that waits is taken over too. The pool that it waits for stays what it was, and those who answer for it are told.
func TestWaitingIsTakenOver(t *testing.T) {
	polled(t, func(t *testing.T, w *world) {
		w.people(strings.Replace(people, "big:,", "big: {manager: bea},", 1) + `
  bea: {team: leads, capacity: 1, notice: bea}
notices: {bea: {url: "https://example.com/bea", secret: env:B}, others: {url: "https://example.com/others", secret: env:O}}
`)
		a, b := w.staged("a", 2000), w.staged("b", 2000) // max has room for one
		a.GetLeadStaged().Grade, b.GetLeadStaged().Grade = "cold", "cold"
		w.apply(a, b)
		suffix := w.comes(version("2", "move", "within: 10m", "within: 20m", "big: {teams: [big]}", "big: {teams: [sales]}"), 5*time.Minute)
		w.pass(5 * time.Minute)
		w.looked()
		w.pass(15 * time.Minute)
		w.fire()
		w.ran("b", run{"b/1/waiting0/unassigned", "1", 10 * time.Minute, "version_changed"}, run{"b/1/waiting0/unassigned" + suffix, "2", 20 * time.Minute, "breached"})
		notices, err := w.store.DueNotices(t.Context(), w.now(), time.Second, 10)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, n := range notices {
			if n.Lead == "b" {
				told = append(told, n.Type+" to "+n.Endpoint)
			}
		}
		if !slices.Equal(told, []string{"clock.breached to bea"}) {
			t.Errorf("notices: %q", told)
		}
		if w.owner("b") != "" {
			t.Errorf("%s has the lead: its pool is no longer what it was", w.owner("b"))
		}
	})
}

// Time that the calendar does not count is not counted by the version either.
func TestPausedClockIsTakenOver(t *testing.T) {
	polled(t, func(t *testing.T, w *world) {
		w.people(`
teams: {sales:, big:}
calendars: {split: {zone: Europe/Berlin, hours: {mon-fri: "09:00-09:30, 13:00-17:00"}}}
reps: {ann: {team: sales, capacity: 9, calendar: split}, max: {team: big, capacity: 1}}
`)
		w.apply(w.staged("a", 10))
		suffix := w.comes(version("2", "move", within("2h")...), 2*time.Hour) // at noon nobody works
		w.pass(2 * time.Hour)
		w.looked()
		w.ran("a", run{"a/1/1/persistence", "1", 4*time.Hour + 30*time.Minute, "version_changed"}, run{"a/1/1/persistence" + suffix, "2", 5*time.Hour + 30*time.Minute, ""})
		// New hours move it further, under its new promise, and then another version takes it over again.
		w.people(`
teams: {sales:, big:}
calendars: {late: {zone: Europe/Berlin, hours: {mon-fri: "09:00-09:30, 14:00-17:00"}}}
reps: {ann: {team: sales, capacity: 9, calendar: late}, max: {team: big, capacity: 1}}
`)
		w.until("the hours move it", func() bool { return len(w.runs("a")) == 3 })
		moved := w.runs("a")[2]
		if moved.due != 6*time.Hour+30*time.Minute || moved.version != "2" || !strings.HasPrefix(moved.id, "a/1/1/persistence"+suffix+"~") {
			t.Errorf("moved to %+v", moved)
		}
		next := w.comes(version("3", "move", within("1h")...), time.Hour)
		w.pass(time.Hour)
		w.looked()
		w.ran("a", run{"a/1/1/persistence", "1", 4*time.Hour + 30*time.Minute, "version_changed"},
			run{"a/1/1/persistence" + suffix, "2", 5*time.Hour + 30*time.Minute, "hours_changed"},
			run{moved.id, "2", moved.due, "version_changed"}, run{moved.id + next, "3", 5*time.Hour + 30*time.Minute, ""})
	})
}

// Of several versions each takes over what the one before left running, whether somebody looks when it comes or at the end.
func TestSeveralVersionsTakeOver(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]bool{"looked at each": true, "looked at the last": false} {
		t.Run(name, func(t *testing.T) {
			polling(t, time.Millisecond, func(t *testing.T, w *world) {
				w.apply(w.staged("a", 10))
				two := w.comes(version("2", "move", within("2h")...), 10*time.Minute)
				w.comes(version("3", "stay", within("4h")...), 20*time.Minute)
				four := w.comes(version("4", "move", within("3h")...), 30*time.Minute)
				w.comes(version("5", "move", within("10m")...), 40*time.Minute)
				w.pass(5 * time.Minute)
				if look {
					t.Cleanup(w.runsWaiting())
				}
				for range 4 {
					w.pass(10 * time.Minute)
					if look {
						w.looked()
					}
				}
				if !look {
					t.Cleanup(w.runsWaiting())
				}
				w.looked()
				w.ran("a", run{"a/1/1/persistence", "1", time.Hour, "version_changed"}, run{"a/1/1/persistence" + two, "2", 2 * time.Hour, "version_changed"},
					run{"a/1/1/persistence" + two + four, "4", 3 * time.Hour, ""})
			})
		})
	}
}

// A version that leaves clocks where they are does.
func TestVersionLeavesRunningClocks(t *testing.T) {
	t.Parallel()
	says := version("2", "stay", within("2h")...)
	for name, text := range map[string]string{"says so": says, "says nothing": strings.Replace(says, "under_way: stay\n", "", 1)} {
		t.Run(name, func(t *testing.T) {
			polled(t, func(_ *testing.T, w *world) {
				w.apply(w.staged("a", 10))
				w.comes(text, 30*time.Minute)
				w.pass(45 * time.Minute)
				w.looked()
				w.pass(15 * time.Minute)
				w.fire()
				w.ran("a", run{"a/1/1/persistence", "1", time.Hour, "breached"})
			})
		})
	}
}

// A version that is heard of late takes over what runs then; what has ended stays ended.
func TestVersionComesLate(t *testing.T) {
	polled(t, func(_ *testing.T, w *world) {
		w.apply(w.staged("a", 10))
		w.pass(10 * time.Minute)
		w.apply(w.staged("b", 10))
		w.pass(50 * time.Minute)
		w.fire() // a's hour is over
		two := w.comes(version("2", "move", within("90m")...), -20*time.Minute)
		w.looked()
		three := w.comes(version("3", "move", within("55m")...), -15*time.Minute)
		w.looked()
		w.fire()
		w.ran("a", run{"a/1/1/persistence", "1", time.Hour, "breached"})
		w.ran("b", run{"b/1/1/persistence", "1", 70 * time.Minute, "version_changed"}, run{"b/1/1/persistence" + two, "2", 100 * time.Minute, "version_changed"},
			run{"b/1/1/persistence" + two + three, "3", 65 * time.Minute, ""})
	})
}

// Whoever looks at a clock first, the timer or a rep, finds it under the version that took it over.
func TestFirstLookIsUnderTheVersion(t *testing.T) {
	engines(t, func(_ *testing.T, w *world) {
		w.apply(w.staged("a", 10), w.staged("b", 10), w.staged("c", 10))
		two := w.comes(version("2", "move", within("2h")...), 30*time.Minute)
		w.pass(time.Hour)
		w.attempt("b", "1")
		w.apply(w.outcome("o", "c", "reached", "", eventv1.Mode_MODE_LIVE))
		w.fire()
		for lead, end := range map[string]string{"a": "", "b": "", "c": "met"} {
			w.ran(lead, run{lead + "/1/1/persistence", "1", time.Hour, "version_changed"}, run{lead + "/1/1/persistence" + two, "2", 2 * time.Hour, end})
		}
		w.pass(time.Hour)
		w.fire()
		w.ran("a", run{"a/1/1/persistence", "1", time.Hour, "version_changed"}, run{"a/1/1/persistence" + two, "2", 2 * time.Hour, "breached"})
	})
}

// A promise that fell due under the version before anybody took it up is broken as of that moment, unless its hours were changed
// meanwhile: those make no promise fall due in the past.
func TestDueBeforeAnybodyLooked(t *testing.T) {
	t.Parallel()
	for name, changed := range map[string]bool{"the same hours": false, "other hours": true} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(_ *testing.T, w *world) {
				w.apply(w.staged("a", 10))
				two := w.comes(version("2", "move", within("45m")...), 30*time.Minute)
				w.pass(40 * time.Minute)
				want := []run{{"a/1/1/persistence", "1", time.Hour, "version_changed"}, {"a/1/1/persistence" + two, "2", 45 * time.Minute, "breached"}}
				if changed {
					w.people(people + "  moe: {team: big, capacity: 1}\n")
					want = []run{{"a/1/1/persistence", "1", time.Hour, ""}}
				}
				w.pass(10 * time.Minute)
				stop := w.runsWaiting()
				w.until("a look", func() bool { return w.store.looks.Load() > 0 })
				stop()
				w.fire()
				w.ran("a", want...)
			})
		})
	}
}

// Several may take clocks over at once, and whoever is stopped in the middle goes on at his next start: each clock is taken over once.
func TestTakingOverIsFinished(t *testing.T) {
	polling(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 1000}, max: {team: big, capacity: 1}}")
		const leads = 450
		var all []*eventv1.Event
		for i := range leads {
			all = append(all, w.staged(leadName(i), 10))
		}
		w.apply(all...)
		two := w.comes(version("2", "move", within("2h")...), 30*time.Minute)
		w.pass(30 * time.Minute)
		ctx, stop := context.WithCancel(t.Context())
		updates := 0
		w.gated(func() {
			if updates++; updates == 3 {
				stop()
			}
		})
		if err := w.RunWaiting(ctx); err != nil {
			t.Fatal(err)
		}
		w.gated(nil)
		if n := w.count("clock.cancelled"); n == 0 || n >= leads {
			t.Fatalf("%d of %d were taken over when it was stopped", n, leads)
		}
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		var replicas sync.WaitGroup
		for range 3 {
			replicas.Go(func() {
				if err := w.RunWaiting(ctx); err != nil {
					t.Errorf("run: %v", err)
				}
			})
		}
		w.until("all are taken over", func() bool { return w.count("clock.cancelled") >= leads })
		w.until("everybody looked", func() bool { return w.store.looks.Load() >= 3 })
		stop()
		replicas.Wait()
		for i := range leads {
			id := leadName(i) + "/1/1/persistence"
			w.ran(leadName(i), run{id, "1", time.Hour, "version_changed"}, run{id + two, "2", 2 * time.Hour, ""})
		}
	})
}

// gated has something run before each transaction.
func (w *world) gated(gate func()) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.gate = gate
}
