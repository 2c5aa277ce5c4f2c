package stage

import (
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Refusal is why a lead is not adopted: one of these, or DoNotContact or NoConsent.
type Refusal string

// The refusals.
const (
	// Before: the cycle's one handoff was asked for.
	Before Refusal = "before"
	// Over: the cycle has ended.
	Over Refusal = "over"
	// Early: the lead stands before the handoff point.
	Early Refusal = "early"
)

// Adoption is what Adopt decided.
type Adoption struct {
	// State and Changes are those of the adopted lead; of one that is refused the state that it has, and none.
	State   State
	Changes []Change
	// Card is the score as of the decision, where the lead stands after it.
	Card score.Card
	// Refusal is empty when the lead is adopted.
	Refusal Refusal
}

// Adopt hands off a lead that history brought to the handoff point or beyond, because a person asks for it at now. It is decided on as of
// now: interest of years ago counts for what it is worth today, but a stage that was reached stays reached. What is refused changes
// nothing, also where a step would be due: the lead's next fact makes it.
func Adopt(a *agreement.Agreement, s State, k lead.Knowledge, now time.Time) Adoption {
	now = later(k.Latest, now)
	scored := score.Open(a, k, now)
	withheld := Withheld(a, k)
	from := s
	from.Withheld = s.Withheld && withheld != "" // what it waited for has come
	after, changes := walk(a, from, k, scored, now, "")
	refuse := func(why Refusal) Adoption { return Adoption{State: s, Card: scored.At(s.position()), Refusal: why} }
	switch {
	case after.Handed && withheld == "":
		return refuse(Before)
	case over(a, after.Stage):
		return refuse(Over)
	case after.Stage == "" || position(a, after.Stage) < position(a, a.Handoff.At):
		return refuse(Early)
	case withheld != "":
		return refuse(Refusal(withheld))
	}
	at := -1
	for i, c := range changes {
		if c.Cycle == after.Cycle && c.To == a.Handoff.At {
			at = i
		}
	}
	if at < 0 {
		at = len(changes)
		changes = append(changes, Change{Cycle: after.Cycle, N: after.N + 1, From: after.Stage, To: after.Stage, At: later(after.At, now), Card: scored.At(after.position())})
		after.N, after.At = changes[at].N, changes[at].At
	}
	changes[at].Handoff = true
	return Adoption{State: handed(after, k), Changes: changes, Card: scored.At(after.position())}
}
