package handoff

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
)

// metrics are the service's own; labels are pools and kinds, never leads or reps.
type metrics struct {
	assignments *prometheus.CounterVec
	lag         prometheus.Histogram
	seconds     *prometheus.HistogramVec
	events      prometheus.Histogram
	words       *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		assignments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_handoff_assignments_total", Help: "Assignments made, the first of a handoff or one again.",
		}, []string{"pool", "kind"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadpact_handoff_clock_lag_seconds", Help: "How long after its moment a warning or a breach was recorded.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 300, 3600},
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leadpact_handoff_batch_seconds", Help: "Time to apply a batch of events, by result.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"result"}),
		events: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadpact_handoff_batch_events", Help: "Events in a batch.", Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		words: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_handoff_late_outcomes_total",
			Help: "Outcomes in time that came after the breach: those that turned the verdict, and those whose source is no witness.",
		}, []string{"result"}),
	}
	for _, result := range []string{"turned", "no_witness"} {
		m.words.WithLabelValues(result)
	}
	for _, result := range []string{"applied", "failed"} {
		m.seconds.WithLabelValues(result)
	}
	for _, c := range []prometheus.Collector{m.assignments, m.lag, m.seconds, m.events, m.words} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register handoff's metrics: %w", err)
		}
	}
	return m, nil
}

// count adds what a transaction did, after its commit.
func (m *metrics) count(d *desk) {
	for _, a := range d.made {
		kind := "first"
		if a.again {
			kind = "again"
		}
		m.assignments.WithLabelValues(a.pool, kind).Inc()
	}
	for _, w := range d.words {
		result := "no_witness"
		if w.turned {
			result = "turned"
		}
		m.words.WithLabelValues(result).Inc()
	}
	for _, late := range d.late {
		m.lag.Observe(max(late, 0).Seconds())
	}
}

// met starts the counters of an agreement's pools at 0, so that the first assignment is an increase that can be seen.
func (m *metrics) met(a *agreement.Agreement) {
	for _, p := range a.Pools {
		for _, kind := range []string{"first", "again"} {
			m.assignments.WithLabelValues(p.Name, kind)
		}
	}
}

func (m *metrics) batch(events int, took time.Duration, err error) {
	result := "applied"
	if err != nil {
		result = "failed"
	}
	m.seconds.WithLabelValues(result).Observe(took.Seconds())
	m.events.Observe(float64(events))
}
