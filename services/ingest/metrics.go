package ingest

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
)

type metrics struct {
	// taken are the counters of what goes well, by source: looking them up by label costs more than counting.
	taken sync.Map // string -> success

	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	events   *prometheus.CounterVec
	unnamed  *prometheus.CounterVec
	kept     *prometheus.CounterVec
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
			Name: "leadpact_ingest_events_total", Help: "Events in webhook bodies by source and result: accepted; refused, which cannot be taken; skipped, which the source's preset leaves out; unavailable, which are to come again.",
		}, []string{"source", "result"}),
	}
	m.unnamed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leadpact_ingest_events_without_id_total", Help: "Accepted events to which their sender gave no id, by source: of these, identical bodies are one event.",
	}, []string{"source"})
	m.kept = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leadpact_ingest_bodies_kept_total", Help: "Bodies that could not be taken in, or not all of them, and were sent on into quarantine; by source.",
	}, []string{"source"})
	r.MustRegister(m.requests, m.seconds, m.events, m.unnamed, m.kept)
	return m
}

// success is a source's counters of requests and events that were accepted, and of the events among them that came without an id.
type success struct{ requests, events, unnamed prometheus.Counter }

func (m *metrics) success(source string) success {
	if found, ok := m.taken.Load(source); ok {
		return found.(success) //nolint:forcetypeassert,errcheck // nothing else is put into it
	}
	made := success{m.requests.WithLabelValues(source, "202"), m.events.WithLabelValues(source, "accepted"), m.unnamed.WithLabelValues(source)}
	m.taken.Store(source, made)
	return made
}

// request counts one; the source is one of the agreement, or "unknown".
func (m *metrics) request(source string, code int) {
	if code == http.StatusAccepted {
		m.success(source).requests.Inc()
		return
	}
	m.requests.WithLabelValues(source, strconv.Itoa(code)).Inc()
}

// accept counts events that are durable.
func (m *metrics) accept(source string, events []hook.Event) {
	counters := m.success(source)
	counters.events.Add(float64(len(events)))
	for _, e := range events {
		if e.Unnamed {
			counters.unnamed.Inc()
		}
	}
}

// leave counts events that were not taken, by what became of them.
func (m *metrics) leave(source, result string, events int) {
	if events > 0 {
		m.events.WithLabelValues(source, result).Add(float64(events))
	}
}

// begin starts the counters of sources at 0, so that the first event is already a rise.
func (m *metrics) begin(sources []agreement.Source) {
	for _, s := range sources {
		m.success(s.Name)
		m.kept.WithLabelValues(s.Name)
		for _, result := range []string{"refused", "skipped", "unavailable"} {
			m.events.WithLabelValues(s.Name, result)
		}
	}
}
