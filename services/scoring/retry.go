package scoring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// errUndone ends a transaction that was only a trial; errGone one whose row somebody else settled.
var (
	errUndone = errors.New("a dry trial changes nothing")
	errGone   = errors.New("the row does not wait any more")
)

// Retry tries a row of the quarantine again: a webhook is read as the door would have read it when it came, but under the agreement in
// force now, and its events are applied as Apply applies them, in one transaction with the row's end. A dry trial is that transaction,
// undone. It is a quarantine.Room's.
func (s *Service) Retry(ctx context.Context, row store.Quarantined, t quarantine.Trial) (quarantine.Verdict, error) {
	now, err := s.store.Now(ctx)
	if err != nil {
		return quarantine.Verdict{}, err
	}
	a := t.Agreement
	if a == nil {
		var ok bool
		if a, ok = s.agreements.At(now); !ok {
			return quarantine.Verdict{}, errors.New("no agreement is active yet")
		}
	}
	r, err := reread(row, a)
	if err != nil {
		return quarantine.Verdict{}, bus.Permanent(err)
	}
	if len(r.in) == 0 && len(r.hooks) == 0 && r.waits() > 0 {
		v := r.verdict()
		return v, bus.Permanent(errors.New(v.Reason))
	}
	if !t.Dry {
		if err := s.errands(ctx, r); err != nil {
			return quarantine.Verdict{}, err
		}
	}
	var done *batch
	var kept []bool
	stale := map[int]bool{}
	err = s.store.Update(ctx, func(ctx context.Context, tx store.ScoringTx) (err error) {
		done = s.batch(tx, now, a, stale)
		if len(r.in) > 0 {
			if err := done.apply(ctx, r.in); err != nil {
				return err
			}
		}
		r.learn(done)
		if t.Dry {
			return errUndone
		}
		if err := s.enqueue(ctx, tx, append(done.events, r.heard()...)); err != nil {
			return err
		}
		if kept, err = tx.Keep(ctx, r.hooks, s.bound); err != nil {
			return err
		}
		end := store.Settlement{Applied: r.waits() == 0, Reason: r.verdict().Reason, TriedAt: now}
		if end.Hook, err = r.rest(); err != nil {
			return err
		}
		there, err := tx.Settle(ctx, row.Key, end)
		if err == nil && !there {
			err = errGone
		}
		return err
	})
	switch {
	case errors.Is(err, errUndone):
		return r.verdict(), nil
	case errors.Is(err, errGone):
		return quarantine.Verdict{Outcome: quarantine.Gone, Reason: "somebody else has settled it"}, nil
	case err != nil:
		return quarantine.Verdict{}, fmt.Errorf("retry %s: %w", row.Key, err)
	}
	s.account(done)
	s.overflow(r.hooks, kept)
	if len(r.heard()) > 0 {
		s.kick()
	}
	return r.verdict(), nil
}

// errands leaves word of what must be fetched for a webhook's events, as the door does. One that is left twice is fetched twice and
// counts once.
func (s *Service) errands(ctx context.Context, r *reading) error {
	if r.hook == nil { // poison's were left by the door
		return nil
	}
	var x event.Errand
	for i, in := range r.in {
		x.Add(r.events[r.of[i]].event, in.row.Data)
	}
	data, id := x.Message()
	if data == nil {
		return nil
	}
	if err := s.errand(ctx, r.hook.GetSource(), data, id); err != nil {
		return fmt.Errorf("leave word of what is to be fetched: %w", err)
	}
	return nil
}

// reading is what stands in a row under one agreement.
type reading struct {
	// hook is the event that brought a webhook; nil when the row is poison of the bus.
	hook   *eventv1.Event
	events []*piece
	// in are those of events that can be applied, of each the place in events.
	in []incoming
	of []int
	// hooks are refused webhooks in a message that could not be read before.
	hooks   []store.Quarantined
	skipped int
}

// piece is one event of a row.
type piece struct {
	quarantine.Event
	place uint32
	event *eventv1.Event // nil when it is refused
}

// reread reads a row. An error says why nothing of it can be read.
func reread(row store.Quarantined, a *agreement.Agreement) (*reading, error) {
	if row.Kind == store.RefusedHook {
		return rereadHook(row, a)
	}
	events, err := quarantine.Events(row)
	if err != nil {
		return nil, err
	}
	r := &reading{}
	for i, e := range events {
		if e.GetHookRefused() == nil {
			r.add(uint32(i), e)
			continue
		}
		h, err := refusedHook(e)
		if err != nil {
			return nil, err
		}
		r.hooks = append(r.hooks, h)
	}
	return r, nil
}

