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
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Agreements knows the versions of the agreement.
type Agreements interface {
	// At returns the version in force at t; false before the first.
	At(t time.Time) (*agreement.Agreement, bool)
}

// Config is what the door needs. What has no default must be set.
type Config struct {
	Agreements Agreements
	Bus        Publisher
	// Secret resolves a reference such as "env:NAME" or "file:PATH". It is asked again every second, so that a changed secret
	// counts; its error never holds the value.
	Secret     func(ref string) (string, error)
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Follow hands over what scoring and handoff publish from now on, until ctx ends. Nil: no sender is told how its lead stands.
	Follow func(ctx context.Context, f func(*eventv1.Event)) error
	// Patience is how long a request waits for the durable acknowledgement; 0 means 900 ms.
	Patience time.Duration
	// MaxBody bounds a body in bytes; 0 means 256 KiB.
	MaxBody int64
	// MaxHeld bounds in bytes all bodies in hand together; 0 means 64 MiB.
	MaxHeld int64
	// PublicURL is what stands before /v1/hooks in the address that senders are given; some signatures cover it. Without it a request's
	// own scheme and host count, as TrustedProxies tell them when it comes through one.
	PublicURL      string
	TrustedProxies []netip.Prefix
}

// looking bounds one look at the log. It is longer than a request waits: a log that is slow to describe itself may still be quick
// to store, and those whom it lets wait are told in time by their own patience.
const looking = 2 * time.Second

// Service is the door.
type Service struct {
	cfg        Config
	committers []*committer
	metrics    *metrics
	doors      doors
	bodies     bodies
	addresses  addresses
	standings  *standings
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
	if cfg.MaxHeld == 0 {
		cfg.MaxHeld = 64 << 20
	}
	where, err := newAddresses(cfg.PublicURL, cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, metrics: newMetrics(cfg.Registerer), addresses: where, standings: newStandings()}
	s.doors.secret, s.doors.logger = cfg.Secret, cfg.Logger
	s.doors.partitions, s.doors.bounds = cfg.Bus.Partitions(), map[string]*bounds{}
	s.bodies.largest, s.bodies.most = cfg.MaxBody, cfg.MaxHeld
	for p := range cfg.Bus.Partitions() {
		s.committers = append(s.committers, newCommitter(p, cfg.Bus))
	}
	s.shut("the door is starting")
	return s, nil
}

// shut makes requests be turned away at once.
func (s *Service) shut(why string) { s.closed.Store(&why) }

// Run commits what the handler takes in, and watches the log, until ctx ends. End it after the HTTP server has drained;
// a request that still waits then is told to come again.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range s.committers {
		wg.Go(func() { c.run(ctx) })
	}
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	counted := "" // the version whose sources have their counters
	following := false
	for {
		s.look(ctx)
		if a, ok := s.cfg.Agreements.At(s.cfg.Now()); ok && a.Hash != counted {
			counted = a.Hash
			s.metrics.begin(a.Sources)
			if !following && s.cfg.Follow != nil && slices.ContainsFunc(a.Sources, func(src agreement.Source) bool { return src.Tool.Answer.Standing }) {
				following = true
				wg.Go(func() { s.follow(ctx) })
			}
		}
		select {
		case <-ctx.Done():
			s.shut(errStopped.Error())
			return nil
		case <-t.C:
		}
	}
}

// follow reads along until ctx ends; without it only the answers to some senders say less.
func (s *Service) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.cfg.Follow(ctx, s.standings.hear); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("senders are not told how their leads stand; trying again", "error", err)
			t := time.NewTimer(looking)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
	}
}

// look asks the log whether it takes anything, so that a request need not find out by waiting.
func (s *Service) look(ctx context.Context) {
	ask, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	err := s.cfg.Bus.Ready(ask)
	was := s.closed.Load()
	if ctx.Err() != nil {
		return // we are leaving; it says nothing of the log
	}
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
	s.shut("the event log is away or full")
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

// errands leaves word of what must be fetched for events of one source, before they are accepted.
func (s *Service) errands(ctx context.Context, source string, events []hook.Event) error {
	var x event.Errand
	for _, e := range events {
		x.Add(e.Event, e.Wire)
	}
	data, id := x.Message()
	if data == nil {
		return nil
	}
	if err := s.cfg.Bus.PublishErrand(ctx, source, data, id); err != nil {
		return fmt.Errorf("leave word of what is to be fetched: %w", err)
	}
	return nil
}

// commit makes events of one source durable, each partition's in the order given. An error leaves open which of them were stored.
func (s *Service) commit(ctx context.Context, of *share, events []hook.Event) error {
	first := event.Partition(events[0].Key, len(s.committers))
	parts := map[int][]hook.Event(nil)
	for i, e := range events {
		p := event.Partition(e.Key, len(s.committers))
		if parts == nil && p != first { // most requests are of one partition
			parts = map[int][]hook.Event{first: slices.Clip(events[:i])}
		}
		if parts != nil {
			parts[p] = append(parts[p], e)
		}
	}
	if parts == nil {
		if err := s.committers[first].submit(ctx, of.lanes[first], events); err != nil {
			return fmt.Errorf("commit %d events: %w", len(events), err)
		}
		return nil
	}
	var side errgroup.Group
	for p, part := range parts {
		side.Go(func() error { return s.committers[p].submit(ctx, of.lanes[p], part) })
	}
	if err := side.Wait(); err != nil {
		return fmt.Errorf("commit %d events: %w", len(events), err)
	}
	return nil
}
