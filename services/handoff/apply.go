package handoff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// Apply applies one partition's events in one transaction (bus.Handler). A handoff that exists, an outcome that is known and a
// merge that was done change nothing, so events may come again. An event decided under an agreement that is not here yet waits
// for it: a passing error.
func (s *Service) Apply(ctx context.Context, _ int, events []*eventv1.Event) error {
	began := time.Now() // measured for the histogram, decides nothing
	var mine []*eventv1.Event
	n := need{}
	for _, e := range events {
		if a := e.GetAgreementActivated(); a != nil {
			if err := s.versions.add(ctx, a); err != nil {
				return err
			}
			continue
		}
		takes, err := check(e)
		if err != nil {
			return bus.Permanent(fmt.Errorf("event %s: %w", e.GetId(), err))
		}
		if takes {
			mine = append(mine, e)
			n.leads = append(n.leads, leadsOf(e)...)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	if err := s.people.refresh(ctx); err != nil {
		return err
	}
	if err := s.foresee(ctx, mine, &n); err != nil {
		return err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	err = s.update(ctx, now, n, func(ctx context.Context, tx store.HandoffTx, d *desk) error {
		for _, e := range mine {
			if err := d.take(ctx, tx, e); err != nil {
				return fmt.Errorf("apply event %s: %w", e.GetId(), err)
			}
		}
		return nil
	})
	s.metrics.batch(len(mine), time.Since(began), err)
	return err
}

// Check returns the Permanent error that Apply would return for what the events say, and changes nothing. What only the desk shows, it
// does not see.
func (s *Service) Check(ctx context.Context, events []*eventv1.Event) error {
	var mine []*eventv1.Event
	for _, e := range events {
		takes, err := check(e)
		if err != nil {
			return bus.Permanent(fmt.Errorf("event %s: %w", e.GetId(), err))
		}
		if takes {
			mine = append(mine, e)
		}
	}
	if err := s.people.refresh(ctx); err != nil {
		return err
	}
	return s.foresee(ctx, mine, &need{})
}

// check says whether an event is one that handoff acts on; what says nothing to act on is an error for good.
func check(e *eventv1.Event) (bool, error) {
	switch body := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		wakes := body.LeadStaged.GetHandoff() && e.GetMode() != eventv1.Mode_MODE_HISTORY // history wakes nobody
		if !wakes && !body.LeadStaged.GetWithdrawn() {
			return false, nil
		}
		if body.LeadStaged.GetCycle() == 0 || e.GetAgreement() == "" {
			return false, errors.New("a lead at the handoff point must name its cycle and the agreement's hash")
		}
	case *eventv1.Event_LeadOutcome:
		if body.LeadOutcome.GetOutcome().GetKind() == "" {
			return false, errors.New("an outcome must have a kind")
		}
	case *eventv1.Event_LeadMerged:
		if body.LeadMerged.GetSurvivor() == "" || body.LeadMerged.GetAbsorbed() == "" {
			return false, errors.New("a merge must name both leads")
		}
		return true, nil
	case *eventv1.Event_LeadErased:
	default:
		return false, nil
	}
	if e.GetLead() == "" {
		return false, errors.New("it names no lead")
	}
	return true, nil
}

func leadsOf(e *eventv1.Event) []string {
	if m := e.GetLeadMerged(); m != nil {
		return []string{m.GetSurvivor(), m.GetAbsorbed()}
	}
	return []string{e.GetLead()}
}

// foresee adds the pools and reps that the new leads go to, so that they are on the desk at the first go.
func (s *Service) foresee(ctx context.Context, events []*eventv1.Event, n *need) error {
	people := s.people.now()
	seen := make(map[door]bool)
	for _, e := range events {
		// Whoever did it is likely the owner; a stranger to the roster gets no row.
		if rep := e.GetLeadOutcome().GetOutcome().GetRep(); people.reps[rep].ID != "" {
			n.reps = append(n.reps, rep)
		}
		staged := e.GetLeadStaged()
		if !staged.GetHandoff() {
			continue
		}
		version, err := s.versions.get(ctx, e.GetAgreement())
		if err != nil {
			return err
		}
		name, err := poolFor(version, staged)
		if err != nil {
			return bus.Permanent(fmt.Errorf("event %s: %w", e.GetId(), err))
		}
		if at := (door{pool: name, agreement: version.Hash}); !seen[at] {
			seen[at] = true
			n.pools = append(n.pools, name)
			n.reps = append(n.reps, people.crew(version, name).ids...)
		}
	}
	return nil
}

// poolFor is the pool of the route that takes the lead.
func poolFor(version *agreement.Agreement, staged *eventv1.LeadStaged) (string, error) {
	lead := agreement.Lead{
		Fields: event.Values(staged.GetContact().GetFields()), Score: staged.GetScore(), Fit: staged.GetFit(), Engagement: staged.GetEngagement(),
		Stage: staged.GetTo(), Grade: staged.GetGrade(), Channel: staged.GetChannel(), Source: staged.GetFirstSource(),
	}
	if way := route.Way(version.Handoff.Routes, &lead); way >= 0 {
		return version.Handoff.Routes[way].Pool, nil
	}
	return "", fmt.Errorf("no route of agreement %s takes the lead", version.Hash)
}

// take applies one event to the desk.
func (d *desk) take(ctx context.Context, tx store.HandoffTx, e *eventv1.Event) error {
	switch body := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		if body.LeadStaged.GetWithdrawn() {
			return d.withdraw(ctx, tx, e, body.LeadStaged)
		}
		return d.begin(e, body.LeadStaged)
	case *eventv1.Event_LeadOutcome:
		return d.outcome(ctx, tx, e, body.LeadOutcome)
	case *eventv1.Event_LeadMerged:
		return d.merge(body.LeadMerged)
	case *eventv1.Event_LeadErased:
		if f := d.files[e.GetLead()]; f != nil {
			return d.end(f, erased)
		}
	}
	return nil
}

// begin opens the one handoff of a lead's cycle.
func (d *desk) begin(e *eventv1.Event, staged *eventv1.LeadStaged) error {
	old := d.files[e.GetLead()]
	reopens := old != nil && old.handoff.History && old.handoff.Cycle == staged.GetCycle()
	if old != nil && !reopens {
		if old.handoff.Cycle >= staged.GetCycle() {
			return nil // known, or of a cycle that is over
		}
		if err := d.end(old, recycled); err != nil {
			return err
		}
	}
	version, err := d.version(e.GetAgreement())
	if err != nil {
		return err
	}
	name, err := poolFor(version, staged)
	if err != nil {
		return bus.Permanent(err)
	}
	var card []byte
	if staged.GetContact() != nil {
		if card, err = proto.Marshal(staged.GetContact()); err != nil {
			return bus.Permanent(fmt.Errorf("keep the contact card: %w", err))
		}
	}
	h := store.HandoffRow{
		HandoffKey: store.HandoffKey{Lead: e.GetLead(), Cycle: staged.GetCycle()},
		Pool:       name, Grade: staged.GetGrade(), Channel: staged.GetChannel(), Stage: staged.GetTo(), Agreement: e.GetAgreement(),
		ReceivedAt: event.Time(e.GetRecordedAt()), StartedAt: d.now, Contact: card, Cause: e.GetId(),
	}
	f := old
	if reopens {
		f.reopen(h)
	} else {
		f = &file{new: true, handoff: h}
		d.put(f)
	}
	d.say(f, d.now, &eventv1.Event{
		Id: event.DerivedID("handoff.started", keyOf(f.handoff.HandoffKey)), Cause: e.GetId(),
		Body: &eventv1.Event_HandoffStarted{HandoffStarted: &eventv1.HandoffStarted{
			Terms: f.terms(), Stage: staged.GetTo(), ReceivedAt: e.GetRecordedAt(),
		}},
	})
	return d.hand(f)
}

// reopen makes a live handoff of one that only history told of. Its assignments stay, and those to come are numbered on from
// them: for each a place that names nobody is kept among those who lost the lead, because that place is an assignment's number.
func (f *file) reopen(h store.HandoffRow) {
	h.Version, h.Assignments = f.handoff.Version, f.handoff.Assignments
	h.Excluded = make([]string, h.Assignments)
	f.handoff, f.dirty = h, true
}

// merge ends the younger of two handoffs that turn out to be one person's; a single one goes on.
func (d *desk) merge(m *eventv1.LeadMerged) error {
	a, b := d.files[m.GetSurvivor()], d.files[m.GetAbsorbed()]
	if a == nil || b == nil || a == b || a.handoff.State == store.HandoffClosed || b.handoff.State == store.HandoffClosed {
		return nil
	}
	if a.since().After(b.since()) {
		return d.end(a, merged)
	}
	return d.end(b, merged)
}

// end closes a handoff now; what fell due before is broken first.
func (d *desk) end(f *file, result string) error {
	if err := d.settle([]*file{f}, d.now); err != nil {
		return err
	}
	return d.close(f, result, d.now)
}

// since is when the present owner got the lead, else when the handoff began.
func (f *file) since() time.Time {
	if f.live != nil {
		return f.live.StartedAt
	}
	return f.handoff.StartedAt
}
