package scoring

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// incoming is one event on its way to become a fact.
type incoming struct {
	fact lead.Fact
	row  store.FactRow
	// identifiers of the person, the strongest first; none for an activity, whose lead is known.
	identifiers []string
}

// read turns an event into a fact. ok is false for the types that scoring does not take in. An error is the event's own fault.
func read(e *eventv1.Event) (in incoming, ok bool, err error) {
	fact, ok, err := factOf(e)
	if !ok || err != nil {
		return incoming{}, ok, err
	}
	in = incoming{fact: fact, row: store.FactRow{
		FactKey: store.FactKey{Source: fact.Source, ID: fact.ID}, Lead: e.GetLead(),
		OccurredAt: fact.OccurredAt, RecordedAt: fact.RecordedAt, ContentHash: e.GetLeadReceived().GetContentHash(),
	}}
	if fact.Kind != lead.Activity {
		in.identifiers = lead.Identify(fact.Source, fact.Email, fact.ExternalID)
		if len(in.identifiers) == 0 {
			return incoming{}, true, errors.New("it names no person: neither a valid e-mail address nor an id of the source's")
		}
	}
	for _, text := range append([]string{fact.Source, fact.ID, in.row.Lead}, in.identifiers...) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return incoming{}, true, errors.New("an id in it is no valid text")
		}
	}
	if in.row.Data, err = event.Marshal(e); err != nil {
		return incoming{}, true, fmt.Errorf("encode it: %w", err)
	}
	if len(in.row.ContentHash) == 0 {
		hash := sha256.Sum256(in.row.Data)
		in.row.ContentHash = hash[:]
	}
	return in, true, nil
}

// factOf is the fact that an event tells, settled; ok is false for types that tell none.
func factOf(e *eventv1.Event) (f lead.Fact, ok bool, err error) {
	f = lead.Fact{
		Source: e.GetSource(), ID: e.GetId(),
		OccurredAt: event.Time(e.GetOccurredAt()), RecordedAt: event.Time(e.GetRecordedAt()),
		History: e.GetMode() == eventv1.Mode_MODE_HISTORY,
	}
	switch body := e.GetBody().(type) {
	case *eventv1.Event_LeadReceived:
		received(&f, body.LeadReceived)
	case *eventv1.Event_LeadActivity:
		a := body.LeadActivity
		f.Kind, f.Name, f.Rep, f.Reason, f.Cycle = lead.Activity, a.GetKind(), a.GetRep(), a.GetReason(), a.GetCycle()
	default:
		return lead.Fact{}, false, nil
	}
	switch {
	case f.Source == "" || f.ID == "":
		err = errors.New("it has no source or no id")
	case e.GetMode() == eventv1.Mode_MODE_UNSPECIFIED:
		err = errors.New("it does not say whether it is live or history")
	case e.GetOccurredAt() <= 0 || e.GetRecordedAt() <= 0:
		err = errors.New("it does not say when it occurred and was recorded")
	case !(e.GetLeadReceived().GetConfidence() >= 0 && e.GetLeadReceived().GetConfidence() <= 1):
		err = errors.New("its confidence is no number from 0 to 1")
	case f.Kind == lead.Activity && (e.GetLead() == "" || f.Cycle == 0):
		err = errors.New("an activity must name its lead and its cycle")
	case f.Kind == lead.Activity && !lead.IsDeed(f.Name), f.Kind == lead.Outcome && (!lead.IsDeed(f.Name) || f.Name == lead.Rejected):
		err = fmt.Errorf("%q is no %s that leadpact knows", f.Name, f.Kind)
	}
	return lead.Settle(f), true, err
}

func received(f *lead.Fact, r *eventv1.LeadReceived) {
	f.Kind, f.Name = lead.Touch, r.GetKind()
	f.Email, f.ExternalID, f.FullName, f.Phone, f.Channel = r.GetEmail(), r.GetExternalId(), r.GetName(), r.GetPhone(), r.GetChannel()
	if o := r.GetOutcome(); o != nil {
		f.Kind, f.Name, f.Rep, f.Reason = lead.Outcome, o.GetKind(), o.GetRep(), o.GetReason()
	}
	f.Fields, f.Confidence = event.Values(r.GetFields()), r.GetConfidence()
	for _, c := range r.GetConsents() {
		f.Consents = append(f.Consents, lead.Consent{Purpose: c.GetPurpose(), Granted: c.GetGranted()})
	}
}

// tag is the fact's name outside of it. A sender may write an e-mail address into its ids, so they stay with the facts; whoever has
// source and id can make the tag of them. The ids of activities are leadpact's own.
func tag(f lead.Fact) string {
	if f.Kind == lead.Activity {
		return f.ID
	}
	return event.DerivedID(f.Source, f.ID)
}

// stored turns kept facts back into facts, in the order given.
func stored(rows []store.FactRow) ([]lead.Fact, error) {
	facts := make([]lead.Fact, 0, len(rows))
	for _, row := range rows {
		var e eventv1.Event
		if err := proto.Unmarshal(row.Data, &e); err != nil {
			return nil, fmt.Errorf("read fact %s of %s: %w", row.ID, row.Source, err)
		}
		f, ok, err := factOf(&e)
		if err == nil && !ok {
			err = fmt.Errorf("%s tells no fact", event.Type(&e))
		}
		if err != nil {
			return nil, fmt.Errorf("read fact %s of %s: %w", row.ID, row.Source, err)
		}
		facts = append(facts, f)
	}
	return facts, nil
}
