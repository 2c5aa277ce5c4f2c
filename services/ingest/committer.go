package ingest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Bounds of one message. The queue is bounded too, so that a slow log makes senders wait and then try again later, not us grow.
const (
	maxPacked   = 512
	maxBytes    = 512 << 10
	maxInFlight = 4
	maxQueued   = 256
)

// Publisher makes messages durable.
type Publisher interface {
	// Publish returns nil once the message is on disk.
	Publish(ctx context.Context, producer string, m event.Message, id string) error
	Partitions() int
	// Ready says why nothing can be accepted now.
	Ready(ctx context.Context) error
}

// parcel is the part of one request that goes to one partition.
type parcel struct {
	events []*eventv1.Event
	bytes  int
	ctx    context.Context //nolint:containedctx // the request's patience travels with its parcel
	done   chan error
}

// committer groups the parcels of all requests in flight for one partition into messages, so that one fsync serves many.
type committer struct {
	partition int
	bus       Publisher
	queue     chan *parcel
}

func newCommitter(partition int, bus Publisher) *committer {
	return &committer{partition: partition, bus: bus, queue: make(chan *parcel, maxQueued)}
}

// submit waits until events are durable, refused by the log, or ctx ends. An error leaves open whether they were stored.
func (c *committer) submit(ctx context.Context, events []*eventv1.Event) error {
	p := &parcel{events: events, ctx: ctx, done: make(chan error, 1)}
	for _, e := range events {
		p.bytes += proto.Size(e)
	}
	select {
	case c.queue <- p:
	case <-ctx.Done():
		return fmt.Errorf("wait for a place in the queue: %w", ctx.Err())
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the durable acknowledgement: %w", ctx.Err())
	}
}

// run packs and publishes until ctx ends, and returns when nothing is in flight.
func (c *committer) run(ctx context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	slots := make(chan struct{}, maxInFlight)
	var held *parcel // did not fit into the message before
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-c.queue:
			case <-ctx.Done():
				return
			}
		}
		// While all slots are busy the queue fills, and the next message carries more.
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		var group []*parcel
		group, held = c.gather(first)
		inFlight.Go(func() {
			defer func() { <-slots }()
			err := c.publish(group)
			for _, p := range group {
				p.done <- err
			}
		})
	}
}

// gather takes what waits, up to the bounds of a message; held is the parcel that did not fit.
func (c *committer) gather(first *parcel) (group []*parcel, held *parcel) {
	group = []*parcel{first}
	events, bytes := len(first.events), first.bytes
	for {
		select {
		case p := <-c.queue:
			if p.ctx.Err() != nil {
				continue // its sender was told to try again
			}
			if events+len(p.events) > maxPacked || bytes+p.bytes > maxBytes {
				return group, p
			}
			events, bytes = events+len(p.events), bytes+p.bytes
			group = append(group, p)
		default:
			return group, nil
		}
	}
}

func (c *committer) publish(group []*parcel) error {
	b := &eventv1.Batch{Major: event.Major}
	for _, p := range group {
		b.Events = append(b.Events, p.events...)
	}
	data, err := proto.Marshal(b)
	if err != nil {
		return fmt.Errorf("pack %d events: %w", len(b.GetEvents()), err)
	}
	// The publisher bounds its own wait; a parcel's context must not cut a message that carries others too.
	return c.bus.Publish(context.Background(), event.Ingest, event.Message{Partition: c.partition, Data: data}, rand.Text())
}
