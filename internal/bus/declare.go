package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// minLevel is the JetStream API level that pinned consumers came with, in nats-server 2.11.
const minLevel = 1

// askWithin bounds one question to the server.
const askWithin = 5 * time.Second

// Declare makes or verifies every stream and consumer. It may be called again, and by several processes at once. While NATS is
// away it keeps trying until ctx ends; what cannot pass by waiting (ErrMismatch, a server that is too old) it returns at once.
//
// An interest stream drops a message that no consumer is registered for, and says that it stored it; it does so before it looks
// at any limit. So a stream is born shut, without a subject that anybody publishes to; its consumers are made; only then it gets
// its subjects. A process that dies in between leaves a shut stream, which the next Declare opens.
func (b *Bus) Declare(ctx context.Context) error {
	var wait backoff
	for tries := 0; ; {
		err := b.declare(ctx)
		if err == nil {
			b.declared.Store(true)
			return nil
		}
		if !passing(err) && !settling(err) {
			return err
		}
		if tries++; tries%20 == 10 {
			b.log.Warn("streams not declared yet; trying again", "tries", tries, "error", err)
		}
		if !pause(ctx, wait.next()) {
			return fmt.Errorf("bus: declare streams: %w (%w)", err, ctx.Err())
		}
	}
}

// settling knows the answers of a cluster that has not yet told all its servers what another process is declaring.
func settling(err error) bool {
	for _, e := range []error{
		jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrStreamNameAlreadyInUse, jetstream.ErrConsumerExists,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (b *Bus) declare(ctx context.Context) error {
	if err := b.checkLevel(ctx); err != nil {
		return err
	}
	for _, producer := range producers() {
		if err := b.declareStream(ctx, producer); err != nil {
			return fmt.Errorf("bus: declare stream %s: %w", streamName(producer), err)
		}
	}
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if _, err := b.js.CreateOrUpdateStream(ask, agreements(b.cfg.Replicas)); err != nil {
		return fmt.Errorf("bus: declare stream %s: %w", agreementStream, err)
	}
	if _, err := b.js.CreateOrUpdateStream(ask, errandsStream(b.cfg.Replicas)); err != nil {
		return fmt.Errorf("bus: declare stream %s: %w", errandStream, err)
	}
	if _, err := b.js.CreateOrUpdateConsumer(ask, errandStream, errandsConsumer()); err != nil {
		return fmt.Errorf("bus: declare consumer %s: %w", ErrandConsumer, err)
	}
	return nil
}

func (b *Bus) checkLevel(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	info, err := b.js.AccountInfo(ask)
	if err != nil {
		return fmt.Errorf("bus: ask for JetStream: %w", err)
	}
	if info.API.Level < minLevel {
		return fmt.Errorf("bus: NATS server %s offers JetStream API level %d, leadpact needs %d: use nats-server 2.11 or newer",
			b.nc.ConnectedServerVersion(), info.API.Level, minLevel)
	}
	return nil
}

func (b *Bus) declareStream(ctx context.Context, producer string) error {
	want := stream(producer, b.cfg.Partitions, b.cfg.Replicas, b.cfg.MaxBytes)
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	s, err := b.js.Stream(ask, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		born := want
		born.Subjects = []string{shutSubject(producer)}
		if s, err = b.js.CreateStream(ask, born); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = b.js.Stream(ask, want.Name) // another process was faster
		}
	}
	if err != nil {
		return err
	}
	got := s.CachedInfo().Config
	open := !isShut(got, producer)
	if err := verifyStream(got, want, open); err != nil {
		return err
	}
	if err := b.declareConsumers(ctx, producer); err != nil {
		return err
	}
	if open && got.MaxBytes == want.MaxBytes {
		return nil
	}
	ask, cancelUpdate := context.WithTimeout(ctx, askWithin)
	defer cancelUpdate()
	_, err = b.js.UpdateStream(ask, want)
	return err
}

func (b *Bus) declareConsumers(ctx context.Context, producer string) error {
	have, err := b.consumerConfigs(ctx, producer)
	if err != nil {
		return err
	}
	for _, want := range consumers(producer, b.cfg.Partitions) {
		if got, ok := have[want.Durable]; ok && verifyConsumer(got, want) == nil {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, askWithin)
		c, err := b.js.CreateOrUpdateConsumer(ask, streamName(producer), want)
		cancel()
		if err != nil {
			return fmt.Errorf("consumer %s: %w", want.Durable, err)
		}
		if err := verifyConsumer(c.CachedInfo().Config, want); err != nil {
			return err
		}
	}
	return nil
}

// consumerConfigs are the consumers that stand on a producer's stream, by name.
func (b *Bus) consumerConfigs(ctx context.Context, producer string) (map[string]jetstream.ConsumerConfig, error) {
	infos, err := b.consumerInfos(ctx, producer)
	if err != nil {
		return nil, err
	}
	out := make(map[string]jetstream.ConsumerConfig, len(infos))
	for _, info := range infos {
		out[info.Name] = info.Config
	}
	return out, nil
}

func (b *Bus) consumerInfos(ctx context.Context, producer string) ([]*jetstream.ConsumerInfo, error) {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	s, err := b.js.Stream(ask, streamName(producer))
	if err != nil {
		return nil, err
	}
	list := s.ListConsumers(ask)
	var out []*jetstream.ConsumerInfo
	for info := range list.Info() {
		out = append(out, info)
	}
	return out, list.Err()
}

func isShut(got jetstream.StreamConfig, producer string) bool {
	return slices.Equal(got.Subjects, []string{shutSubject(producer)})
}

// verifyStream compares what an operator or an older start may have made differently; only the room may change by itself, and
// the subjects of a stream that is not open yet.
func verifyStream(got, want jetstream.StreamConfig, open bool) error {
	if p := got.Metadata[partitionsKey]; p != want.Metadata[partitionsKey] {
		if p == "" {
			return fmt.Errorf("%w: stream %s was not made by leadpact: remove it, or use a NATS account of its own", ErrMismatch, got.Name)
		}
		return fmt.Errorf("%w: stream %s has %s partitions and this start asks for %s: start with %s partitions, as before",
			ErrMismatch, got.Name, p, want.Metadata[partitionsKey], p)
	}
	slices.Sort(got.Subjects)
	slices.Sort(want.Subjects)
	for _, c := range []struct {
		what string
		same bool
		got  any
		want any
	}{
		{"subjects", !open || slices.Equal(got.Subjects, want.Subjects), got.Subjects, want.Subjects},
		{"replicas", got.Replicas == want.Replicas, got.Replicas, want.Replicas},
		{"retention", got.Retention == want.Retention, got.Retention, want.Retention},
		{"discard", got.Discard == want.Discard, got.Discard, want.Discard},
		{"storage", got.Storage == want.Storage, got.Storage, want.Storage},
		{"max age", got.MaxAge == 0, got.MaxAge, 0},
		{"max messages", got.MaxMsgs <= 0, got.MaxMsgs, -1},
		{"persist mode", got.PersistMode == want.PersistMode, got.PersistMode, want.PersistMode},
	} {
		if !c.same {
			return fmt.Errorf("%w: stream %s has %s %v and this start asks for %v: change the stream or the start's configuration",
				ErrMismatch, got.Name, c.what, c.got, c.want)
		}
	}
	return nil
}

// verifyConsumer finds the settings on which order and safety rest; a server that does not know one leaves it out silently.
func verifyConsumer(got, want jetstream.ConsumerConfig) error {
	for _, c := range []struct {
		what string
		same bool
	}{
		{"filter " + strconv.Quote(got.FilterSubject), got.FilterSubject == want.FilterSubject},
		{"ack policy", got.AckPolicy == want.AckPolicy},
		{"ack wait", got.AckWait == want.AckWait},
		{"max deliver", got.MaxDeliver <= 0},
		{"max ack pending", got.MaxAckPending == want.MaxAckPending},
		{"pinned owner", got.PriorityPolicy == want.PriorityPolicy && slices.Equal(got.PriorityGroups, want.PriorityGroups)},
		{"pinned time-out", got.PinnedTTL == want.PinnedTTL},
	} {
		if !c.same {
			return fmt.Errorf("%w: consumer %s differs in its %s", ErrMismatch, got.Durable, c.what)
		}
	}
	return nil
}

// passing says whether waiting can help: NATS is away, has no leader yet, or answered nobody in time.
func passing(err error) bool {
	if errors.Is(err, ErrMismatch) || errors.Is(err, nats.ErrConnectionClosed) {
		return false
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code >= 500
	}
	for _, e := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, nats.ErrNoServers, jetstream.ErrNoStreamResponse, nats.ErrInvalidConnection,
		jetstream.ErrJetStreamNotEnabled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
