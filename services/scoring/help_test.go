package scoring_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring"
)

// onBothEngines runs a test against the real SQLite and the real PostgreSQL.
func onBothEngines(t *testing.T, test func(t *testing.T, open func(t *testing.T) store.Scoring)) {
	t.Helper()
	t.Parallel()
	closing := func(t *testing.T, s store.Scoring, err error) store.Scoring {
		t.Helper()
		if err != nil {
			t.Fatalf("open the store: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close the store: %v", err)
			}
		})
		return s
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) store.Scoring {
			s, err := sqlite.OpenScoring(t.Context(), filepath.Join(t.TempDir(), "scoring.db"), sqlite.Options{})
			return closing(t, s, err)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) store.Scoring {
			s, err := postgres.OpenScoring(t.Context(), pgtest.Database(t), postgres.Options{})
			return closing(t, s, err)
		})
	})
}

// versions are agreements that a test activates by hand.
type versions struct {
	all    map[string]*agreement.Agreement
	active atomic.Pointer[agreement.Agreement]
}

func (v *versions) At(time.Time) (*agreement.Agreement, bool) {
	a := v.active.Load()
	return a, a != nil
}

func (v *versions) ByHash(hash string) (*agreement.Agreement, bool) {
	a, ok := v.all[hash]
	return a, ok
}

// activate makes the agreement of testdata, changed by replacements, the active one.
func (v *versions) activate(t *testing.T, replacements ...string) {
	t.Helper()
	text, err := os.ReadFile("testdata/agreement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replacements...).Replace(string(text))
	a, faults := agreement.Parse("agreement.yaml", []byte(changed))
	if a == nil {
		t.Fatalf("the agreement of the tests has faults: %v", faults)
	}
	if v.all == nil {
		v.all = map[string]*agreement.Agreement{}
	}
	v.all[a.Hash] = a
	v.active.Store(a)
}

const partitions = 3

// rig is a service over a store.
type rig struct {
	*scoring.Service
	store    store.Scoring
	versions *versions
	metrics  *prometheus.Registry
	kicks    atomic.Int64
	errands  []*eventv1.Event // to fetch
	log      strings.Builder
}

func newRig(t *testing.T, s store.Scoring, change ...func(*scoring.Config)) *rig {
	t.Helper()
	r := &rig{store: s, versions: &versions{}, metrics: prometheus.NewRegistry()}
	r.versions.activate(t)
	c := scoring.Config{
		Store: s, Agreements: r.versions, Partitions: partitions, Key: []byte("0123456789abcdef"), Kick: func() { r.kicks.Add(1) },
		Errand: func(_ context.Context, source string, data []byte, _ string) error {
			events, err := event.Unpack(data)
			for _, e := range events {
				if e.GetSource() != source {
					t.Errorf("an errand of %s is left for %s", e.GetSource(), source)
				}
			}
			r.errands = append(r.errands, events...)
			return err
		},
		Metrics: r.metrics, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if r.Service, err = scoring.New(c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) apply(t *testing.T, events ...*eventv1.Event) {
	t.Helper()
	if err := r.Apply(t.Context(), 0, events); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

func (r *rig) digest(t *testing.T) string {
	t.Helper()
	d, err := scoring.Digest(t.Context(), r.store)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// counted is a counter's value by its only label.
func (r *rig) counted(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no series of %s has the label %q", name, label)
	return 0
}

// told takes what is queued out of the outbox.
func (r *rig) told(t *testing.T) []*eventv1.Event {
	t.Helper()
	var out []*eventv1.Event
	for {
		n, err := r.store.Relay(t.Context(), 100, func(_ context.Context, messages []store.Message) error {
			for _, m := range messages {
				events, err := event.Unpack(m.Data)
				if err != nil {
					return err
				}
				for _, e := range events {
					if got := event.Partition(e.GetLead(), partitions); got != m.Partition {
						return fmt.Errorf("an event for partition %d came on %d", got, m.Partition)
					}
				}
				out = append(out, events...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return out
		}
	}
}

// words writes events as "staged 1.2 mql!" and "outcome won"; h before it is history, ? behind it a handoff that is withheld, x one that is
// withdrawn.
func words(events []*eventv1.Event) string {
	var out []string
	for _, e := range events {
		history := ""
		if e.GetMode() == eventv1.Mode_MODE_HISTORY {
			history = "h "
		}
		switch s, o := e.GetLeadStaged(), e.GetLeadOutcome(); {
		case s != nil:
			mark := ""
			switch {
			case s.GetHandoff():
				mark = "!"
			case s.GetWithdrawn():
				mark = "x"
			case s.GetWithheld() != "":
				mark = "?"
			}
			out = append(out, fmt.Sprintf("%sstaged %d.%d %s%s", history, s.GetCycle(), s.GetN(), s.GetTo(), mark))
		case o != nil:
			out = append(out, fmt.Sprintf("%soutcome %d %s", history, o.GetCycle(), o.GetOutcome().GetKind()))
		default:
			out = append(out, event.Type(e))
		}
	}
	return strings.Join(out, ", ")
}

var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// received is one event of a source about a person, n hours after start.
func received(id, email, kind string, n int, change ...func(*eventv1.Event)) *eventv1.Event {
	at := event.Micros(start.Add(time.Duration(n) * time.Hour))
	e := &eventv1.Event{
		Id: id, Source: "web", OccurredAt: at, RecordedAt: at + 1000, Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{
			Kind: kind, Email: email, Name: "Ada Lovelace", Phone: "+1 555", Channel: "paid", ContentHash: []byte(id + email + kind),
		}},
	}
	switch kind {
	case "won", "lost", "accepted", "attempt":
		e.Source = "crm"
		e.GetLeadReceived().Outcome = &eventv1.Outcome{Kind: kind, Rep: "rep-1", Reason: "because"}
	}
	for _, c := range change {
		c(e)
	}
	return e
}

func history(e *eventv1.Event) { e.Mode = eventv1.Mode_MODE_HISTORY }

func external(id string) func(*eventv1.Event) {
	return func(e *eventv1.Event) { e.GetLeadReceived().ExternalId = id }
}

// says adds a person's words: "+marketing" grants, "-contact" withdraws.
func says(words ...string) func(*eventv1.Event) {
	return func(e *eventv1.Event) {
		for _, w := range words {
			e.GetLeadReceived().Consents = append(e.GetLeadReceived().Consents, &eventv1.Consent{Purpose: w[1:], Granted: w[0] == '+'})
		}
	}
}

func sure(confidence float64) func(*eventv1.Event) {
	return func(e *eventv1.Event) { e.GetLeadReceived().Confidence = confidence }
}

func size(n float64) func(*eventv1.Event) {
	return func(e *eventv1.Event) {
		e.GetLeadReceived().Fields = map[string]*eventv1.Value{"size": {Kind: &eventv1.Value_Number{Number: n}}}
	}
}

// activity is what a rep did with a lead.
func activity(id, lead, kind, reason string, cycle uint32, n int) *eventv1.Event {
	at := event.Micros(start.Add(time.Duration(n) * time.Hour))
	return &eventv1.Event{
		Id: id, Source: event.Handoff, Lead: lead, OccurredAt: at, RecordedAt: at, Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_LeadActivity{LeadActivity: &eventv1.LeadActivity{Kind: kind, Rep: "rep-1", Reason: reason, Cycle: cycle}},
	}
}
