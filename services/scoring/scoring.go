// Package scoring is the service that knows the leads: it keeps the facts, folds them into what is known of each lead, scores it,
// walks it through the funnel and says so.
//
// It only loads, asks the pure rooms (lead, score, stage) and saves. One batch is one transaction: identifiers are bound, leads locked
// in order of id, facts inserted, only the fresh ones folded, and the events that follow queued in the outbox. Whoever does the
// same batch again, after a crash between the commit and the acknowledgement for one, finds no fresh fact and changes nothing.
package scoring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// Agreements knows every version that was activated.
type Agreements interface {
	// At returns the version that is active at t; false while there is none yet.
	At(t time.Time) (*agreement.Agreement, bool)
	// ByHash returns a version; false when it has not arrived.
	ByHash(hash string) (*agreement.Agreement, bool)
}

// shortestKey of lead ids, in bytes.
const shortestKey = 16

// Config is what a Service stands on. Every field but Quarantine is needed.
type Config struct {
	Store      store.Scoring
	Agreements Agreements
	// Partitions of scoring's stream, at least 1.
	Partitions int
	// Key that lead ids are made with, at least 16 bytes and the same for as long as the store lives.
	Key []byte
	// Kick wakes the relay after a commit that queued something. It must not block.
	Kick func()
	// Errand leaves word of what must be fetched, as bus.Bus.PublishErrand does: a webhook that comes out of quarantine may have told of
	// no more than an id.
	Errand func(ctx context.Context, source string, data []byte, id string) error
	// Quarantine bounds what is kept of one source's refused webhooks; zero is 10,000 of them and 64 MiB.
	Quarantine store.Bound
	Metrics    prometheus.Registerer
	Log        *slog.Logger
}

// Service takes in lead.received and lead.activity, and answers leadpact.v1.LeadService.
type Service struct {
	leadpactv1.UnimplementedLeadServiceServer
	store      store.Scoring
	agreements Agreements
	partitions int
	key        []byte
	kick       func()
	errand     func(ctx context.Context, source string, data []byte, id string) error
	bound      store.Bound
	metrics    *metrics
	log        *slog.Logger
}

var (
	_ bus.Handler                  = (*Service)(nil)
	_ leadpactv1.LeadServiceServer = (*Service)(nil)
)

// New checks the configuration and registers the metrics.
func New(c Config) (*Service, error) {
	switch {
	case c.Store == nil, c.Agreements == nil, c.Kick == nil, c.Errand == nil, c.Metrics == nil, c.Log == nil:
		return nil, errors.New("start scoring: the store, the agreements, the relay's kick, the errands, the metrics and the log are all needed")
	case c.Partitions < 1:
		return nil, fmt.Errorf("start scoring: %d partitions; at least 1 is needed", c.Partitions)
	case len(c.Key) < shortestKey:
		return nil, fmt.Errorf("start scoring: the key of lead ids has %d bytes; at least %d are needed", len(c.Key), shortestKey)
	}
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("start scoring: %w", err)
	}
	if c.Quarantine == (store.Bound{}) {
		c.Quarantine = store.Bound{Rows: 10_000, Bytes: 64 << 20}
	}
	return &Service{
		store: c.Store, agreements: c.Agreements, partitions: c.Partitions, key: c.Key, kick: c.Kick, errand: c.Errand, bound: c.Quarantine, metrics: m, log: c.Log,
	}, nil
}

// Quarantine keeps what can never be applied.
func (s *Service) Quarantine(ctx context.Context, rows []store.Quarantined) error {
	if err := s.store.SaveQuarantined(ctx, rows); err != nil {
		return fmt.Errorf("quarantine %d events: %w", len(rows), err)
	}
	return nil
}
