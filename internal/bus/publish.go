package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

const (
	// publishWithin is how long a message may wait for its acknowledgement: a sender at the door waits as long.
	publishWithin = time.Second
	// envelope is room for a message's headers and subject within the server's largest payload.
	envelope = 1 << 10
)

// Publish returns nil after the message is stored durably: on disk at one server when embedded, on a majority's disks in a
// cluster. The same id within 20 seconds is stored once. Errors wrap ErrFull, ErrUnavailable, ErrTooLarge or ErrClosed and come
// within about a second. A batch that is larger than the server takes is cut into several messages, in order.
func (b *Bus) Publish(ctx context.Context, producer string, m event.Message, id string) error {
	switch {
	case streamName(producer) == "":
		return fmt.Errorf("bus: publish: no producer is called %q", producer)
	case m.Partition < 0 || m.Partition >= b.cfg.Partitions:
		return fmt.Errorf("bus: publish: partition %d of %d", m.Partition, b.cfg.Partitions)
	case !b.declared.Load():
		return fmt.Errorf("%w: its streams and consumers are not declared yet", ErrUnavailable)
	}
	return b.publishCut(ctx, streamName(producer), subject(producer, m.Partition), m.Data, id)
}

// PublishAll publishes ms, each with the id at the same place, and returns nil only when all are stored. Partitions go side by
// side; within one, a message is sent only after the one before it is stored: with more in flight, one that is refused would
// let a later one pass it.
func (b *Bus) PublishAll(ctx context.Context, producer string, ms []event.Message, ids []string) error {
	if len(ms) != len(ids) {
		return fmt.Errorf("bus: publish: %d messages with %d ids", len(ms), len(ids))
	}
	byPartition := map[int][]int{}
	for i, m := range ms {
		byPartition[m.Partition] = append(byPartition[m.Partition], i)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, places := range byPartition {
		g.Go(func() error {
			for _, i := range places {
				if err := b.Publish(ctx, producer, ms[i], ids[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// PublishAgreement puts an AgreementActivated event where it is kept for ever.
func (b *Bus) PublishAgreement(ctx context.Context, e *eventv1.Event) error {
	if e.GetAgreementActivated() == nil {
		return fmt.Errorf("bus: publish agreement: event %s is a %s", e.GetId(), event.Type(e))
	}
	if !b.declared.Load() {
		return fmt.Errorf("%w: its streams and consumers are not declared yet", ErrUnavailable)
	}
	data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: []*eventv1.Event{e}})
	if err != nil {
		return fmt.Errorf("bus: publish agreement: %w", err)
	}
	return b.publishCut(ctx, agreementStream, agreementSubject, data, e.GetSource()+"/"+e.GetId())
}

// publishCut halves a batch until its parts fit. The parts' ids follow from the whole's, so a repetition cuts the same way.
func (b *Bus) publishCut(ctx context.Context, stream, subject string, data []byte, id string) error {
	limit := b.nc.MaxPayload() - envelope - int64(len(id))
	if limit <= 0 || int64(len(data)) <= limit { // not connected: publish says so
		return b.publish(ctx, stream, subject, data, id)
	}
	events, err := event.Unpack(data)
	if err != nil || len(events) < 2 {
		return fmt.Errorf("%w: %d bytes in one event, the server takes %d: raise the server's max_payload", ErrTooLarge, len(data), limit)
	}
	for i, half := range [][]*eventv1.Event{events[:len(events)/2], events[len(events)/2:]} {
		data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: half})
		if err != nil {
			return fmt.Errorf("bus: cut a batch of %d events: %w", len(events), err)
		}
		if err := b.publishCut(ctx, stream, subject, data, fmt.Sprintf("%s.%d", id, i)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) publish(ctx context.Context, stream, subject string, data []byte, id string) error {
	ask, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	_, err := b.js.PublishMsg(ask, &nats.Msg{Subject: subject, Data: data}, jetstream.WithMsgID(id), jetstream.WithExpectStream(stream))
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: publish to %s: %w", ErrUnavailable, stream, ctx.Err())
	case errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%w: publish to %s", ErrClosed, stream)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %d bytes: raise the server's max_payload", ErrTooLarge, len(data))
	case errors.As(err, &api) && full(api):
		return fmt.Errorf("%w: %s: its consumers must catch up, or its max_bytes be raised", ErrFull, stream)
	}
	return fmt.Errorf("%w: publish to %s: %w", ErrUnavailable, stream, err)
}

// full knows the server's ways to say that there is no room: the stream's own bounds, the account's and the server's.
func full(err *jetstream.APIError) bool {
	const (
		accountResources = 10002
		noResources      = 10023
		storageResources = 10047
		storeFailed      = 10077 // with the reason in words only
	)
	switch err.ErrorCode { //nolint:exhaustive // hundreds of codes, four that mean full
	case accountResources, noResources, storageResources:
		return true
	case storeFailed:
		return strings.Contains(err.Description, "maximum bytes exceeded") || strings.Contains(err.Description, "maximum messages per subject exceeded")
	}
	return false
}
