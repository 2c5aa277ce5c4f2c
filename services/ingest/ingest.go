// Package ingest is the webhook door: it verifies, reads strictly, maps to lead events, and answers 202 when they are durable.
//
// It keeps nothing: JetStream carries, and scoring's facts remember. A request that ends in anything but 202 may be sent again;
// events that were stored already are recognized by their ids.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Agreements knows the versions of the agreement.
type Agreements interface {
	// At returns the version in force at t; false before the first.
	At(t time.Time) (*agreement.Agreement, bool)
}

// Config is what the door needs. All but Patience and MaxBody must be set.
type Config struct {
	Agreements Agreements
	Bus        Publisher
	// Secret resolves a reference such as "env:NAME" or "file:PATH".
	Secret     func(ref string) (string, error)
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Patience is how long a request waits for the durable acknowledgement; 0 means 900 ms.
	Patience time.Duration
	// MaxBody bounds a body in bytes; 0 means 256 KiB.
	MaxBody int64
}

// Service is the door.
type Service struct {
	cfg        Config
	committers []*committer
	metrics    *metrics
	doors      doors
	// closed holds why nothing is accepted; nil when it is.
	closed atomic.Pointer[string]
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Agreements == nil || cfg.Bus == nil || cfg.Secret == nil || cfg.Now == nil || cfg.Logger == nil || cfg.Registerer == nil {
		return nil, errors.New("ingest: a part of the configuration is missing")
	}
	if cfg.Patience == 0 {
		cfg.Patience = 900 * time.Millisecond
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 256 << 10
	}
	s := &Service{cfg: cfg, metrics: newMetrics(cfg.Registerer)}
	s.doors.secret = cfg.Secret
	for p := range cfg.Bus.Partitions() {
		s.committers = append(s.committers, newCommitter(p, cfg.Bus))
	}
	notYet := "the door is starting"
	s.closed.Store(&notYet)
	return s, nil
}

// Run commits what the handler takes in, and watches the log, until ctx ends. End it after the HTTP server has drained.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range s.committers {
		wg.Go(func() { c.run(ctx) })
	}
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// look asks the log whether it takes anything, so that a request need not find out by waiting.
func (s *Service) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	err := s.cfg.Bus.Ready(ctx)
	was := s.closed.Load()
	if err == nil {
		if was != nil {
			s.cfg.Logger.Info("ingest accepts")
		}
		s.closed.Store(nil)
		return
	}
	if was == nil {
		s.cfg.Logger.Warn("ingest does not accept", "reason", err)
	}
	why := "the event log is away or full"
	s.closed.Store(&why)
}

// Ready says whether the door accepts, and if not why.
func (s *Service) Ready(context.Context) error {
	if why := s.closed.Load(); why != nil {
		return errors.New(*why)
	}
	if _, ok := s.cfg.Agreements.At(s.cfg.Now()); !ok {
		return errors.New("no agreement is in force yet: activate one")
	}
	return nil
}

// commit makes events durable, each partition's in the order given. An error leaves open which of them were stored.
func (s *Service) commit(ctx context.Context, events []*eventv1.Event) error {
	parts := make(map[int][]*eventv1.Event, 1)
	for _, e := range events {
		key := identifiers(e.GetSource(), e.GetLeadReceived())[0] // the mapper lets none through without
		p := event.Partition(key, len(s.committers))
		parts[p] = append(parts[p], e)
	}
	results := make(chan error, len(parts))
	for p, part := range parts {
		go func() { results <- s.committers[p].submit(ctx, part) }()
	}
	var first error
	for range parts {
		if err := <-results; err != nil && first == nil {
			first = fmt.Errorf("commit %d events: %w", len(events), err)
		}
	}
	return first
}
