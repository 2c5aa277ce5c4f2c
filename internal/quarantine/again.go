package quarantine

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Handler takes events in, each with one effect however often it comes.
type Handler interface {
	// Apply is bus.Handler's.
	Apply(ctx context.Context, partition int, events []*eventv1.Event) error
	// Check returns the Permanent error that Apply would return, as far as it shows without applying; it changes nothing.
	Check(ctx context.Context, events []*eventv1.Event) error
}

// Again is the Room.Retry of a consumer of the bus: its poison goes through the handler again. The row goes after the commit; a process
// that ends in between leaves a row whose next retry changes nothing.
func Again(s store.Quarantine, h Handler) func(ctx context.Context, row store.Quarantined, t Trial) (Verdict, error) {
	return func(ctx context.Context, row store.Quarantined, t Trial) (Verdict, error) {
		events, err := Events(row)
		if err != nil {
			return Verdict{}, bus.Permanent(err)
		}
		v := Verdict{Outcome: Applied}
		for _, e := range events {
			v.Events = append(v.Events, Event{ID: e.GetId(), Kind: event.Type(e), Lead: e.GetLead(), Result: EventApplied})
		}
		if t.Dry {
			return v, h.Check(ctx, events)
		}
		if err := h.Apply(ctx, 0, events); err != nil {
			return Verdict{}, err
		}
		_, err = s.SettleQuarantined(ctx, row.Key, store.Settlement{Applied: true})
		return v, err
	}
}

// Events are those of a consumer's poison. An error says that the row holds none that this program can read.
func Events(row store.Quarantined) ([]*eventv1.Event, error) {
	if row.Kind == store.PoisonMessage {
		return event.Unpack(row.Raw)
	}
	var e eventv1.Event
	if err := proto.Unmarshal(row.Raw, &e); err != nil {
		return nil, fmt.Errorf("it is no event that this program can read: %w", err)
	}
	return []*eventv1.Event{&e}, nil
}
