package compliance

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/compliance/ledger"
)

// leaseName and leaseTTL are of the leases that say which replica shows which shard's numbers.
const (
	leaseName = "ledger-metrics"
	leaseTTL  = 10 * time.Second
)

// shards holds the leases on shards: each shard's numbers are shown by one replica, so that sums over replicas are true.
type shards struct {
	store  store.Compliance
	owner  string
	logger *slog.Logger
	now    func() time.Time // the process's clock; it only measures how long ago a lease was asked for

	mu sync.Mutex
	// owned says until when a shard is surely ours. A replica that was held up, or cannot reach the store, stops showing it before
	// another can take it over.
	owned map[int]time.Time
}

func (s *shards) run(ctx context.Context) error {
	t := time.NewTicker(leaseTTL / 4)
	defer t.Stop()
	for {
		s.acquire(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			s.release(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (s *shards) acquire(ctx context.Context) {
	for shard := range ledger.Shards {
		asked := s.now() // before the store's clock starts the lease: ours ends first
		held, _, err := s.store.Acquire(ctx, leaseName, shard, s.owner, leaseTTL)
		if err != nil {
			if ctx.Err() == nil {
				s.logger.Warn("lease on a ledger shard not renewed", "shard", shard, "error", err)
			}
			continue // what was granted before lasts for its time
		}
		s.mu.Lock()
		if held {
			s.owned[shard] = asked.Add(leaseTTL)
		} else {
			delete(s.owned, shard)
		}
		s.mu.Unlock()
	}
}

func (s *shards) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.mu.Lock()
	clear(s.owned) // before others can take them
	s.mu.Unlock()
	for shard := range ledger.Shards { // all: one may have been granted to a call that did not live to hear it
		if err := s.store.Release(ctx, leaseName, shard, s.owner); err != nil {
			s.logger.Warn("lease on a ledger shard not given back; it ends by itself", "shard", shard, "error", err)
		}
	}
}

// list is the shards that are ours now, sorted.
func (s *shards) list() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	maps.DeleteFunc(s.owned, func(_ int, until time.Time) bool { return !now.Before(until) })
	return slices.Sorted(maps.Keys(s.owned))
}

// collector shows the tallies of the owned shards as they stand in the store at the moment of the scrape.
type collector struct {
	service  *Service
	failed   prometheus.Counter
	standing map[string]*prometheus.Desc // shown by the owner of shard 0
}

func newCollector(s *Service) *collector {
	return &collector{
		service: s,
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadpact_ledger_scrape_failures_total", Help: "Scrapes that could not read the ledger's tallies.",
		}),
		standing: map[string]*prometheus.Desc{
			auditName: prometheus.NewDesc(auditName,
				"Clocks that the ledger saw start, never saw end, and that were due more than 30 s ago.", nil, nil),
			versionsName: prometheus.NewDesc(versionsName,
				"Versions of the agreement that came into force so far; 0 means that none is in force.", nil, nil),
		},
	}
}

// Describe sends nothing: the label sets follow the agreement, so the collector is an unchecked one.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, shard := range c.service.shards.list() {
		if err := c.shard(ctx, shard, ch); err != nil {
			c.failed.Inc()
			c.service.cfg.Logger.Warn("tallies not shown", "shard", shard, "error", err)
		}
	}
	c.failed.Collect(ch)
}

func (c *collector) shard(ctx context.Context, shard int, ch chan<- prometheus.Metric) error {
	tallies, err := c.service.cfg.Store.Tallies(ctx, shard)
	if err != nil {
		return err
	}
	shown := ledger.Metrics()
	for _, t := range tallies {
		m, ok := shown[t.Name]
		if !ok {
			continue
		}
		labels := ledger.ParseLabels(t.Labels)
		names := slices.Sorted(maps.Keys(labels))
		values := make([]string, 0, len(names)+1)
		for _, n := range names {
			values = append(values, labels[n])
		}
		kind := prometheus.CounterValue
		if m.Gauge {
			kind = prometheus.GaugeValue
		}
		desc := prometheus.NewDesc(t.Name, m.Help, append(names, "shard"), nil)
		metric, err := prometheus.NewConstMetric(desc, kind, t.Value, append(values, strconv.Itoa(shard))...)
		if err != nil {
			return err
		}
		ch <- metric
	}
	if shard != 0 {
		return nil
	}
	standing, err := c.service.standing(ctx)
	if err != nil {
		return err
	}
	for name, value := range standing {
		ch <- prometheus.MustNewConstMetric(c.standing[name], prometheus.GaugeValue, value)
	}
	return nil
}

// The gauges of standing.
const (
	auditName    = "leadpact_audit_overdue_clocks"
	versionsName = "leadpact_agreement_versions"
)

// standing is what is so now, whatever was counted: how many clocks were left behind (told as started, never as ended, and due
// longer than overdue ago), and how many versions of the agreement came into force.
func (s *Service) standing(ctx context.Context) (map[string]float64, error) {
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	left, err := s.cfg.Store.PendingClocks(ctx, now.Add(-overdue))
	if err != nil {
		return nil, err
	}
	versions, err := s.cfg.Store.ListAgreements(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]float64{auditName: float64(left), versionsName: float64(begun(versions, now))}, nil
}
