package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// abandoned is how long the server keeps an ephemeral consumer whose client vanished.
const abandoned = 30 * time.Second

// errGap: messages were lost on the way to us.
var errGap = errors.New("bus: messages were lost on the way")

// WatchAgreements hands every AgreementActivated event to f, in order, from the first ever published, and then live, until ctx
// ends (nil) or f fails (f's error). It outlives reconnects; an event may come twice.
func (b *Bus) WatchAgreements(ctx context.Context, f func(*eventv1.Event) error) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.running.Done()
	working, cancel := b.until(ctx)
	defer cancel()
	fl := &follower{bus: b, stream: agreementStream, next: 1}
	err := fl.run(working, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		events, err := event.Unpack(msg.Data())
		if err != nil {
			b.log.Error("an agreement that this program cannot read was passed over", "error", err)
			return nil // it stays on the stream for a newer program
		}
		for _, e := range events {
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && ctx.Err() == nil {
		return ErrClosed
	}
	return err
}

// Tap is a referee's own look at producers' streams. From Attach on it misses nothing; until Run has seen a message the stream
// keeps it.
type Tap struct {
	bus       *Bus
	followers map[string]*follower // by producer
}

// Attach returns a tap that sees everything published from now on. Call Run, which also detaches it.
func (b *Bus) Attach(ctx context.Context, producers []string) (*Tap, error) {
	t := &Tap{bus: b, followers: map[string]*follower{}}
	for _, producer := range producers {
		if streamName(producer) == "" {
			return nil, fmt.Errorf("bus: tap: no producer is called %q", producer)
		}
		fl := &follower{bus: b, stream: streamName(producer)}
		if err := fl.attach(ctx); err != nil {
			t.detach()
			return nil, fmt.Errorf("bus: tap %s: %w", fl.stream, err)
		}
		t.followers[producer] = fl
	}
	return t, nil
}

// Run calls f, one call at a time, for each message until ctx ends; at is when the stream stored it. Messages that are no batch
// come with no events.
func (t *Tap) Run(ctx context.Context, f func(producer string, partition int, events []*eventv1.Event, at time.Time)) error {
	defer t.detach()
	if err := t.bus.enter(); err != nil {
		return err
	}
	defer t.bus.running.Done()
	working, cancel := t.bus.until(ctx)
	defer cancel()
	var mu sync.Mutex
	var g errgroup.Group
	for producer, fl := range t.followers {
		partitions := map[string]int{}
		for p := range t.bus.cfg.Partitions {
			partitions[subject(producer, p)] = p
		}
		g.Go(func() error {
			return fl.run(working, func(msg jetstream.Msg, md *jetstream.MsgMetadata) error {
				events, _ := event.Unpack(msg.Data()) // the consumers quarantine what cannot be read
				mu.Lock()
				defer mu.Unlock()
				f(producer, partitions[msg.Subject()], events, md.Timestamp.UTC())
				return nil
			})
		})
	}
	return g.Wait()
}

func (t *Tap) detach() {
	for _, fl := range t.followers {
		fl.detach()
	}
}

// Tap is Attach and Run in one, for who needs not know when it stands.
func (b *Bus) Tap(ctx context.Context, producers []string,
	f func(producer string, partition int, events []*eventv1.Event, at time.Time),
) error {
	t, err := b.Attach(ctx, producers)
	if err != nil {
		return err
	}
	return t.Run(ctx, f)
}

// follower reads one stream in order through an ephemeral consumer, and makes another where the last one stopped when it breaks.
// The library's ordered consumer asks for one replica, which an interest stream of three refuses.
type follower struct {
	bus    *Bus
	stream string
	next   uint64 // stream sequence; 0 is whatever comes from now on
	cons   jetstream.Consumer
	seen   uint64 // consumer sequence
}

// attach makes the consumer, and only then removes its forerunner, so that the stream keeps what lies between.
func (fl *follower) attach(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	cfg := jetstream.ConsumerConfig{
		AckPolicy:         jetstream.AckAllPolicy,
		AckWait:           time.Minute,
		MaxDeliver:        -1,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       fl.next,
		InactiveThreshold: abandoned,
		MemoryStorage:     true,
	}
	if fl.next == 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverNewPolicy, 0
	}
	cons, err := fl.bus.js.CreateConsumer(ask, fl.stream, cfg)
	if err != nil {
		return err
	}
	fl.detach()
	fl.cons, fl.seen = cons, 0
	if fl.next == 0 {
		fl.next = cons.CachedInfo().Delivered.Stream + 1
	}
	return nil
}

func (fl *follower) detach() {
	if fl.cons == nil || !fl.bus.nc.IsConnected() {
		return // the server removes it by itself
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := fl.bus.js.DeleteConsumer(ctx, fl.stream, fl.cons.CachedInfo().Name); err != nil {
		fl.bus.log.Debug("an ephemeral consumer was not removed, it will lapse", "stream", fl.stream, "error", err)
	}
	fl.cons = nil
}

// run returns nil when ctx ends and f's error when f fails; everything else it mends.
func (fl *follower) run(ctx context.Context, f func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	defer fl.detach()
	var wait backoff
	for {
		var failed stop
		err := errGap // no consumer yet
		if fl.cons != nil {
			began := fl.next
			if err = fl.read(ctx, f); errors.As(err, &failed) {
				return failed.error
			}
			if fl.next > began {
				wait = backoff{}
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if fl.lost(ctx, err) {
			if err := fl.attach(ctx); err != nil && ctx.Err() == nil {
				fl.bus.log.Debug("cannot follow, trying again", "stream", fl.stream, "error", err)
			}
		}
		pause(ctx, wait.next())
	}
}

// lost says whether the consumer must be made anew: it is gone, or what it sent did not all arrive.
func (fl *follower) lost(ctx context.Context, err error) bool {
	if fl.cons == nil || errors.Is(err, errGap) {
		return true
	}
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_, err = fl.cons.Info(ask)
	return errors.Is(err, jetstream.ErrConsumerNotFound)
}

func (fl *follower) read(ctx context.Context, f func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	it, err := fl.cons.Messages(jetstream.PullMaxMessages(maxInHand), jetstream.PullExpiry(2*pullExpiry),
		jetstream.PullHeartbeat(pullExpiry/2), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer it.Stop()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		md, err := msg.Metadata()
		if err != nil {
			return err
		}
		if md.Sequence.Consumer != fl.seen+1 || md.Sequence.Stream < fl.next {
			return errGap
		}
		if err := f(msg, md); err != nil {
			return stop{err}
		}
		fl.seen, fl.next = md.Sequence.Consumer, md.Sequence.Stream+1
		if err := msg.Ack(); err != nil {
			return err
		}
	}
}
