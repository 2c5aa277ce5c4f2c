// Package stage walks a lead through the agreement's funnel. It is pure.
//
//	            touch        guards            deeds
//	(none) ───────────▶ first ─────▶ … ─────▶ … ─────▶ won            for good
//	                      ▲                   │ ╲
//	                      │ newer touch,      │  ╲────▶ lost ──────┐
//	                      │ next cycle        ▼                    │
//	                      ├────────────── recycled                 │
//	                      └────────────────────────────────────────┘
//
// A lead is born by its first touch; what sales did alone makes no lead, it waits, and follows in the same step when the touch
// comes. The lead climbs one stage at a time while the next guard holds, and never down. A deed ends the cycle: at a final stage, or at
// the recycled stage when a rejection sends the lead back. From there, and from a loss, only a touch that happened later begins
// the next cycle; a deal that was given up and won all the same is won, and a customer stays one.
//
// A lead whose person forbids contact, or has not allowed what the agreement needs, stops at the handoff point and hands off nobody
// until he does. One that was handed off is taken back by a withdrawal: its stage stays, and once he allows it again the next cycle
// begins. Both go by what is known and not by what came last, so that a withdrawal and a grant end alike in any order.
//
// The stage is no fold: what was decided stays, late knowledge only leads to the next decision. But nothing here looks at a
// clock. A live fact is decided on as of when leadpact took it in, so that old interest that comes late counts as old; a fact of
// history as of the newest thing known, so that the same history told on another day, on another machine, ends the same. Both
// are written in the facts, so the same facts in the same order always give the same changes, in whatever batches they come.
// History that comes in another order than it happened is told again in its own order (see Late).
package stage

