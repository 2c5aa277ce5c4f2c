package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
)

// Bounds of one message. What waits is bounded too, for each source, so that a slow log makes senders wait and then try again later,
// not us grow.
const (
	maxPacked  = 512
	maxBytes   = 512 << 10
	maxWaiting = 128
)

var errStopped = errors.New("the door is closing")

// Publisher makes messages durable.
type Publisher interface {
	// Publish returns nil once the message is on disk. It bounds its own wait to about a second.
	Publish(ctx context.Context, producer string, m event.Message, id string) error
	// PublishErrand returns nil once what is to be fetched for a source is on disk.
	PublishErrand(ctx context.Context, source string, data []byte, id string) error
	Partitions() int
	// InFlight is how many messages of one partition are worth having on their way at a time. A log that fsyncs one message after
	// another wants few: what waits goes into the next message, and shares its fsync.
	InFlight() int
	// Ready says why nothing can be accepted now.
	Ready(ctx context.Context) error
}

// parcel is the part of one request that goes to one partition.
type parcel struct {
	// frames are its events in wire form, count of them.
	frames []byte
	count  int
	// given is closed when the request has given up: its sender was told to try again.
	given <-chan struct{}
	done  chan error
}

// over says whether nobody waits for p any longer.
func (p *parcel) over() bool {
	select {
	case <-p.given:
		return true
	default:
		return false
	}
}

// committer groups the parcels of all requests in flight for one partition into messages, so that one fsync serves many.
// Partitions have a committer each, so that one that is stuck holds up no other.
type committer struct {
	partition int
	bus       Publisher
	queue     *queue
	stopped   chan struct{}
}

func newCommitter(partition int, bus Publisher) *committer {
	return &committer{partition: partition, bus: bus, queue: newQueue(), stopped: make(chan struct{})}
}

// submit waits until events are durable, refused by the log, or ctx ends. When ctx ends before there is a place for them in their
// source's lane, the error is errNoisy, and nothing was stored. Any other error leaves open whether they were.
func (c *committer) submit(ctx context.Context, l *lane, events []hook.Event) error {
	p := &parcel{count: len(events), given: ctx.Done(), done: make(chan error, 1)}
	size := 0
	for _, e := range events {
		size += len(e.Wire) + 8 // with its frame
	}
	p.frames = make([]byte, 0, size)
	for _, e := range events {
		p.frames = event.AppendFrame(p.frames, e.Wire)
	}
	select {
	case l.places <- struct{}{}:
	case <-c.stopped:
		return errStopped
	case <-ctx.Done():
		return errNoisy
	}
	c.queue.push(l, p)
	select {
	case err := <-p.done:
		return err
	case <-c.stopped:
		// What was in flight when the committer stopped has its answer already.
		select {
		case err := <-p.done:
			return err
		default:
			return errStopped
		}
	case <-ctx.Done():
		return fmt.Errorf("wait for the durable acknowledgement: %w", ctx.Err())
	}
}

// run packs and publishes until ctx ends. It returns when nothing is in flight, and turns away who still waits.
func (c *committer) run(ctx context.Context) {
	defer close(c.stopped)
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	slots := make(chan struct{}, c.bus.InFlight())
	var held *parcel // did not fit into the message before
	for {
		first := held
		held = nil
		for first == nil {
			if first = c.queue.pop(); first != nil {
				break
			}
			select {
			case <-c.queue.some:
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
		if first.over() {
			<-slots
			continue
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
	events, bytes := first.count, len(first.frames)
	for p := c.queue.pop(); p != nil; p = c.queue.pop() {
		if p.over() {
			continue
		}
		if events+p.count > maxPacked || bytes+len(p.frames) > maxBytes {
			return group, p
		}
		events, bytes = events+p.count, bytes+len(p.frames)
		group = append(group, p)
	}
	return group, nil
}

func (c *committer) publish(group []*parcel) error {
	size := 8
	for _, p := range group {
		size += len(p.frames)
	}
	data := event.AppendHead(make([]byte, 0, size))
	for _, p := range group {
		data = append(data, p.frames...)
	}
	// A parcel's patience must not cut a message that carries others too: the publisher bounds its own wait.
	return c.bus.Publish(context.Background(), event.Ingest, event.Message{Partition: c.partition, Data: data}, rand.Text())
}
