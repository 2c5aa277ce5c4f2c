package bus

import (
	"context"
	"errors"

	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Handler is one role's way to take events in.
type Handler interface {
	// Apply applies events of one partition in their order, all or nothing, and returns nil only after the commit. A Permanent
	// error says that an event among them can never be applied: the batch is bisected until that event stands alone. Any other
	// error passes: the same events come again, with growing pauses, for as long as it takes.
	Apply(ctx context.Context, partition int, events []*eventv1.Event) error
	// Quarantine keeps what can never be applied; its events are acknowledged only after it returned nil.
	Quarantine(ctx context.Context, rows []store.Quarantined) error
}

// permanent marks an error as the event's own fault.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks err: trying again cannot help.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent says whether err, or an error that it wraps, was marked Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}
