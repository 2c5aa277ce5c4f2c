package scoring

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// staged is the event that tells one change of stage, caused by f. It was taken in when f was: webhook to assigned is measured
// from there.
func (b *batch) staged(k *known, c stage.Change, f lead.Fact) *eventv1.Event {
	body := &eventv1.LeadStaged{
		Cycle: c.Cycle, N: c.N, From: c.From, To: c.To,
		Score: c.Card.Lead.Score, Fit: c.Card.Lead.Fit, Engagement: c.Card.Lead.Engagement, Grade: c.Card.Lead.Grade,
		Channel:     score.Channel(b.agreement, k.knowledge.First.Channel),
		FirstSource: k.knowledge.First.Source, FirstTouchAt: event.Micros(k.knowledge.First.At),
		Handoff: c.Handoff, Withheld: c.Withheld, Withdrawn: c.Withdrawn, Rep: c.Rep, DecidedAt: event.Micros(b.now),
	}
	if body.Rep == "" && f.Kind == lead.Outcome {
		body.Rep = f.Rep
	}
	for _, r := range c.Card.Reasons {
		body.Reasons = append(body.Reasons, &eventv1.Reason{Rule: r.Rule, Points: r.Points})
	}
	if c.Handoff {
		body.Contact = contact(k.knowledge)
	}
	e := b.follow(k, f, event.DerivedID("lead.staged", k.row.ID, number(c.Cycle), number(c.N)))
	e.OccurredAt = event.Micros(c.At)
	e.Body = &eventv1.Event_LeadStaged{LeadStaged: body}
	return e
}

// outcome is the event that passes an outside outcome on. It belongs to the cycle that was open when it happened.
func (b *batch) outcome(k *known, before stage.State, f lead.Fact) *eventv1.Event {
	cycle := before.Cycle
	if cycle > 1 && f.OccurredAt.Before(before.Since) {
		cycle--
	}
	e := b.follow(k, f, event.DerivedID("lead.outcome", f.Source, f.ID))
	e.Body = &eventv1.Event_LeadOutcome{LeadOutcome: &eventv1.LeadOutcome{
		Outcome: &eventv1.Outcome{Kind: f.Name, Rep: f.Rep, Reason: f.Reason}, Cycle: cycle,
		Channel: score.Channel(b.agreement, k.knowledge.First.Channel), Source: f.Source,
	}}
	return e
}

// follow is the envelope of an event that f led to.
func (b *batch) follow(k *known, f lead.Fact, id string) *eventv1.Event {
	mode := eventv1.Mode_MODE_LIVE
	if f.History {
		mode = eventv1.Mode_MODE_HISTORY
	}
	return &eventv1.Event{
		Id: id, Source: event.Scoring, Lead: k.row.ID, Mode: mode, Agreement: b.agreement.Hash, Cause: tag(f),
		OccurredAt: event.Micros(f.OccurredAt), RecordedAt: event.Micros(f.RecordedAt),
	}
}

// transition is the row that keeps a change of stage. The contact card is left out: personal data stands in facts alone.
func transition(staged *eventv1.Event, c stage.Change) (store.Transition, error) {
	body := staged.GetLeadStaged()
	card := body.GetContact()
	body.Contact = nil
	data, err := (proto.MarshalOptions{Deterministic: true}).Marshal(staged)
	body.Contact = card
	if err != nil {
		return store.Transition{}, fmt.Errorf("encode a change of stage: %w", err)
	}
	return store.Transition{
		Lead: staged.GetLead(), Cycle: c.Cycle, N: c.N, From: c.From, To: c.To, At: c.At, Agreement: staged.GetAgreement(),
		Cause: staged.GetCause(), Data: data,
	}, nil
}

func contact(k lead.Knowledge) *eventv1.Contact {
	text := func(v lead.Value) string {
		s, _ := v.Value.(string) // nothing was said
		return s
	}
	c := &eventv1.Contact{Name: text(k.Name), Email: text(k.Email), Phone: text(k.Phone), Fields: map[string]*eventv1.Value{}}
	for name, field := range k.Fields {
		switch v := field.Value.(type) {
		case string:
			c.Fields[name] = &eventv1.Value{Kind: &eventv1.Value_Text{Text: v}}
		case float64:
			c.Fields[name] = &eventv1.Value{Kind: &eventv1.Value_Number{Number: v}}
		case bool:
			c.Fields[name] = &eventv1.Value{Kind: &eventv1.Value_Flag{Flag: v}}
		}
	}
	return c
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
