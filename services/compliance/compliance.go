// Package compliance keeps the versions of the agreement and the ledger: every event of every service, numbered and chained per
// shard, and what was made of it: who kept which promise.
package compliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance/ledger"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Config is what the service needs; all of it must be set but Notice.
type Config struct {
	Store store.Compliance
	// Owner names this replica, for leases.
	Owner string
	// Kick wakes the relay after something was queued.
	Kick func()
	// Notice is how long before it comes into force the services hear of a version that follows another; 0 means 2 s.
	Notice     time.Duration
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Service is the ledger and its doors.
type Service struct {
	leadpactv1.UnimplementedComplianceServiceServer
	leadpactv1.UnimplementedAgreementServiceServer

	cfg    Config
	shards *shards

	mu      sync.Mutex
	written chan struct{} // closed at the next commit: whoever waits for new lines looks again
}

var _ bus.Handler = (*Service)(nil)

// New checks cfg and registers the service's metrics.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Owner == "" || cfg.Kick == nil || cfg.Logger == nil || cfg.Registerer == nil {
		return nil, errors.New("compliance: a part of the configuration is missing")
	}
	if cfg.Notice == 0 {
		cfg.Notice = 2 * time.Second
	}
	s := &Service{cfg: cfg, written: make(chan struct{})}
	s.shards = &shards{store: cfg.Store, owner: cfg.Owner, logger: cfg.Logger, now: time.Now, owned: map[int]time.Time{}}
	if err := cfg.Registerer.Register(newCollector(s)); err != nil {
		return nil, fmt.Errorf("compliance: %w", err)
	}
	return s, nil
}

// Run keeps the leases on the shards whose numbers this replica shows, until ctx ends. First it starts at 0 what the version in
// force can count: a newer program may count more than the one that activated it.
func (s *Service) Run(ctx context.Context) error {
	if err := s.startInForce(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Logger.Warn("series that were never counted are not shown at 0 until the next start or activation", "error", err)
	}
	return s.shards.run(ctx)
}

// Apply writes events into the ledger: each once, in the order given within a shard, with all that follows from it, in one
// transaction.
func (s *Service) Apply(ctx context.Context, _ int, events []*eventv1.Event) error {
	lines := make([]store.Entry, 0, len(events))
	effects := make(map[store.FactKey]ledger.Effects, len(events))
	for _, e := range events {
		key := store.FactKey{Source: e.GetSource(), ID: ledger.ID(e)}
		if _, twice := effects[key]; twice {
			continue
		}
		line, err := ledger.Line(e)
		if err != nil {
			return bus.Permanent(err)
		}
		lines = append(lines, line)
		effects[key] = ledger.Judge(e)
	}
	err := s.cfg.Store.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error {
		return write(ctx, tx, lines, effects)
	})
	if err != nil {
		return fmt.Errorf("write %d lines into the ledger: %w", len(lines), err)
	}
	s.wake()
	return nil
}

// Check returns the Permanent error that Apply would return, and writes nothing.
func (s *Service) Check(_ context.Context, events []*eventv1.Event) error {
	for _, e := range events {
		if _, err := ledger.Line(e); err != nil {
			return bus.Permanent(err)
		}
	}
	return nil
}

// Quarantine keeps what can never be applied.
func (s *Service) Quarantine(ctx context.Context, rows []store.Quarantined) error {
	if err := s.cfg.Store.SaveQuarantined(ctx, rows); err != nil {
		return fmt.Errorf("quarantine %d events: %w", len(rows), err)
	}
	return nil
}

// write appends the lines that are new. The shards are locked before it asks which are: between asking and appending, no other
// replica can append the same event, because an event has one shard.
func write(ctx context.Context, tx store.ComplianceTx, lines []store.Entry, effects map[store.FactKey]ledger.Effects) error {
	var numbers []int
	keys := make([]store.FactKey, 0, len(lines))
	for _, l := range lines {
		numbers = append(numbers, l.Shard)
		keys = append(keys, store.FactKey{Source: l.Source, ID: l.EventID})
	}
	slices.Sort(numbers)
	locked, err := tx.LockShards(ctx, slices.Compact(numbers))
	if err != nil {
		return err
	}
	heads := make(map[int]store.Head, len(locked))
	for _, h := range locked {
		heads[h.Shard] = h
	}
	known, err := tx.Known(ctx, keys)
	if err != nil {
		return err
	}
	var entries []store.Entry
	var all ledger.Effects
	for i, l := range lines {
		if known[keys[i]] {
			continue
		}
		var entry store.Entry
		entry, heads[l.Shard] = ledger.Chain(heads[l.Shard], l)
		entries = append(entries, entry)
		fx := effects[keys[i]]
		all.Tallies = append(all.Tallies, fx.Tallies...)
		all.Start = append(all.Start, fx.Start...)
		all.End = append(all.End, fx.End...)
		all.Members = append(all.Members, fx.Members...)
	}
	if len(entries) == 0 {
		return nil
	}
	if err := tx.Append(ctx, entries); err != nil {
		return err
	}
	if err := tx.AddTallies(ctx, sum(all.Tallies)); err != nil {
		return err
	}
	if err := tx.StartClocks(ctx, all.Start); err != nil {
		return err
	}
	if err := tx.EndClocks(ctx, all.End); err != nil {
		return err
	}
	for _, members := range all.Members {
		if err := tx.SaveMembers(ctx, members); err != nil {
			return err
		}
	}
	for i, h := range locked {
		locked[i] = heads[h.Shard]
	}
	return tx.SaveHeads(ctx, locked)
}

// sum adds up deltas of one tally, so that a batch touches each row once, and sorts them, so that two batches touch rows in one
// order.
func sum(deltas []store.Tally) []store.Tally {
	type key struct {
		shard        int
		name, labels string
	}
	at := map[key]int{}
	var out []store.Tally
	for _, d := range deltas {
		k := key{d.Shard, d.Name, d.Labels}
		if i, ok := at[k]; ok {
			out[i].Value += d.Value
			continue
		}
		at[k] = len(out)
		out = append(out, d)
	}
	slices.SortFunc(out, compareTally)
	return out
}

// wake tells the watchers that the ledger grew.
func (s *Service) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.written)
	s.written = make(chan struct{})
}

// growth is closed at the next commit.
func (s *Service) growth() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// overdue is how long after its due time an unresolved clock counts as left behind.
const overdue = 30 * time.Second
