package scoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
)

// The results of a fact.
const (
	applied   = "applied"
	duplicate = "duplicate"
	conflict  = "conflict"
)

// metrics are what scoring counts. Labels are bounded: results by this file, stages by the agreement.
type metrics struct {
	facts     *prometheus.CounterVec
	decisions *prometheus.CounterVec
	batch     prometheus.Histogram
	overflow  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		facts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_scoring_facts_total",
			Help: "Facts taken in: applied, duplicate (known already), conflict (a known id with other content, not applied).",
		}, []string{"result"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_scoring_decisions_total", Help: "Changes of stage, by the stage entered.",
		}, []string{"stage"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadpact_scoring_batch_seconds", Help: "Time to apply one batch of events, from its arrival to the commit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	m.overflow = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leadpact_quarantine_overflow_total",
		Help: "Refused webhooks that were not kept, because their source's quarantine is full; by source, as the agreement names it.",
	}, []string{"source"})
	for _, result := range []string{applied, duplicate, conflict} {
		m.facts.WithLabelValues(result)
	}
	for _, c := range []prometheus.Collector{m.facts, m.decisions, m.batch, m.overflow} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// declare starts the counter of every stage and source at 0.
func (m *metrics) declare(a *agreement.Agreement) {
	for _, s := range a.Stages {
		m.decisions.WithLabelValues(s.Name)
	}
	for _, s := range a.Sources {
		m.overflow.WithLabelValues(s.Name)
	}
}
