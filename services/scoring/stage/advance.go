package stage

import (
	"cmp"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Advance folds one fresh fact and makes the changes that it calls for, the handoff among them.
func Advance(a *agreement.Agreement, terms lead.Terms, s State, k lead.Knowledge, f lead.Fact) (State, lead.Knowledge, []Change) {
	k = lead.Fold(terms, k, f)
	scored := score.Open(a, k, moment(k, f))
	withheld := ""
	if !f.History {
		withheld = Withheld(a, k)
	}
	s, changes := walk(a, s, k, scored, f.OccurredAt, withheld)
	if s.Stage == "" || over(a, s.Stage) {
		return s, k, changes // a lead that is over needs nobody
	}
	// again is a change at the stage where the lead stands.
	again := func() Change {
		s.N, s.At = s.N+1, later(s.At, f.OccurredAt)
		return Change{Cycle: s.Cycle, N: s.N, From: s.Stage, To: s.Stage, At: s.At, Card: scored.At(s.position())}
	}
	if why := takenBack(a, k); why != "" && s.Handed && !s.Withdrawn {
		c := again()
		c.Withheld, c.Withdrawn, s.Withdrawn = why, true, true
		return s, k, append(changes, c)
	}
	if f.History || s.Handed {
		return s, k, changes // nobody is woken by history, or twice in a cycle
	}
	for i, c := range changes {
		if c.Cycle == s.Cycle && c.To == a.Handoff.At && withheld == "" {
			changes[i].Handoff = true
			return handed(s, k), k, changes
		}
	}
	waited := s.Withheld
	switch {
	case s.Stage != a.Handoff.At, waited && withheld != "":
		return s, k, changes
	case !waited && f.Kind != lead.Touch:
		return s, k, changes // history brought it there, and what sales does wakes nobody
	}
	c := again()
	c.Handoff, c.Withheld, s.Withheld = withheld == "", withheld, withheld != ""
	if changes = append(changes, c); !c.Handoff {
		return s, k, changes
	}
	s = handed(s, k)
	if waited {
		var more []Change
		s, more = walk(a, s, k, scored, f.OccurredAt, "")
		changes = append(changes, more...)
	}
	return s, k, changes
}

// OutOfOrder says whether a fresh fact is for Late: history of before something already known. A lead that was handed off is left as it
// is, for a rep works on it, and so is one whose handoff waits for consent.
func OutOfOrder(s State, k lead.Knowledge, f lead.Fact) bool {
	return f.History && !s.Handed && !s.Withheld && !f.OccurredAt.After(k.Latest)
}

// Late decides on a fact that came out of order. facts are all of the lead's, that one included. They are told again in the order in
// which they happened, and where that story goes beyond s the lead goes with it: so history that came in disorder ends where it
// would have ended in order. ok is false when the story ends short of s, because later facts were decided on without the late
// one: what was decided stays, and what Advance makes of the late knowledge holds.
func Late(a *agreement.Agreement, terms lead.Terms, s State, facts []lead.Fact) (after State, changes []Change, ok bool) {
	after, k, told := story(facts, func(s State, k lead.Knowledge, f lead.Fact) (State, lead.Knowledge, []Change) {
		return tell(a, terms, s, k, f)
	})
	if over(a, s.Stage) && k.Did(s.Cycle, s.Since)[lead.Won] > 0 {
		return s, nil, false // a customer stays one
	}
	behind := func(c Change) bool {
		switch {
		case c.Cycle != s.Cycle:
			return c.Cycle < s.Cycle
		case c.To == s.Stage || over(a, c.To) || over(a, s.Stage):
			return c.To == s.Stage || !over(a, c.To)
		}
		return position(a, c.To) < position(a, s.Stage)
	}
	for i, c := range slices.Backward(told) {
		if behind(c) {
			changes = told[i+1:]
			break
		}
	}
	if s.Stage == "" {
		changes = told
	}
	if len(changes) == 0 {
		after.N, after.At, after.Handed = s.N, s.At, false
		return after, nil, after.Stage == s.Stage && after.Cycle == s.Cycle
	}
	if over(a, s.Stage) && changes[0].Cycle == s.Cycle && changes[0].From != s.Stage {
		return s, nil, false
	}
	// The story's changes follow on what was decided.
	changes[0].From = s.Stage
	for i := range changes {
		if changes[i].Cycle == s.Cycle {
			changes[i].N = s.N + uint32(i) + 1
		}
		changes[i].At = later(s.At, changes[i].At)
	}
	last := changes[len(changes)-1]
	after.N, after.At, after.Handed = last.N, last.At, false
	return after, changes, true
}

// Replay tells facts in the order in which they happened, from the beginning.
func Replay(a *agreement.Agreement, terms lead.Terms, facts []lead.Fact) (State, lead.Knowledge, []Change) {
	return story(facts, func(s State, k lead.Knowledge, f lead.Fact) (State, lead.Knowledge, []Change) {
		return Advance(a, terms, s, k, f)
	})
}

// story takes facts in the order in which they happened through next, from the beginning.
func story(facts []lead.Fact, next func(State, lead.Knowledge, lead.Fact) (State, lead.Knowledge, []Change)) (s State, k lead.Knowledge, all []Change) {
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(x, y lead.Fact) int {
		return cmp.Or(x.OccurredAt.Compare(y.OccurredAt), cmp.Compare(x.Source, y.Source), cmp.Compare(x.ID, y.ID))
	})
	for _, f := range facts {
		var changes []Change
		s, k, changes = next(s, k, f)
		all = append(all, changes...)
	}
	return s, k, all
}

// tell folds one fact and makes the changes of stage, without a handoff.
func tell(a *agreement.Agreement, terms lead.Terms, s State, k lead.Knowledge, f lead.Fact) (State, lead.Knowledge, []Change) {
	k = lead.Fold(terms, k, f)
	s, changes := Step(a, s, k, f.OccurredAt, moment(k, f))
	return s, k, changes
}

// moment is the now of a decision: see the package's document.
func moment(k lead.Knowledge, f lead.Fact) time.Time {
	if f.History {
		return k.Latest
	}
	return later(k.Latest, f.RecordedAt)
}

// handed marks the cycle's handoff. From here on a cycle has a beginning even if it is the first: what history tells later of years
// ago must not end what a rep now works on.
func handed(s State, k lead.Knowledge) State {
	s.Handed = true
	if s.Since.IsZero() {
		s.Since = k.First.At
	}
	return s
}

// over says whether the stage is one that ends a cycle.
func over(a *agreement.Agreement, stage string) bool {
	place := position(a, stage)
	return place >= 0 && closed(a.Stages[place])
}
