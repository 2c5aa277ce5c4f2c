package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

const (
	// relayLimit is how many queued messages one round takes.
	relayLimit = 256
	// relayLook is how long a relay waits before it looks by itself: what another replica queued comes without a kick.
	relayLook = 250 * time.Millisecond
	// relayBytes bounds a message made of several queued ones.
	relayBytes = 512 << 10
)

// Relay moves a service's outbox onto its stream. Several replicas may run one: the store lets one work at a time.
type Relay struct {
	bus      *Bus
	producer string
	outbox   store.Relay
	logger   *slog.Logger
	kick     chan struct{}
}

// NewRelay returns the relay of a producer's outbox.
func NewRelay(b *Bus, producer string, outbox store.Relay, logger *slog.Logger) *Relay {
	return &Relay{bus: b, producer: producer, outbox: outbox, logger: logger, kick: make(chan struct{}, 1)}
}

// Kick says that something was queued. It never blocks.
func (r *Relay) Kick() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends, then once more for what the last transactions queued, within two seconds.
func (r *Relay) Run(ctx context.Context) error {
	failures, slower := 0, backoff{}
	for {
		n, err := r.outbox.Relay(ctx, relayLimit, r.publish)
		wait := relayLook
		switch {
		case ctx.Err() != nil:
			return r.flush(ctx)
		case err != nil:
			failures++
			if failures == 1 || failures%20 == 0 {
				r.logger.Warn("outbox waits", "producer", r.producer, "failures", failures, "error", err)
			}
			wait = slower.next()
		case n == relayLimit:
			failures, slower = 0, backoff{}
			continue
		default:
			failures, slower = 0, backoff{}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return r.flush(ctx)
		case <-r.kick:
			t.Stop()
		case <-t.C:
		}
	}
}

func (r *Relay) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for {
		n, err := r.outbox.Relay(ctx, relayLimit, r.publish)
		if err != nil {
			r.logger.Info("outbox not emptied; the next start goes on", "producer", r.producer, "error", err)
			return nil
		}
		if n < relayLimit {
			return nil
		}
	}
}

// publish sends queued messages, those that follow each other in one partition as one.
func (r *Relay) publish(ctx context.Context, queued []store.Message) error {
	var out []event.Message
	var ids []string
	at := map[int]int{} // partition -> its open message in out
	for _, m := range queued {
		if m.Partition == event.AgreementPartition {
			if err := r.publishAgreement(ctx, m); err != nil {
				return err
			}
			continue
		}
		if i, ok := at[m.Partition]; ok && len(out[i].Data)+len(m.Data) <= relayBytes {
			// Batches in wire form, put one behind the other, are one Batch with the events of both.
			out[i].Data = append(out[i].Data, m.Data...)
			ids[i] = fmt.Sprintf("%s+%d", ids[i], m.ID)
			continue
		}
		at[m.Partition] = len(out)
		out = append(out, event.Message{Partition: m.Partition, Data: append([]byte(nil), m.Data...)})
		ids = append(ids, fmt.Sprintf("%s-%d", r.producer, m.ID))
	}
	if len(out) == 0 {
		return nil
	}
	for i := range ids {
		if len(ids[i]) > 64 { // a long list of numbers is named by its digest
			ids[i] = event.DerivedID(ids[i])
		}
	}
	return r.bus.PublishAll(ctx, r.producer, out, ids)
}

func (r *Relay) publishAgreement(ctx context.Context, m store.Message) error {
	var b eventv1.Batch
	if err := proto.Unmarshal(m.Data, &b); err != nil {
		return fmt.Errorf("queued message %d is no event batch: %w", m.ID, err)
	}
	var errs []error
	for _, e := range b.GetEvents() {
		errs = append(errs, r.bus.PublishAgreement(ctx, e))
	}
	return errors.Join(errs...)
}
