package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// says is an outcome of which a source tells now.
func (w *world) says(id, lead, kind, rep, source string, occurred time.Time) *eventv1.Event {
	e := w.outcome(id, lead, kind, rep, eventv1.Mode_MODE_LIVE)
	e.OccurredAt, e.GetLeadOutcome().Source = event.Micros(occurred), source
	return e
}

// clock is a clock as it is stored.
func (w *world) clock(id string) (found store.ClockRow) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(ctx context.Context, tx store.HandoffTx) error {
		clocks, err := tx.Clocks(ctx, []string{id})
		if len(clocks) == 1 {
			found = clocks[0]
		}
		return err
	})
	if err != nil || found.ID == "" {
		w.t.Fatalf("clock %s: %v", id, err)
	}
	return found
}

// corrections are the events that corrected clocks of a lead.
func (w *world) corrections(lead string) (out []*eventv1.Event) {
	w.t.Helper()
	for _, e := range w.events() {
		if e.GetLead() == lead && e.GetClockCorrected() != nil {
			out = append(out, e)
		}
	}
	return out
}

// The lead is handed off at 0 and was to be answered within five minutes; the timer takes it from its rep. What a source tells comes seven
// minutes after the start, unless the case says otherwise. Whether the timer or the word comes first changes nothing, nor does a repeat.
func TestLateTruth(t *testing.T) {
	cases := map[string]struct {
		source, kind string
		others       bool // it names the rep who did not have the lead
		nobody       bool // it names nobody
		at           time.Duration
		history      bool
		turns        time.Duration // when the promise turns out to have been kept; 0 when the verdict stands
	}{
		"a witness":                          {source: "crm", kind: "attempt", at: 2 * time.Minute, turns: 2 * time.Minute},
		"a witness who names nobody":         {source: "crm", kind: "attempt", nobody: true, at: 2 * time.Minute, turns: 2 * time.Minute},
		"at the very start":                  {source: "crm", kind: "accepted", turns: time.Nanosecond}, // as good as 0
		"just in time":                       {source: "crm", kind: "attempt", at: 5*time.Minute - time.Microsecond, turns: 5*time.Minute - time.Microsecond},
		"at due":                             {source: "crm", kind: "attempt", at: 5 * time.Minute},
		"before the assignment":              {source: "crm", kind: "attempt", at: -time.Microsecond},
		"another rep's work":                 {source: "crm", kind: "attempt", others: true, at: 2 * time.Minute},
		"work that the promise does not ask": {source: "crm", kind: "reached", at: 2 * time.Minute},
		"no witness":                         {source: "website", kind: "attempt", at: 2 * time.Minute},
		"no source of the agreement":         {source: "gone", kind: "attempt", at: 2 * time.Minute},
		"an outcome of before the upgrade":   {kind: "attempt", at: 2 * time.Minute},
		"history":                            {source: "crm", kind: "attempt", at: 2 * time.Minute, history: true},
		"a clock that runs ahead":            {source: "crm", kind: "attempt", at: 13 * time.Minute},
	}
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales: {manager: mia}, big:, leads:}\nreps: {ann: {team: sales, capacity: 99}, bob: {team: sales, capacity: 99}, max: {team: big, capacity: 1}, mia: {team: leads, capacity: 1}}")
		for name, c := range cases {
			for _, timerFirst := range []bool{true, false} {
				lead := fmt.Sprintf("%s, timer first %v", name, timerFirst)
				start := w.now()
				w.apply(w.staged(lead, 200))
				owner := w.owner(lead)
				w.pass(7 * time.Minute)
				rep := owner
				if c.others {
					rep = other(owner)
				}
				if c.nobody {
					rep = ""
				}
				word := w.says(lead, lead, c.kind, rep, c.source, start.Add(c.at))
				if c.history {
					word.Mode = eventv1.Mode_MODE_HISTORY
				}
				if timerFirst {
					w.fire()
				}
				w.apply(word, word)
				w.fire()
				w.apply(word)
				got := w.clock(lead + "/1/1/response")
				if got.State != store.ClockBreached || !got.StoppedAt.Equal(start.Add(5*time.Minute)) || w.owner(lead) != other(owner) {
					t.Errorf("%s: the breach or its remedy is gone: %+v, owner %s", lead, got, w.owner(lead))
				}
				told := w.corrections(lead)
				if c.turns == 0 {
					if !got.RespondedAt.IsZero() || got.Witness != "" || len(told) > 0 {
						t.Errorf("%s: the verdict was turned: %+v, %v", lead, got, told)
					}
					continue
				}
				kept := start.Add(c.turns).Truncate(time.Microsecond)
				if !got.RespondedAt.Equal(kept) || got.Witness != c.source {
					t.Errorf("%s: kept at %s by the word of %q, want %s", lead, got.RespondedAt, got.Witness, kept)
				}
				if len(told) != 1 {
					t.Fatalf("%s: corrected %d times", lead, len(told))
				}
				k := told[0].GetClockCorrected()
				if k.GetClock().GetTerms().GetRep() != owner || k.GetClock().GetId() != got.ID || k.GetRespondedAt() != event.Micros(kept) ||
					k.GetBreachedAt() != event.Micros(got.DueAt) || k.GetSource() != c.source || k.GetBy() != c.kind || told[0].GetOccurredAt() != event.Micros(kept) {
					t.Errorf("%s: told %v", lead, told[0])
				}
				types := w.types(lead)
				if slices.Index(types, "clock.corrected") < slices.Index(types, "clock.breached") {
					t.Errorf("%s: corrected before it was missed: %v", lead, types)
				}
			}
		}
	})
}

