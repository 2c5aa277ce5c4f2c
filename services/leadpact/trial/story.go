package trial

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/handoff/route"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// deskSource is who tells what people do at handoff's doors.
const deskSource = "handoff"

// story is what the running product would have made of a lead: its facts, told one by one as they come.
type story struct {
	facts   []lead.Fact
	known   lead.Knowledge
	state   stage.State
	changes []stage.Change
	// card is the score as of the moment of the trial.
	card score.Card
	// handed is the last change that asked for a handoff; nil when none did.
	handed *stage.Change
	// way is the route that took the lead, or would take it now; -1 when none does.
	way int
}

// tell tells the lead's facts under the agreement as scoring does, up to the moment at.
func tell(a *agreement.Agreement, terms *score.Terms, l Lead, at time.Time) story {
	s := story{facts: l.touches(a, at)}
	if l.Stage != "" {
		s.state = stage.State{Stage: l.Stage, Cycle: 1, N: 1, At: s.facts[0].OccurredAt.Add(-time.Microsecond)}
		s.state.Handed = place(a, l.Stage) > place(a, a.Handoff.At)
	}
	for _, f := range s.facts {
		s.take(a, terms, f)
	}
	for _, f := range l.deeds(at, s.state.Cycle) {
		s.facts = append(s.facts, f)
		s.take(a, terms, f)
	}
	s.card = score.Of(a, s.known, score.Position{Stage: s.state.Stage, Cycle: s.state.Cycle, Since: s.state.Since}, at)
	for i, c := range s.changes {
		if c.Handoff {
			s.handed = &s.changes[i]
		}
	}
	view := s.routed(a)
	s.way = route.Way(a.Handoff.Routes, &view)
	return s
}

func (s *story) take(a *agreement.Agreement, terms *score.Terms, f lead.Fact) {
	var changes []stage.Change
	s.state, s.known, changes = stage.Advance(a, terms, s.state, s.known, f)
	s.changes = append(s.changes, changes...)
}

// routed is the lead as routes look at it: at its handoff, or as if it came to the handoff point now.
func (s *story) routed(a *agreement.Agreement) agreement.Lead {
	view := s.card.Lead
	if s.handed != nil {
		view = s.handed.Card.Lead
	}
	view.Stage, view.Did = a.Handoff.At, nil
	return view
}

// touches are the facts of marketing's side, in the order in which they happened. They were taken in at once.
func (l Lead) touches(a *agreement.Agreement, at time.Time) []lead.Fact {
	var facts []lead.Fact
	for _, t := range l.Touches {
		f := lead.Fact{Source: cmp.Or(t.Source, l.Source), Kind: lead.Touch, Name: t.Kind, Channel: t.Channel, OccurredAt: t.At, Fields: maps.Clone(t.Fields)}
		if f.OccurredAt.IsZero() {
			f.OccurredAt = at
		}
		if f.Channel == "" && f.Source == l.Source {
			f.Channel = l.Channel
		}
		if source, ok := a.Source(f.Source); ok && f.Channel == "" {
			f.Channel = source.Channel
		}
		f.RecordedAt = f.OccurredAt
		facts = append(facts, lead.Settle(f))
	}
	slices.SortStableFunc(facts, func(x, y lead.Fact) int { return x.OccurredAt.Compare(y.OccurredAt) })
	for i := range facts {
		facts[i].ID = fmt.Sprintf("touch-%06d", i+1)
	}
	if len(l.Fields) > 0 {
		all := maps.Clone(l.Fields)
		maps.Copy(all, facts[0].Fields)
		facts[0].Fields = all
	}
	for _, purpose := range slices.Sorted(maps.Keys(l.Consent)) {
		facts[0].Consents = append(facts[0].Consents, lead.Consent{Purpose: purpose, Granted: l.Consent[purpose]})
	}
	return facts
}

// deeds are the facts of sales' side: what happened at the moment of the trial, in the order in which it tends to.
func (l Lead) deeds(at time.Time, cycle uint32) []lead.Fact {
	var facts []lead.Fact
	for _, kind := range agreement.Kinds() {
		for range l.Did[kind] {
			f := lead.Fact{
				Source: deskSource, ID: fmt.Sprintf("deed-%06d", len(facts)+1), Kind: lead.Activity, Name: kind, Cycle: max(cycle, 1),
				OccurredAt: at, RecordedAt: at,
			}
			if kind == lead.Rejected {
				f.Reason = l.Reason
			}
			facts = append(facts, lead.Settle(f))
		}
	}
	return facts
}

// place is a stage's in the funnel.
func place(a *agreement.Agreement, name string) int {
	return slices.IndexFunc(a.Stages, func(s agreement.Stage) bool { return s.Name == name })
}

// decision is what may be asked to come out otherwise.
type decision struct{ stage, grade, persona, pool string }

// decision is the stage that the lead stands at, the grade that it was handed off with, or would be, its persona, and the pool of its
// route.
func (s *story) decision(a *agreement.Agreement) decision {
	d := decision{stage: s.state.Stage, grade: s.grade()}
	d.persona, _ = a.PersonaOf(&s.card.Lead)
	if s.way >= 0 {
		d.pool = a.Handoff.Routes[s.way].Pool
	}
	return d
}

func (s *story) grade() string {
	if s.handed != nil {
		return s.handed.Card.Lead.Grade
	}
	return s.card.Lead.Grade
}
