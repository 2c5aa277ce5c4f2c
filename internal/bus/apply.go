package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// maxEvents bounds one Apply. More does not make a transaction cheaper by the event.
const maxEvents = 500

// applyBatch gathers the events of consecutive messages into Applies and acknowledges each message when all its events are
// applied or in quarantine. ctx ends between two Applies, apply ends one in the middle.
func (o *owner) applyBatch(ctx, apply context.Context, batch []*delivery) error {
	var (
		events []*eventv1.Event
		whole  []*delivery // messages whose last event is among events, or applied
	)
	flush := func() error {
		for len(events) > 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			n := min(len(events), maxEvents)
			if err := o.apply(ctx, apply, events[:n], 1); err != nil {
				return err
			}
			events = events[n:]
		}
		for _, d := range whole {
			o.acked(d)
		}
		whole = nil
		return nil
	}
	for _, d := range batch {
		found, err := event.Unpack(d.msg.Data())
		if err != nil {
			if err := flush(); err != nil {
				return err
			}
			if err := o.quarantine(ctx, apply, o.wholeMessage(d, err)); err != nil {
				return err
			}
			o.acked(d)
			continue
		}
		if len(events)+len(found) > maxEvents {
			if err := flush(); err != nil {
				return err
			}
		}
		events, whole = append(events, found...), append(whole, d)
	}
	return flush()
}

// apply returns nil when every event is applied or in quarantine; an error means that the work stopped, never that an event was
// given up. attempt counts from 1 how often these events were tried.
func (o *owner) apply(ctx, apply context.Context, events []*eventv1.Event, attempt int) error {
	return o.insist(ctx, apply, "apply", func(tries int) error {
		err := o.guard(func() error { return o.handler.Apply(apply, o.partition, events) })
		switch {
		case err == nil || !IsPermanent(err) || apply.Err() != nil:
			return err
		case len(events) == 1:
			return stopped(o.quarantine(ctx, apply, o.oneEvent(events[0], err, attempt+tries)))
		}
		half := len(events) / 2
		if err := o.apply(ctx, apply, events[:half], attempt+tries+1); err != nil {
			return stopped(err)
		}
		return stopped(o.apply(ctx, apply, events[half:], attempt+tries+1))
	})
}

func (o *owner) quarantine(ctx, apply context.Context, row store.Quarantined) error {
	o.log.Error("event goes to quarantine", "stream", row.Stream, "source", row.Source, "key", row.Key, "attempts", row.Attempts)
	return o.insist(ctx, apply, "quarantine", func(int) error {
		return o.guard(func() error { return o.handler.Quarantine(apply, []store.Quarantined{row}) })
	})
}

// insist repeats f, with growing pauses, until it returns nil or the work must stop. tries counts the failures so far.
func (o *owner) insist(ctx, apply context.Context, what string, f func(tries int) error) error {
	var wait backoff
	began := time.Now()
	for tries := 0; ; tries++ {
		err := f(tries)
		var s stop
		switch {
		case err == nil:
			return nil
		case errors.As(err, &s):
			return s.error
		case apply.Err() != nil:
			return context.Cause(apply)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > o.bus.giveWay:
			o.log.Warn("giving way to another replica", "step", what, "tries", tries+1, "error", err)
			return errGaveWay
		}
		o.log.Warn("trying again", "step", what, "tries", tries+1, "error", err)
		both, cancel := context.WithCancel(ctx)
		unhook := context.AfterFunc(apply, cancel)
		goesOn := pause(both, wait.next())
		unhook()
		cancel()
		switch {
		case apply.Err() != nil:
			return context.Cause(apply)
		case !goesOn:
			return ctx.Err()
		}
	}
}

// stop marks an inner insist's result, so that the outer one does not try again.
type stop struct{ error }

func stopped(err error) error {
	if err == nil {
		return nil
	}
	return stop{err}
}

// guard turns a panic into an error that trying again cannot mend. The panic's words may quote the event, so the log line has
// only where it happened.
func (o *owner) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			o.log.Error("handler panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = Permanent(fmt.Errorf("handler panicked: %v", r))
		}
	}()
	return f()
}

func (o *owner) oneEvent(e *eventv1.Event, why error, attempts int) store.Quarantined {
	stream := streamName(o.producer)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil { // it was unmarshalled a moment ago
		why = errors.Join(why, err)
	}
	return store.Quarantined{
		// The bytes are part of the key: another event that bears the same id is another row, the same one delivered again is not.
		Key: event.DerivedID(stream, e.GetSource(), e.GetId(), string(raw)), Kind: store.PoisonEvent, Stream: stream, Source: e.GetSource(), EventID: e.GetId(),
		Raw: raw, Reason: why.Error(), Attempts: attempts, At: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func (o *owner) wholeMessage(d *delivery, why error) store.Quarantined {
	stream, raw := streamName(o.producer), d.msg.Data()
	return store.Quarantined{
		Key: event.DerivedID(stream, string(raw)), Kind: store.PoisonMessage, Stream: stream, Raw: raw, Reason: why.Error(),
		Attempts: int(d.sent), At: time.Now().UTC().Truncate(time.Microsecond),
	}
}