// What leadpact had taken in before a clock was due counts whoever told of it, also when it reaches the desk after the timer.
func TestWhatWasHeardInTimeCountsAfterTheBreach(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		start := w.now()
		w.apply(w.staged("a", 200))
		owner := w.owner("a")
		w.pass(4 * time.Minute)
		word := w.says("o", "a", "attempt", owner, "website", start.Add(3*time.Minute))
		w.pass(3 * time.Minute)
		w.fire()
		w.apply(word)
		if c := w.clock("a/1/1/response"); !c.RespondedAt.Equal(start.Add(3*time.Minute)) || c.Witness != "website" {
			t.Errorf("the clock is %+v", c)
		}
	})
}

// A promise is kept when the work was done, not when it was told.
func TestInTimeStopsWhenItWasDone(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		start := w.now()
		w.apply(w.staged("a", 200), w.staged("b", 200), w.staged("c", 200))
		a, b, c := w.owner("a"), w.owner("b"), w.owner("c")
		w.pass(4 * time.Minute)
		w.apply(
			w.says("o1", "a", "attempt", a, "website", start.Add(time.Minute)),
			w.says("o2", "b", "accepted", other(b), "crm", start.Add(time.Minute)),  // he does not have it
			w.says("o3", "c", "attempt", c, "website", w.now().Add(10*time.Minute)), // nobody can know that yet
		)
		for id, want := range map[string]time.Duration{"a": time.Minute, "b": 0, "c": 4 * time.Minute} {
			got := w.clock(id + "/1/1/response")
			if want == 0 && got.State != store.ClockOpen || want > 0 && (got.State != store.ClockMet || !got.StoppedAt.Equal(start.Add(want))) {
				t.Errorf("%s: %+v, want it stopped after %s", id, got, want)
			}
		}
		w.apply(w.says("o4", "b", "accepted", b, "crm", start.Add(2*time.Minute)))
		if got := w.assignments("b")[0]; !got.AcceptedAt.Equal(start.Add(2 * time.Minute)) {
			t.Errorf("b was taken on at %s", got.AcceptedAt)
		}
	})
}

