package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const document = `
title: Test
version: "1"
parties: {marketing: Mara, sales: Theo}
fields: {first_name: text, company: text, employees: number, favourite: text}
sources:
  hubspot: {preset: hubspot-app, secret: env:APP, fetch: {token: env:TOKEN}}
  other: {preset: hubspot-app, secret: env:APP, fetch: {token: env:OTHER}}
stages: [{name: lead}, {name: mql, when: lead.employees >= 10}, {name: won, when: did("won") >= 1, final: true}, {name: lost, when: did("lost") >= 1, final: true}]
handoff: {at: mql, routes: [{pool: sales}], unassigned: {within: 1h, calendar: always}}
pools: {sales: {teams: [sales]}}
clocks: [{name: response, within: 5m, calendar: always, stops_on: [accepted]}]
`

// law is the agreement that is always in force.
type law struct{ *agreement.Agreement }

func (l law) At(time.Time) (*agreement.Agreement, bool) { return l.Agreement, true }

func agreed(t testing.TB) law {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", []byte(document))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return law{a}
}

// vendor is a HubSpot that answers as it is told.
type vendor struct {
	*httptest.Server

	mu     sync.Mutex
	asked  []string // ids in the order in which they were asked for
	tokens []string
	wanted []string
	// answers by id, the last of them for ever; an id without one is a contact.
	answers map[string][]func(w http.ResponseWriter)
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	v := &vendor{answers: map[string][]func(http.ResponseWriter){}}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutPrefix(r.URL.Path, "/crm/v3/objects/contacts/")
	if !ok || r.Method != http.MethodGet {
		http.Error(w, "no such address", http.StatusTeapot)
		return
	}
	v.mu.Lock()
	v.asked = append(v.asked, id)
	v.tokens = append(v.tokens, r.Header.Get("Authorization"))
	v.wanted = append(v.wanted, r.URL.Query().Get("properties"))
	answer := contact(id, 200)
	if left := v.answers[id]; len(left) > 0 {
		answer = left[0]
		if len(left) > 1 {
			v.answers[id] = left[1:]
		}
	}
	v.mu.Unlock()
	answer(w)
}

// say makes the vendor answer in this order.
func (v *vendor) say(id string, answers ...func(http.ResponseWriter)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers[id] = answers
}

func (v *vendor) count(id string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, a := range v.asked {
		if a == id {
			n++
		}
	}
	return n
}

func contact(id string, employees int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		_, _ = fmt.Fprintf(w, `{"id":%q,"properties":{"email":"lea%s@example.com","firstname":"Lea","lastname":"Lind","company":"Acme","numemployees":"%d",
			"favourite":"tea","hs_object_id":%q},"createdAt":"2026-03-01T09:00:00Z","updatedAt":"2026-03-02T09:00:00.5Z","archived":false}`, id, id, employees, id)
	}
}

func status(code int, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func text(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) }
}

// site is a real event log.
type site struct {
	t   *testing.T
	bus *bus.Bus
	log bytes.Buffer
	mu  sync.Mutex

	seen []*eventv1.Event
}

func newSite(t *testing.T) *site {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Config{Server: server, Partitions: 2, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Declare(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, bus: b}
	tap, err := b.Attach(t.Context(), []string{event.Ingest})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := tap.Run(ctx, func(_ string, _ int, events []*eventv1.Event, _ time.Time) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, events...)
		}); err != nil {
			t.Errorf("watch: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		watching.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(b.Close(ctx), server.Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Write is the log's.
func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *site) worker(v *vendor, b Bus) *Worker {
	s.t.Helper()
	w, err := New(Config{
		Agreements: agreed(s.t), Bus: b, Now: time.Now, Registerer: prometheus.NewRegistry(), HubSpot: v.URL,
		Secret: func(ref string) (string, error) { return "secret of " + ref, nil }, Logger: slog.New(slog.NewTextHandler(s, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return w
}

// run runs a worker until the test's end, or until it is stopped.
func (s *site) run(w *Worker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			s.t.Errorf("run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, f := range w.fetchers {
			if h, ok := f.(*hubSpot); ok {
				h.client.CloseIdleConnections()
			}
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// thin are events that tell no more than an id; each is "source/event/object".
func thin(names ...string) []byte {
	data := event.AppendHead(nil)
	for i, name := range names {
		parts := strings.Split(name, "/")
		e := &eventv1.Event{
			Id: parts[1], Source: parts[0], Mode: eventv1.Mode_MODE_LIVE, OccurredAt: int64(1_800_000_000_000_000 + i), RecordedAt: 1_800_000_001_000_000,
			Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{Kind: "contact.creation", ExternalId: parts[2], Fetch: HubSpotContact}},
		}
		wire, err := event.Marshal(e)
		if err != nil {
			panic(err) // of constants
		}
		data = event.AppendFrame(data, wire)
	}
	return data
}

func (s *site) leave(data []byte, id string) {
	s.t.Helper()
	events, err := event.Unpack(data)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.bus.PublishErrand(s.t.Context(), events[0].GetSource(), data, id); err != nil {
		s.t.Fatal(err)
	}
}

// whole are the ids of the events that were fetched.
func (s *site) whole() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.seen {
		out = append(out, e.GetSource()+"/"+e.GetId())
	}
	slices.Sort(out)
	return out
}

func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain: %s; fetched %v", what, s.whole())
		case <-tick.C:
		}
	}
}

// over waits until no errand is left.
func (s *site) over() {
	s.t.Helper()
	s.until("no errand is left", func() bool {
		lag, err := s.bus.Lag(s.t.Context())
		return err == nil && lag[bus.ErrandConsumer] == 0
	})
}

func (s *site) has(want ...string) func() bool {
	return func() bool { return slices.Equal(s.whole(), want) }
}