// rereadHook reads a webhook as of when it came, so that its ids and instants are those that the door would have given it. Of a batch
// only the events that were refused are wanted: the others were taken then.
func rereadHook(row store.Quarantined, a *agreement.Agreement) (*reading, error) {
	r := &reading{hook: &eventv1.Event{}}
	if err := proto.Unmarshal(row.Hook, r.hook); err != nil {
		return nil, fmt.Errorf("what came with the webhook cannot be read: %w", err)
	}
	source, ok := a.Source(row.Source)
	if !ok {
		return nil, fmt.Errorf("the agreement names no source %q", row.Source)
	}
	told := r.hook.GetHookRefused()
	given := &hook.Request{Method: http.MethodPost, Header: http.Header{}, Body: row.Raw, Digest: told.GetDigest()}
	for _, h := range told.GetHeaders() {
		given.Header.Add(h.GetName(), h.GetValue())
	}
	read, err := hook.New(a, source).Read(given, row.At)
	if err != nil {
		return nil, err
	}
	n := len(read.Events) + len(read.Refused) + read.Skipped
	for _, place := range told.GetRefused() {
		if int(place) >= n {
			return nil, fmt.Errorf("event %d of it waits, and by this agreement the body holds %d", place, n)
		}
	}
	wanted := func(index int) bool {
		return len(told.GetRefused()) == 0 || slices.Contains(told.GetRefused(), uint32(index))
	}
	for _, e := range read.Events {
		if wanted(e.Index) {
			r.add(uint32(e.Index), e.Event)
		}
	}
	for _, e := range read.Refused {
		if wanted(e.Index) {
			r.events = append(r.events, &piece{place: uint32(e.Index), Event: quarantine.Event{ID: e.ID, Result: quarantine.EventRefused, Reason: e.Detail}})
		}
	}
	r.skipped = read.Skipped
	return r, nil
}

// add takes an event up, as one to apply or as refused.
func (r *reading) add(place uint32, e *eventv1.Event) {
	p := &piece{place: place, event: e, Event: quarantine.Event{ID: e.GetId(), Kind: e.GetLeadReceived().GetKind(), Lead: e.GetLead()}}
	if p.Kind == "" {
		p.Kind = event.Type(e)
	}
	r.events = append(r.events, p)
	in, ok, err := read(e)
	switch {
	case err != nil:
		p.event, p.Result, p.Reason = nil, quarantine.EventRefused, err.Error()
	case !ok: // of a type that scoring passes over
		p.Result = quarantine.EventApplied
	default:
		r.in, r.of = append(r.in, in), append(r.of, len(r.events)-1)
	}
}

// learn takes from a batch what became of each event. A transaction that begins again learns again.
func (r *reading) learn(b *batch) {
	for i, became := range b.results {
		p := r.events[r.of[i]]
		p.Lead, p.Result, p.Reason, p.Stages = became.lead, became.result, "", nil
		if became.result == conflict {
			p.Reason = "its id is known with another content, which stands"
		}
		if became.result != applied {
			continue
		}
		for _, t := range b.transitions {
			if t.Lead == became.lead && t.Cause == became.tag {
				p.Stages = append(p.Stages, t.To)
			}
		}
	}
}

// stuck says that an event is not taken in.
func (p *piece) stuck() bool {
	return p.Result == quarantine.EventRefused || p.Result == quarantine.EventConflict
}

// waits counts the events that are still not taken in.
func (r *reading) waits() (n int) {
	for _, p := range r.events {
		if p.stuck() {
			n++
		}
	}
	return n
}

// verdict sums up.
func (r *reading) verdict() quarantine.Verdict {
	v := quarantine.Verdict{Outcome: quarantine.Applied, Skipped: r.skipped}
	inOrder := slices.SortedStableFunc(slices.Values(r.events), func(a, b *piece) int { return cmp.Compare(a.place, b.place) })
	for _, p := range inOrder {
		v.Events = append(v.Events, p.Event)
		if p.stuck() && v.Outcome == quarantine.Applied {
			v.Outcome, v.Reason = quarantine.Kept, p.Reason
			if len(r.events) > 1 {
				v.Reason = fmt.Sprintf("%d of %d events, the first: %s", r.waits(), len(r.events), p.Reason)
			}
		}
	}
	return v
}

// heard are the leads that a webhook brings in so late, for the ledger: what the door takes in it hears from the door. Of what could
// name a person there is nothing but the sender's id, which the ledger digests.
func (r *reading) heard() []*eventv1.Event {
	var out []*eventv1.Event
	for _, p := range r.events {
		if r.hook == nil || p.Result != quarantine.EventApplied {
			continue
		}
		bare := &eventv1.LeadReceived{Kind: p.event.GetLeadReceived().GetKind(), Channel: p.event.GetLeadReceived().GetChannel()}
		if o := p.event.GetLeadReceived().GetOutcome(); o != nil {
			bare.Outcome = &eventv1.Outcome{Kind: o.GetKind(), Rep: o.GetRep()}
		}
		out = append(out, &eventv1.Event{
			Id: p.event.GetId(), Source: p.event.GetSource(), OccurredAt: p.event.GetOccurredAt(), RecordedAt: p.event.GetRecordedAt(),
			Mode: p.event.GetMode(), Body: &eventv1.Event_LeadReceived{LeadReceived: bare},
		})
	}
	return out
}

// rest is the event of a webhook of which a part still waits; nil for poison.
func (r *reading) rest() ([]byte, error) {
	if r.hook == nil {
		return nil, nil
	}
	var places []uint32
	for _, p := range r.events {
		if p.stuck() {
			places = append(places, p.place)
		}
	}
	slices.Sort(places)
	return bareHook(r.hook, places)
}