// Of three attempts within the hour the rep made two. His own word that there was a third, after the breach, is a claim; a witness's is
// proof, and counts where it belongs in time.
func TestLateTruthCompletesACount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ at, kept time.Duration }{
		"before the others":     {5 * time.Minute, 20 * time.Minute},
		"after the others":      {40 * time.Minute, 40 * time.Minute},
		"too late for the hour": {time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, w *world) {
				start := w.now()
				w.apply(w.staged("a", 10))
				owner := as(t, w.owner("a"))
				attempt := func(id string, occurred time.Time) {
					request := &leadpactv1.LogAttemptRequest{Lead: "a", RequestId: id}
					if !occurred.IsZero() {
						request.OccurredAt = timestamppb.New(occurred)
					}
					if _, err := w.LogAttempt(owner, request); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 2 {
					w.pass(10 * time.Minute)
					attempt(fmt.Sprint(i), time.Time{})
				}
				w.pass(2 * time.Hour)
				w.fire()
				attempt("backdated", start.Add(30*time.Minute))
				w.apply(w.says("o1", "a", "attempt", "", "website", start.Add(30*time.Minute)))
				if got := w.clock("a/1/1/persistence"); got.State != store.ClockBreached || !got.RespondedAt.IsZero() {
					t.Fatalf("a claim turned the verdict: %+v", got)
				}
				w.apply(w.says("o2", "a", "attempt", "", "crm", start.Add(c.at)))
				got := w.clock("a/1/1/persistence")
				if c.kept == 0 && !got.RespondedAt.IsZero() || c.kept > 0 && !got.RespondedAt.Equal(start.Add(c.kept)) {
					t.Errorf("kept at %s, want %s after %s", got.RespondedAt, c.kept, start)
				}
			})
		})
	}
}

// A handoff that is over, and one of an earlier cycle, are judged rightly too; what goes on now is left alone.
func TestLateTruthOfWhatIsOver(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		start := w.now()
		w.apply(w.staged("a", 10), w.staged("b", 10))
		a, b := w.owner("a"), w.owner("b")
		w.pass(2 * time.Hour)
		w.fire()
		if _, err := w.CloseWon(as(t, a), &leadpactv1.CloseWonRequest{Lead: "a", RequestId: "1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reject(as(t, b), &leadpactv1.RejectRequest{Lead: "b", RequestId: "1", Reason: "duplicate"}); err != nil {
			t.Fatal(err)
		}
		again := w.staged("b", 10)
		again.Id, again.GetLeadStaged().Cycle = "again", 2
		w.apply(again)
		w.pass(time.Minute)
		at := start.Add(time.Minute)
		w.apply(w.says("o1", "a", "reached", a, "crm", at), w.says("o2", "b", "reached", b, "crm", at), w.says("o3", "b", "reached", b, "crm", at.Add(time.Minute)))
		for _, id := range []string{"a/1/1/persistence", "b/1/1/persistence"} {
			if c := w.clock(id); c.State != store.ClockBreached || !c.RespondedAt.Equal(at) || c.Witness != "crm" {
				t.Errorf("%+v", c)
			}
		}
		if c := w.clock("b/2/1/persistence"); c.State != store.ClockOpen {
			t.Errorf("the new cycle's clock is %+v", c)
		}
		if n := len(w.corrections("b")); n != 1 {
			t.Errorf("corrected %d times", n)
		}
		if k := w.corrections("b")[0].GetClockCorrected().GetClock().GetTerms(); k.GetCycle() != 1 || k.GetRep() != b || k.GetPool() != "sales" || k.GetGrade() != "cold" {
			t.Errorf("told with the terms %v", k)
		}
	})
}

// A clock that a later version took over is corrected under that version, whatever the handoff is pinned to, and so is what is told of it
// when its handoff is over.
func TestLateTruthOfAClockThatWasTakenOver(t *testing.T) {
	polled(t, func(t *testing.T, w *world) {
		start := w.now()
		w.apply(w.staged("a", 10), w.staged("b", 10), w.staged("c", 10))
		owner := map[string]string{}
		for _, lead := range []string{"a", "b", "c"} {
			owner[lead] = w.owner(lead)
		}
		suffix := w.comes(version("2", "move", within("2h")...), 30*time.Minute)
		w.pass(30 * time.Minute)
		w.until("the second takes them over", func() bool { return w.count("clock.cancelled") == 3 })
		stop := w.withdrawn("c", 1)
		w.pass(2 * time.Hour)
		w.fire()
		again := w.staged("b", 10)
		again.Id, again.GetLeadStaged().Cycle = "again", 2
		w.apply(again)
		at := start.Add(time.Minute)
		of := func(lead string) *eventv1.Event {
			e := w.says("o"+lead, lead, "reached", owner[lead], "crm", at)
			e.GetLeadOutcome().Cycle = 1
			return e
		}
		w.apply(of("a"), of("b"), stop)
		for _, lead := range []string{"a", "b", "c"} {
			told := w.corrections(lead)
			if len(told) != 1 {
				t.Fatalf("%s: corrected %d times: %v", lead, len(told), w.types(lead))
			}
			if c := told[0].GetClockCorrected().GetClock(); c.GetId() != lead+"/1/1/persistence"+suffix || w.names[told[0].GetAgreement()] != "2" {
				t.Errorf("%s is corrected under version %q", c.GetId(), w.names[told[0].GetAgreement()])
			}
		}
	})
}

