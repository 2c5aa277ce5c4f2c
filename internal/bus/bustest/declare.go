package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
)

// nothingDroppedWhileDeclaring publishes past the bus, as fast as it can, from before the streams exist until they are declared
// by three processes at once. An interest stream acknowledges and drops what no consumer is registered for: were it open before
// its last consumer exists, some of what was acknowledged would be missing there.
func nothingDroppedWhileDeclaring(t *testing.T, s *Site) {
	// The more consumers there are to make, the longer the last partition would stand open; it is the one published to.
	cfg := s.Config()
	cfg.Partitions = 8
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var acked, refused atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var publishing errgroup.Group
	const publishers = 4
	for range publishers {
		publishing.Go(func() error {
			for ctx.Err() == nil {
				ask, done := context.WithTimeout(ctx, time.Second)
				_, err := js.PublishMsg(ask, &nats.Msg{Subject: "leadpact.ingest.7", Data: []byte("x")}, jetstream.WithRetryAttempts(0))
				done()
				if err == nil {
					acked.Add(1)
				} else {
					refused.Add(1)
				}
			}
			return nil
		})
	}
	Eventually(t, "the publisher is at work", func() error {
		if refused.Load() == 0 {
			return errors.New("nothing was refused yet")
		}
		return nil
	})

	buses := []*bus.Bus{open(t, cfg), open(t, cfg), open(t, cfg)}
	early, err := event.Pack(first(batch(0, 1)), buses[0].Partitions())
	if err != nil {
		t.Fatal(err)
	}
	if err := buses[0].Publish(t.Context(), event.Ingest, early[0], "early"); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("publish before Declare: %v, want ErrUnavailable", err)
	}
	if err := buses[0].Ready(t.Context()); err == nil {
		t.Error("ready before Declare")
	}
	var declaring errgroup.Group
	for _, b := range buses {
		declaring.Go(func() error { return b.Declare(t.Context()) })
	}
	if err := declaring.Wait(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the publisher gets through", func() error {
		if acked.Load() < 10 {
			return errors.New("too few acknowledged")
		}
		return nil
	})
	cancel()
	_ = publishing.Wait()

	// A server of a cluster may hear of the last messages late; what was dropped never comes. The last publishes may have been
	// stored without their acknowledgements being read.
	for _, consumer := range []string{"scoring-ingest-7", "compliance-ingest-7"} {
		Eventually(t, consumer+" is offered what was acknowledged", func() error {
			lag, err := buses[0].Lag(t.Context())
			if err != nil {
				return err
			}
			if got, want := int64(lag[consumer]), acked.Load(); got < want || got > want+publishers {
				return fmt.Errorf("it is offered %d of %d messages", got, want)
			}
			return nil
		})
	}
	for _, b := range buses {
		if err := b.Ready(t.Context()); err != nil {
			t.Errorf("not ready: %v", err)
		}
	}
}

func declareAgain(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	if err := b.Declare(t.Context()); err != nil {
		t.Errorf("declare again: %v", err)
	}

	cfg := s.Config()
	cfg.Partitions++
	other := open(t, cfg)
	err := other.Declare(t.Context())
	if !errors.Is(err, bus.ErrMismatch) {
		t.Fatalf("declare with other partitions: %v, want ErrMismatch", err)
	}
	if !strings.Contains(err.Error(), "partitions, as before") {
		t.Errorf("the error does not tell what to do: %v", err)
	}

	// More room is no mismatch.
	cfg = s.Config()
	cfg.MaxBytes *= 2
	declared(t, cfg)
	usage, err := b.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := usage[event.Handoff].MaxBytes; got != cfg.MaxBytes {
		t.Errorf("room is %d, want %d", got, cfg.MaxBytes)
	}

	// A consumer that an operator removed is missed, and made again.
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), "LEADPACT_SCORING", "handoff-scoring-0"); err != nil {
		t.Fatal(err)
	}
	if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "handoff-scoring-0") {
		t.Errorf("ready without a consumer: %v", err)
	}
	if err := b.Declare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

func first[A, B any](a A, _ B) A { return a }