import (
	"maps"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// State is where a lead stands. The zero value is a lead without a touch.
type State struct {
	Stage string
	Cycle uint32
	// N counts the changes of stage in this cycle.
	N uint32
	// At is when the present stage was entered, in the events' time.
	At time.Time
	// Since is when the cycle began: the touch that opened it; zero in the first cycle, until its handoff. What sales did outside before it
	// belongs to an earlier cycle.
	Since time.Time
	// Ended is when the deed happened that ended the cycle; zero while it is open.
	Ended time.Time
	// Handed says that the cycle's one handoff was asked for.
	Handed bool
	// Withheld says that it is due and waits for the person's consent: the lead climbs no further before it.
	Withheld bool
	// Withdrawn says that it was taken back: the next cycle begins once the person allows one.
	Withdrawn bool
}

// Change is one decided change of stage.
type Change struct {
	Cycle uint32
	// N is 1, 2, 3 … in the cycle, without a gap.
	N        uint32
	From, To string
	At       time.Time
	// Handoff says that handoff must wake someone. It may stand on a change from a stage to itself: a lead that history brought to the
	// handoff point is handed off by its next live touch, and one that was withheld once it may be.
	Handoff bool
	// Withheld is why nobody may be woken at the handoff point, or of Withdrawn: DoNotContact or NoConsent.
	Withheld string
	// Withdrawn says that the person took back what the cycle's handoff stands on: what is under way must stop. It stands on a change
	// from a stage to itself.
	Withdrawn bool
	// Rep is whom the deed named that ended the cycle.
	Rep string
	// Card is the score as it was decided on, at From.
	Card score.Card
}

// Step makes every change that what is known at now calls for. at is when the event happened that led here. It is deterministic,
// and it comes to rest: each cycle but the first needs a touch later than the end of the one before, and there is one last touch.
func Step(a *agreement.Agreement, s State, k lead.Knowledge, at, now time.Time) (State, []Change) {
	return walk(a, s, k, score.Open(a, k, now), at, "")
}

// walk is Step with the case that k makes at its moment. withheld is why the lead stops at the handoff point, if it comes there; "" lets it
// pass.
func walk(a *agreement.Agreement, s State, k lead.Knowledge, scored *score.Case, at time.Time, withheld string) (State, []Change) {
	var changes []Change
	for k.Touched() && len(a.Stages) > 0 {
		c, since, ended, moved := next(a, s, k, scored, at)
		if !moved {
			break
		}
		if c.Cycle != s.Cycle {
			s.Handed, s.Withdrawn = false, false
		}
		s = State{Stage: c.To, Cycle: c.Cycle, N: c.N, At: c.At, Since: since, Ended: ended, Handed: s.Handed, Withdrawn: s.Withdrawn}
		if c.To == a.Handoff.At && !s.Handed && withheld != "" {
			c.Withheld, s.Withheld = withheld, true
		}
		changes = append(changes, c)
	}
	return s, changes
}

// next is the one change that is due first, with the beginning and the end of the cycle after it.
func next(a *agreement.Agreement, s State, k lead.Knowledge, scored *score.Case, at time.Time) (c Change, since, ended time.Time, moved bool) {
	place := position(a, s.Stage)
	card := scored.At(s.position())
	c = Change{Cycle: s.Cycle, N: s.N + 1, From: s.Stage, At: later(s.At, at), Card: card}
	switch {
	case s.Stage == "":
		c.Cycle, c.N, c.To, c.At = 1, 1, a.Stages[0].Name, k.First.At
		return c, s.Since, s.Ended, true
	case place >= 0 && closed(a.Stages[place]):
		over := s.Ended
		if over.IsZero() { // closed by a new agreement that made its stage a final one
			over = s.At
		}
		if card.Lead.Did[lead.Won] > 0 {
			e, moved := comeback(a, s, k, card.Lead)
			c.To, c.At, c.Rep = e.stage, later(s.At, e.at), e.rep
			return c, s.Since, later(s.Since, e.at), moved
		}
		if !k.Last.At.After(over) {
			return Change{}, s.Since, s.Ended, false
		}
		c.Cycle, c.N, c.To, c.At = s.Cycle+1, 1, a.Stages[0].Name, later(s.At, k.Last.At)
		return c, k.Last.At, time.Time{}, true
	case s.Withdrawn && Withheld(a, k) == "":
		c.Cycle, c.N, c.To = s.Cycle+1, 1, a.Stages[0].Name
		return c, later(s.At, k.Last.At), time.Time{}, true
	}
	for _, step := range a.Stages[place+1:] {
		if closed(step) {
			continue
		}
		if s.Withheld && s.Stage == a.Handoff.At {
			break
		}
		if score.Holds(step.When, &card.Lead) {
			c.To = step.Name
			return c, s.Since, s.Ended, true
		}
		break
	}
	if e, over := ending(a, s, k, card.Lead, at); over {
		c.To, c.At, c.Rep = e.stage, later(s.At, e.at), e.rep
		return c, s.Since, later(s.Since, e.at), true
	}
	return Change{}, s.Since, s.Ended, false
}

func (s State) position() score.Position {
	return score.Position{Stage: s.Stage, Cycle: s.Cycle, Since: s.Since}
}

// end is what closes a cycle.
type end struct {
	stage string
	at    time.Time
	rep   string
}

// ending finds the deed that closes the cycle: the earliest with which a final guard holds that holds with all of them, or that
// recycles. It goes by when deeds happened, not by when they were heard of, so that the order of arrival makes no difference.
func ending(a *agreement.Agreement, s State, k lead.Knowledge, view agreement.Lead, at time.Time) (end, bool) {
	var finals []agreement.Stage
	recycled := ""
	for _, step := range a.Stages {
		switch {
		case step.Recycled:
			recycled = step.Name
		case step.Final && step.When != nil && score.Holds(step.When, &view):
			finals = append(finals, step)
		}
	}
	if len(finals) == 0 && (recycled == "" || len(k.Deeds) == 0) {
		return end{}, false
	}
	did := map[string]int64{}
	view.Did = did
	for _, step := range finals { // one that asks for no deed
		if score.Holds(step.When, &view) {
			return end{stage: step.Name, at: at}, true
		}
	}
	for _, d := range deeds(k, s) {
		did[d.kind]++
		if d.Recycles && recycled != "" {
			return end{stage: recycled, at: d.At, rep: d.Rep}, true
		}
		for _, step := range finals {
			if score.Holds(step.When, &view) {
				return end{stage: step.Name, at: d.At, rep: d.Rep}, true
			}
		}
	}
	return end{}, false
}

// comeback finds the final stage of a lead that was given up, and yet won with no touch between: the customer counts.
func comeback(a *agreement.Agreement, s State, k lead.Knowledge, view agreement.Lead) (end, bool) {
	without := view
	without.Did = maps.Clone(view.Did)
	delete(without.Did, lead.Won)
	by := func(step agreement.Stage) bool {
		return step.Final && score.Holds(step.When, &view) && !score.Holds(step.When, &without)
	}
	i := slices.IndexFunc(a.Stages, by)
	if i < 0 || by(a.Stages[position(a, s.Stage)]) {
		return end{}, false
	}
	all := deeds(k, s)
	d := all[slices.IndexFunc(all, func(d deed) bool { return d.kind == lead.Won })]
	return end{stage: a.Stages[i].Name, at: d.At, rep: d.Rep}, true
}

type deed struct {
	lead.Deed
	kind string
}

// deeds of the present cycle in the order in which they happened.
func deeds(k lead.Knowledge, s State) []deed {
	var out []deed
	for kind, all := range k.Deeds {
		for _, d := range all {
			if d.In(s.Cycle, s.Since) {
				out = append(out, deed{d, kind})
			}
		}
	}
	slices.SortFunc(out, func(x, y deed) int { return x.Compare(y.Deed) })
	return out
}

// closed says whether no guard leads out of the stage.
func closed(s agreement.Stage) bool { return s.Final || s.Recycled }

// position is the stage's place in the funnel; one that the agreement no longer has stands before the first.
func position(a *agreement.Agreement, stage string) int {
	return slices.IndexFunc(a.Stages, func(s agreement.Stage) bool { return s.Name == stage })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
