package hook

import (
	"errors"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// FetchedKind is the kind of an event that tells what was fetched. The sender's own kind stands in the event that told of it, so that one
// touch counts once.
const FetchedKind = "fetched"

// fetchedPrefix begins the id of an event that was fetched for another.
const fetchedPrefix = "fetch:"

// contact is where a mapping finds what was fetched: beside the thin event, under this name.
const contact = "contact"

// Asks are the properties that the mapping looks for in a contact that is fetched, sorted.
func (s *Source) Asks() []string {
	var out []string
	ask := func(place preset.Place) {
		for _, paths := range place {
			for _, p := range paths {
				if len(p.Steps) == 3 && p.Steps[0].Name == contact && p.Steps[1].Name == "properties" && p.Steps[2].Kind == preset.Member {
					out = append(out, p.Steps[2].Name)
				}
			}
		}
	}
	m := &s.Map
	for _, place := range []preset.Place{m.Email, m.Name, m.Phone, m.Channel, m.Rep, m.Reason, m.Confidence, m.Outcome} {
		ask(place)
	}
	for _, places := range []map[string]preset.Place{m.Consent, m.Objections} {
		for _, place := range places {
			ask(place)
		}
	}
	for _, f := range s.fields {
		ask(f.place)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Fetched maps what was fetched for a thin event of the source. It happened when the thing was last changed, or else when the thin event
// did, so that of two that were fetched in the wrong order the newer state wins. An error is about what was fetched, and says nothing
// that stands in it.
func (s *Source) Fetched(thin *eventv1.Event, found []byte, now time.Time) (Event, error) {
	root, err := parse(found)
	if err != nil {
		return Event{}, err
	}
	if _, ok := root.(object); !ok {
		return Event{}, errors.New("what was fetched is not an object")
	}
	said := func(text string) preset.Place { return preset.Place{{{Constant: text}}} }
	changed, err := preset.At(contact + ".updatedAt")
	if err != nil {
		return Event{}, err // a constant
	}
	whole := *s
	whole.Map.Fetch, whole.Map.Only = "", nil // the thin event has passed the test of what it is
	whole.Map.Kind, whole.Map.ExternalID = said(FetchedKind), said(thin.GetLeadReceived().GetExternalId())
	whole.Map.OccurredAt = slices.Concat(changed, said(event.Time(thin.GetOccurredAt()).Format(time.RFC3339Nano)))
	id := fetchedPrefix + thin.GetId()
	if len(id) > maxID {
		id = fetchedPrefix + event.DerivedID(thin.GetSource(), thin.GetId())
	}
	tree := object{{name: contact, value: root}}
	return whole.event(scope{root: tree, event: tree}, id, now, nil)
}
