package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/store"
)

// plumbing shows how full the pipes are: what waits on the bus, in the outboxes and in quarantine.
type plumbing struct {
	bus    *bus.Bus
	stores map[string]store.Base

	lag, bytes, limit, queued, oldest, quarantined *prometheus.Desc
}

func newPlumbing(b *bus.Bus, stores map[string]store.Base) *plumbing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &plumbing{
		bus: b, stores: stores,
		lag:         desc("leadpact_bus_lag_messages", "Messages that a consumer has not acknowledged yet.", "consumer"),
		bytes:       desc("leadpact_bus_stream_bytes", "Bytes in a stream.", "stream"),
		limit:       desc("leadpact_bus_stream_max_bytes", "Bytes that a stream may hold before ingest answers 503.", "stream"),
		queued:      desc("leadpact_outbox_messages", "Messages that wait in a service's outbox.", "service"),
		oldest:      desc("leadpact_outbox_oldest_seconds", "Age of the oldest message in a service's outbox.", "service"),
		quarantined: desc("leadpact_quarantine_rows", "What waits in a service's quarantine: hook (refused webhooks), event and message (poison).", "service", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (p *plumbing) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.lag, p.bytes, p.limit, p.queued, p.oldest, p.quarantined} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read now is left out: an absent series is what alerts look for.
func (p *plumbing) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if lag, err := p.bus.Lag(ctx); err == nil {
		for consumer, n := range lag {
			gauge(p.lag, float64(n), consumer)
		}
	}
	if usage, err := p.bus.Usage(ctx); err == nil {
		for stream, u := range usage {
			gauge(p.bytes, float64(u.Bytes), stream)
			gauge(p.limit, float64(u.MaxBytes), stream)
		}
	}
	for service, s := range p.stores {
		now, err := s.Now(ctx)
		if err != nil {
			continue
		}
		if n, oldest, err := s.Queued(ctx); err == nil {
			gauge(p.queued, float64(n), service)
			age := 0.0
			if n > 0 {
				age = max(now.Sub(oldest).Seconds(), 0)
			}
			gauge(p.oldest, age, service)
		}
		if n, err := s.CountQuarantined(ctx); err == nil {
			for _, kind := range []store.Kind{store.RefusedHook, store.PoisonEvent, store.PoisonMessage} {
				gauge(p.quarantined, float64(n[kind]), service, string(kind))
			}
		}
	}
}

func newRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "leadpact_build_info", Help: "Always 1; the program's version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
