// Package handoff gives each lead to a rep and holds both to the promise that comes with it.
//
// It owns the handoffs, the reps' live assignments, the clocks that guard a response, and every notice. A clock lives beside the
// row that it guards: whatever a rep does and the clock that it stops meet in one transaction, and before anything is done to a
// handoff, every clock of it that was due by then is broken first, in the order in which they fell due. So the order in which a
// response and the passing of time are noticed changes nothing.
//
//	lead.staged ──▶ waiting ◀───────────────┐ nobody eligible
//	      │            │ a rep is free      │
//	      └──────▶ assigned ── rejected, breached: the next rep
//	                   │
//	                   └── won, lost, recycled, merged, erased, withdrawn ──▶ closed
//
// Every transaction is one desk: the rows it needs are locked and laid out, pure code decides, and what changed is saved with the
// events that tell it.
package handoff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/handoff/notify"
)

// Config is what a Service is made of.
type Config struct {
	Store store.Handoff
	// Partitions of the service's own stream, and Shards of its clocks.
	Partitions, Shards int
	// Arm tells the timer of wake-ups of a shard, after the commit that wrote them.
	Arm func(shard int, wakes ...store.Wake)
	// Queued is called after each commit that queued messages; nil when nobody wants to know at once.
	Queued func()
	// Secret resolves a reference of the roster, "env:NAME" or "file:PATH".
	Secret func(reference string) (string, error)
	// Private networks that notices may go to, and whether without TLS.
	Private   []netip.Prefix
	PlainHTTP bool
	// Schedule holds the pause before each attempt to deliver a notice; empty means notify.Schedule().
	Schedule []time.Duration
	// Poll is how often the newest roster, waiting handoffs and due notices are looked at unasked; 0 means 1 s.
	Poll       time.Duration
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Service is handoff. It takes events (bus.Handler), answers reps (HandoffServiceServer) and fires clocks; several may run over
// one store.
type Service struct {
	leadpactv1.UnimplementedHandoffServiceServer

	cfg      Config
	store    store.Handoff
	versions versions
	people   people
	hours    hours
	doorway  doorway
	volleys  *volleys
	notices  *notify.Sender
	metrics  *metrics
	// again makes RunWaiting look at once.
	again chan struct{}
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Arm == nil || cfg.Secret == nil || cfg.Registerer == nil || cfg.Log == nil {
		return nil, errors.New("make the handoff service: Store, Arm, Secret, Registerer and Log must be set")
	}
	if cfg.Partitions < 1 || cfg.Shards < 1 {
		return nil, fmt.Errorf("make the handoff service with %d partitions and %d shards: each must be at least 1", cfg.Partitions, cfg.Shards)
	}
	if cfg.Queued == nil {
		cfg.Queued = func() {}
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	s := &Service{cfg: cfg, store: cfg.Store, volleys: newVolleys(), again: make(chan struct{}, 1)}
	var err error
	if s.metrics, err = newMetrics(cfg.Registerer); err != nil {
		return nil, err
	}
	s.versions.store, s.versions.met, s.versions.log = cfg.Store, s.metrics.met, cfg.Log
	s.people.store = cfg.Store
	s.notices, err = notify.New(notify.Config{
		Store: cfg.Store, Endpoint: s.endpoint, Render: s.render, Secret: cfg.Secret, Private: cfg.Private, PlainHTTP: cfg.PlainHTTP,
		Schedule: cfg.Schedule, Poll: cfg.Poll, Registerer: cfg.Registerer, Log: cfg.Log,
	})
	return s, err
}

// Quarantine keeps what can never be applied.
func (s *Service) Quarantine(ctx context.Context, rows []store.Quarantined) error {
	return s.store.SaveQuarantined(ctx, rows)
}

// RunNotices delivers notices until ctx ends.
func (s *Service) RunNotices(ctx context.Context) error { return s.notices.Run(ctx) }

// endpoint is the address of that name, as of now.
func (s *Service) endpoint(name string) (agreement.Endpoint, bool) {
	for _, e := range s.people.now().Notices {
		if e.Name == name {
			return e, true
		}
	}
	return agreement.Endpoint{}, false
}

// lookAgain makes RunWaiting look at once; it never blocks.
func (s *Service) lookAgain() {
	select {
	case s.again <- struct{}{}:
	default: // it will look anyway
	}
}
