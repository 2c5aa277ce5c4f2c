package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Usage is how much of its room a stream takes, in bytes.
type Usage struct{ Bytes, MaxBytes int64 }

// Ready returns nil when a message may be published and would be kept: NATS is there, every stream and consumer exists, there is
// room, and each server that keeps a copy was shown to fsync. The error says what to do.
func (b *Bus) Ready(ctx context.Context) error {
	if s := b.nc.Status(); s != nats.CONNECTED {
		if err := b.nc.LastError(); err != nil {
			return fmt.Errorf("%w: %s: %w: it is tried again by itself", ErrUnavailable, s, err)
		}
		return fmt.Errorf("%w: %s: it is tried again by itself", ErrUnavailable, s)
	}
	for _, producer := range producers() {
		info, err := b.streamInfo(ctx, streamName(producer))
		if err != nil {
			return err
		}
		if err := b.readyStream(ctx, producer, info); err != nil {
			return err
		}
	}
	info, err := b.streamInfo(ctx, agreementStream)
	if err != nil {
		return err
	}
	b.declared.Store(true)
	return b.durable(ctx, info)
}

func (b *Bus) readyStream(ctx context.Context, producer string, info *jetstream.StreamInfo) error {
	name := info.Config.Name
	open := !isShut(info.Config, producer)
	if err := verifyStream(info.Config, stream(producer, b.cfg.Partitions, b.cfg.Replicas, b.cfg.MaxBytes), open); err != nil {
		return err
	}
	if !open {
		return fmt.Errorf("bus: stream %s is still shut: some start must finish declaring its consumers", name)
	}
	have, err := b.consumerConfigs(ctx, producer)
	if err != nil {
		return fmt.Errorf("bus: list consumers of %s: %w", name, err)
	}
	for _, want := range consumers(producer, b.cfg.Partitions) {
		got, ok := have[want.Durable]
		if !ok {
			return fmt.Errorf("bus: stream %s lacks its consumer %s: what is published now would be dropped; start any role to declare it",
				name, want.Durable)
		}
		if err := verifyConsumer(got, want); err != nil {
			return err
		}
	}
	// A twentieth is kept back: a stream that takes small messages and refuses large ones is not ready.
	if used := int64(info.State.Bytes); used > info.Config.MaxBytes-info.Config.MaxBytes/20 {
		return fmt.Errorf("%w: %s holds %d of %d bytes: start or repair the roles that consume it (%v), or raise max_bytes",
			ErrFull, name, used, info.Config.MaxBytes, rolesOf(producer))
	}
	return b.durable(ctx, info)
}

func (b *Bus) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	s, err := b.js.Stream(ask, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("bus: stream %s does not exist: start any role to declare it", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: ask for stream %s: %w", ErrUnavailable, name, err)
	}
	return s.CachedInfo(), nil
}

// Usage is the room of each producer's stream, by producer, and of the errands'.
func (b *Bus) Usage(ctx context.Context) (map[string]Usage, error) {
	out := map[string]Usage{}
	for _, producer := range producers() {
		info, err := b.streamInfo(ctx, streamName(producer))
		if err != nil {
			return nil, err
		}
		out[producer] = Usage{Bytes: int64(info.State.Bytes), MaxBytes: info.Config.MaxBytes}
	}
	info, err := b.streamInfo(ctx, errandStream)
	if err != nil {
		return nil, err
	}
	out[ErrandConsumer] = Usage{Bytes: int64(info.State.Bytes), MaxBytes: info.Config.MaxBytes}
	return out, nil
}

// Lag counts, by consumer ("scoring-ingest-0"), the messages that are not acknowledged yet: waiting or in somebody's hand.
func (b *Bus) Lag(ctx context.Context) (map[string]uint64, error) {
	out := map[string]uint64{}
	for _, producer := range producers() {
		for _, c := range consumers(producer, b.cfg.Partitions) {
			out[c.Durable] = 0
		}
		infos, err := b.consumerInfos(ctx, producer)
		if err != nil {
			return nil, fmt.Errorf("%w: list consumers of %s: %w", ErrUnavailable, streamName(producer), err)
		}
		seen := 0
		for _, info := range infos {
			if _, ours := out[info.Name]; ours { // a referee's tap is not
				out[info.Name] = info.NumPending + uint64(info.NumAckPending)
				seen++
			}
		}
		if want := len(consumers(producer, b.cfg.Partitions)); seen != want {
			return nil, errors.New("bus: lag of " + streamName(producer) + " is unknown: " + strconv.Itoa(want-seen) + " consumers are missing")
		}
	}
	ask, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	c, err := b.js.Consumer(ask, errandStream, ErrandConsumer)
	if err != nil {
		return nil, fmt.Errorf("%w: look at consumer %s: %w", ErrUnavailable, ErrandConsumer, err)
	}
	info := c.CachedInfo()
	out[ErrandConsumer] = info.NumPending + uint64(info.NumAckPending)
	return out, nil
}
