package ingest

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	events   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_ingest_requests_total", Help: "Webhook requests by source and status code; sources that the agreement does not name count as \"unknown\".",
		}, []string{"source", "code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadpact_ingest_request_duration_seconds", Help: "From the end of the request's headers to the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_ingest_events_total", Help: "Events in webhook bodies by source and result: accepted, refused, unavailable.",
		}, []string{"source", "result"}),
	}
	r.MustRegister(m.requests, m.seconds, m.events)
	return m
}

// begin starts the counters of sources at 0, so that the first event is already a rise.
func (m *metrics) begin(sources []agreement.Source) {
	for _, s := range sources {
		m.requests.WithLabelValues(s.Name, "202")
		for _, result := range []string{"accepted", "refused", "unavailable"} {
			m.events.WithLabelValues(s.Name, result)
		}
	}
}