// However the timer, the words of two witnesses and of somebody else, and their repeats come one after the other: one breach, one correction,
// one remedy, and a verdict that says whether the promise was kept.
func TestLateTruthInAnyOrder(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 100000}, bob: {team: sales, capacity: 100000}, max: {team: big, capacity: 1}}")
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			lead := leadName(n)
			start := w.now()
			w.apply(w.staged(lead, 200))
			owner := w.owner(lead)
			w.pass(10 * time.Minute)
			var words []*eventv1.Event
			right := map[time.Time]bool{}
			for i := range rapid.IntRange(1, 4).Draw(rt, "words") {
				at := start.Add(rapid.SampledFrom([]time.Duration{-time.Microsecond, 0, time.Minute, 3 * time.Minute, 5 * time.Minute, 6 * time.Minute}).Draw(rt, "at"))
				source := rapid.SampledFrom([]string{"crm", "website"}).Draw(rt, "source")
				rep := rapid.SampledFrom([]string{"", owner, other(owner)}).Draw(rt, "rep")
				words = append(words, w.says(fmt.Sprint(lead, i), lead, "attempt", rep, source, at))
				if source == "crm" && rep != other(owner) && !at.Before(start) && at.Before(start.Add(5*time.Minute)) {
					right[at] = true
				}
			}
			fired := false
			for _, i := range rapid.SliceOfN(rapid.IntRange(-1, len(words)-1), 1, 8).Draw(rt, "order") {
				if i < 0 {
					fired = true
					w.fire()
				} else {
					w.apply(words[i])
				}
			}
			w.apply(rapid.Permutation(words).Draw(rt, "rest")...)
			if !fired {
				w.fire()
			}
			c := w.clock(lead + "/1/1/response")
			if c.State != store.ClockBreached || w.owner(lead) != other(owner) {
				rt.Fatalf("%+v, owner %s", c, w.owner(lead))
			}
			if c.RespondedAt.IsZero() != (len(right) == 0) || len(right) > 0 && !right[c.RespondedAt] {
				rt.Fatalf("kept at %s; it was at %v", c.RespondedAt, right)
			}
			broken := 0
			for _, typ := range w.types(lead) {
				if typ == "clock.breached" {
					broken++
				}
			}
			if corrected := len(w.corrections(lead)); broken != 1 || corrected != min(len(right), 1) {
				rt.Fatalf("told %v", w.types(lead))
			}
		})
	})
}

// The timer and two replicas with the same late word meet at one clock: it is broken once and corrected once.
func TestLateTruthMeetsTheTimer(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 100}, bob: {team: sales, capacity: 100}, max: {team: big, capacity: 1}}")
		for i := range 20 {
			lead := leadName(i)
			start := w.now()
			w.apply(w.staged(lead, 200))
			owner := w.owner(lead)
			w.pass(6 * time.Minute)
			word := w.says(lead, lead, "attempt", owner, "crm", start.Add(time.Minute))
			now := w.now()
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					// One that loses too many races is the bus's to send again.
					for {
						err := w.Apply(t.Context(), 0, eventsOf(word))
						if err == nil {
							return
						}
						if !errors.Is(err, store.ErrConflict) {
							t.Errorf("apply: %v", err)
							return
						}
					}
				})
			}
			all.Go(func() {
				if err := w.FireClocks(t.Context(), 0, []string{lead + "/1/1/response"}, now); err != nil {
					t.Errorf("fire: %v", err)
				}
			})
			all.Wait()
			c := w.clock(lead + "/1/1/response")
			if c.State != store.ClockBreached || !c.RespondedAt.Equal(start.Add(time.Minute)) || len(w.corrections(lead)) != 1 {
				t.Fatalf("%s: %+v, told %v", lead, c, w.types(lead))
			}
			if n := len(slices.DeleteFunc(w.types(lead), func(typ string) bool { return typ != "clock.breached" })); n != 1 {
				t.Fatalf("%s: broken %d times", lead, n)
			}
		}
	})
}
