package stage_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

func facts(history bool) *rapid.Generator[[]lead.Fact] {
	kinds := []string{
		"form", "visit", "large", "unsubscribed", "accepted", "attempt", "lost", "won", "yes:contact", "no:contact", "yes:marketing", "no:marketing",
	}
	if !history {
		kinds = append(kinds, "rejected:not-now @1", "rejected:wrong-rep @1", "rejected:not-now @2", "accepted @1", "attempt @2")
	}
	return rapid.Custom(func(t *rapid.T) []lead.Fact {
		var out []lead.Fact
		for i, kind := range rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 12).Draw(t, "kinds") {
			words := fmt.Sprintf("%d %s", rapid.IntRange(0, 90).Draw(t, "day"), kind)
			if history || rapid.Bool().Draw(t, "history") && kind[len(kind)-2] != '@' {
				words = "h " + words
			}
			f := tell(words)
			f.ID = fmt.Sprint(i, " ", f.ID)
			out = append(out, f)
		}
		return out
	})
}

// Whatever comes in whatever order: numbers without a gap, no way back, one handoff a cycle and none by history, and a state
// that is where the last change led.
func TestNothingGoesBack(t *testing.T) {
	t.Parallel()
	a := parse(t)
	place := func(name string) int {
		return slices.IndexFunc(a.Stages, func(s agreement.Stage) bool { return s.Name == name })
	}
	rapid.Check(t, func(t *rapid.T) {
		teller := newTeller(a)
		handoffs := map[uint32]int{}
		last := stage.Change{}
		for _, f := range facts(false).Draw(t, "facts") {
			for _, c := range teller.tell(f) {
				switch {
				case c.Cycle == last.Cycle && (c.N != last.N+1 || c.From != last.To),
					c.Cycle != last.Cycle && (c.Cycle != last.Cycle+1 || c.N != 1 || c.To != a.Stages[0].Name || c.From != last.To):
					t.Fatalf("%+v follows %+v", c, last)
				case c.Cycle == last.Cycle && place(c.To) <= place(c.From) && !c.Handoff && c.Withheld == "" && c.From != "lost" && c.From != "nurture",
					c.From == "won":
					t.Fatalf("from %s back to %s", c.From, c.To)
				case c.Handoff && (f.History || c.To != a.Handoff.At):
					t.Fatalf("a handoff at %s by %+v", c.To, f)
				case c.At.Before(last.At):
					t.Fatalf("%s is entered at %s, %s was at %s", c.To, c.At, last.To, last.At)
				}
				if c.Handoff {
					handoffs[c.Cycle]++
				}
				if handoffs[c.Cycle] > 1 {
					t.Fatalf("a second handoff in cycle %d", c.Cycle)
				}
				last = c
			}
			if s := teller.state; s.Stage != last.To || s.Cycle != last.Cycle || s.N != last.N {
				t.Fatalf("the state is %+v after %+v", s, last)
			}
			if _, more := stage.Step(a, teller.state, teller.known, f.OccurredAt, teller.known.Latest); f.History && len(more) > 0 {
				t.Fatalf("a second step goes on to %s", path(more))
			}
		}
	})
}

// History told in order, in any cut, is told alike; and told a second time from the stored facts it is the same story.
func TestReplayTellsTheSameStory(t *testing.T) {
	t.Parallel()
	a := parse(t)
	rapid.Check(t, func(t *rapid.T) {
		all := facts(true).Draw(t, "facts")
		slices.SortFunc(all, func(x, y lead.Fact) int { return x.OccurredAt.Compare(y.OccurredAt)*2 + compare(x, y) })
		teller := newTeller(a)
		for _, f := range all {
			teller.tell(f)
		}
		s, _, changes := stage.Replay(a, teller.terms, rapid.Permutation(all).Draw(t, "order"))
		if s != teller.state || path(changes) != path(teller.all) {
			t.Fatalf("replayed %s, told %s", path(changes), path(teller.all))
		}
	})
}

// History in any order ends at the stage at which it ends in order, or further on: what was decided before a late fact came is not
// unmade.
func TestHistoryInDisorder(t *testing.T) {
	t.Parallel()
	a := parse(t)
	rapid.Check(t, func(t *rapid.T) {
		all := facts(true).Draw(t, "facts")
		teller := newTeller(a)
		for _, f := range all {
			teller.tell(f)
		}
		s, _, changes := stage.Replay(a, teller.terms, all)
		if s.Stage != teller.state.Stage && !ahead(a, teller.state, s) {
			t.Fatalf("in order %s, as told %s", path(changes), path(teller.all))
		}
	})
}

// ahead says whether s was led further than o.
func ahead(a *agreement.Agreement, s, o stage.State) bool {
	place := func(name string) int {
		return slices.IndexFunc(a.Stages, func(s agreement.Stage) bool { return s.Name == name })
	}
	return s.Cycle > o.Cycle || s.Cycle == o.Cycle && place(s.Stage) > place(o.Stage)
}
