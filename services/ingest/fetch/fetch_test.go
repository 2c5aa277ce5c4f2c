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
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
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
	if err := s.bus.PublishErrand(s.t.Context(), data, id); err != nil {
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

func TestFetchesWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	w := s.worker(v, s.bus)
	s.run(w)
	s.leave(thin("hubspot/e1/101", "other/e2/102", "hubspot/e3/103"), "1")
	s.until("three contacts", s.has("hubspot/fetch:e1", "hubspot/fetch:e3", "other/fetch:e2"))
	s.over()
	var e *eventv1.Event
	s.mu.Lock()
	for _, one := range s.seen {
		if one.GetId() == "fetch:e1" {
			e = one
		}
	}
	s.mu.Unlock()
	lr := e.GetLeadReceived()
	if lr.GetEmail() != "lea101@example.com" || lr.GetExternalId() != "101" || lr.GetName() != "Lea Lind" || lr.GetFetch() != "" || lr.GetKind() != "fetched" ||
		lr.GetFields()["employees"].GetNumber() != 200 || lr.GetFields()["company"].GetText() != "Acme" || lr.GetFields()["favourite"].GetText() != "tea" {
		t.Errorf("mapped to %v", lr)
	}
	if want := time.Date(2026, 3, 2, 9, 0, 0, 500_000_000, time.UTC); e.GetOccurredAt() != event.Micros(want) || len(lr.GetContentHash()) == 0 {
		t.Errorf("it occurred at %s", event.Time(e.GetOccurredAt()))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, id := range v.asked {
		token := "Bearer secret of env:TOKEN"
		if id == "102" {
			token = "Bearer secret of env:OTHER"
		}
		if v.tokens[i] != token {
			t.Errorf("%s was asked for with another source's token", id)
		}
		for _, want := range []string{"email", "firstname", "numemployees", "favourite", "lifecyclestage"} {
			if !slices.Contains(strings.Split(v.wanted[i], ","), want) {
				t.Errorf("%s is not asked for: %s", want, v.wanted[i])
			}
		}
	}
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", fetched)); n != 2 {
		t.Errorf("%v were counted as fetched", n)
	}
}

// A sender that wants a pause gets it, and another source does not wait for it.
func TestAPauseIsHeeded(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusTooManyRequests, "Retry-After", "2"), contact("1", 5))
	s.run(s.worker(v, s.bus))
	began := time.Now()
	s.leave(thin("hubspot/a/1"), "1")
	s.until("it was asked", func() bool { return v.count("1") == 1 })
	s.leave(thin("hubspot/b/2"), "2")
	s.leave(thin("other/c/3"), "3")
	s.until("the other source's", s.has("other/fetch:c"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("another source waited for %s", took)
	}
	s.until("all", s.has("hubspot/fetch:a", "hubspot/fetch:b", "other/fetch:c"))
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it was asked again after %s", took)
	}
	s.over()
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusInternalServerError), status(http.StatusBadGateway), contact("1", 5))
	v.say("2", text(strings.Repeat(" ", largest+1)), contact("2", 5))
	v.say("3", text(`{"id":"3","properties":{`), contact("3", 5))
	v.say("4", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, contact("4", 5)) // the line breaks
	var slow atomic.Bool
	v.say("5", func(w http.ResponseWriter) {
		slow.Store(true)
		time.Sleep(500 * time.Millisecond)
		contact("5", 5)(w)
	}, contact("5", 5))
	w := s.worker(v, s.bus)
	hub := newHubSpot(v.URL, time.Now)
	hub.client.Timeout = 100 * time.Millisecond
	w.fetchers[HubSpotContact] = hub
	s.run(w)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		s.leave(thin("hubspot/e"+id+"/"+id), id)
	}
	s.until("all", s.has("hubspot/fetch:e1", "hubspot/fetch:e2", "hubspot/fetch:e3", "hubspot/fetch:e4", "hubspot/fetch:e5"))
	s.over()
	if v.count("1") != 3 || !slow.Load() {
		t.Errorf("asked %d times", v.count("1"))
	}
}

func TestWhoIsGoneIsDoneWith(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusNotFound))
	v.say("2", status(http.StatusGone))
	w := s.worker(v, s.bus)
	s.run(w)
	s.leave(thin("hubspot/a/1", "hubspot/b/2", "hubspot/c/..%2F3", "nobody/d/4", "hubspot/e/5"), "1")
	s.until("the one that is there", s.has("hubspot/fetch:e"))
	s.over()
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", gone)); n != 3 {
		t.Errorf("%v were counted as gone", n)
	}
	if v.count("1") != 1 || v.count("2") != 1 || len(v.asked) != 3 {
		t.Errorf("asked for %v", v.asked)
	}
}

// A wrong token is asked with slowly, once for all that wait, and what waits is had when the token is right.
func TestAWrongTokenIsTriedSlowly(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusUnauthorized), contact("1", 5))
	w := s.worker(v, s.bus)
	w.slowly = time.Second
	s.run(w)
	s.leave(thin("hubspot/a/1"), "1")
	s.until("it is refused", func() bool { return testutil.ToFloat64(w.results.WithLabelValues("hubspot", refused)) == 1 })
	s.leave(thin("hubspot/b/2"), "2")
	s.leave(thin("other/c/3"), "3")
	s.until("the other source's", s.has("other/fetch:c"))
	if v.count("2") != 0 {
		t.Error("another contact was asked for although the token is wrong")
	}
	s.until("all", s.has("hubspot/fetch:a", "hubspot/fetch:b", "other/fetch:c"))
	s.over()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.log.String(), "refuses the token") || strings.Contains(s.log.String(), "secret of") {
		t.Errorf("the log says\n%s", s.log.String())
	}
}

// What can never be used is given up, and the rest of its message is not.
func TestNonsenseIsGivenUp(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", text(`["Lea Lind", "lea@example.com"]`))
	w := s.worker(v, s.bus)
	for range givesUp - 2 {
		w.strange(&eventv1.Event{Source: "hubspot", Id: "a"})
	}
	s.run(w)
	s.leave(thin("hubspot/a/1", "hubspot/b/2"), "1")
	s.until("the good one", s.has("hubspot/fetch:b"))
	s.over()
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", useless)); n != 1 || v.count("2") != 1 {
		t.Errorf("%v were given up; the good one was asked for %d times", n, v.count("2"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(s.log.String(), "Lea") || strings.Contains(s.log.String(), "example.com") {
		t.Errorf("the log names a person:\n%s", s.log.String())
	}
}

// One contact that a message tells of again and again is asked for once, and the newest word of him counts.
func TestOneThingIsAskedForOnce(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	s.run(s.worker(v, s.bus))
	s.leave(thin("hubspot/a/1", "hubspot/b/1", "other/c/1", "hubspot/d/1"), "1")
	s.until("both sources'", s.has("hubspot/fetch:d", "other/fetch:c"))
	s.over()
	if v.count("1") != 2 {
		t.Errorf("asked for %d times, once for each source is enough", v.count("1"))
	}
}

// dying is a process that is killed when it has fetched and before it has told of it.
type dying struct {
	*bus.Bus
	died func()
}

func (d dying) Publish(ctx context.Context, _ string, _ event.Message, _ string) error {
	d.died()
	<-ctx.Done()
	return ctx.Err()
}

func TestKilledBeforeItTells(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	died := make(chan struct{})
	stop := s.run(s.worker(v, dying{s.bus, sync.OnceFunc(func() { close(died) })}))
	s.leave(thin("hubspot/a/1", "hubspot/b/2"), "1")
	<-died
	stop()
	if got := s.whole(); len(got) != 0 {
		t.Fatalf("told %v", got)
	}
	s.run(s.worker(v, s.bus))
	s.until("both", s.has("hubspot/fetch:a", "hubspot/fetch:b"))
	s.over()
}

// A redirect is no way to learn a token.
func TestTokenGoesNowhereElse(t *testing.T) {
	t.Parallel()
	thief := newVendor(t)
	v := newVendor(t)
	v.say("1", status(http.StatusFound, "Location", thief.URL+"/crm/v3/objects/contacts/1"))
	h := newHubSpot(v.URL, time.Now)
	defer h.client.CloseIdleConnections()
	if _, err := h.Fetch(t.Context(), Wanted{ID: "1", Token: "secret"}); err == nil || len(thief.asked) != 0 {
		t.Errorf("followed: %v, asked %v", err, thief.asked)
	}
	if newHubSpot("", time.Now).address != "https://api.hubapi.com" {
		t.Error("HubSpot's address is another")
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	h := newHubSpot("", func() time.Time { return now })
	for header, want := range map[string]time.Duration{
		"": pause, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "0": 0, "-3": pause, "soon": pause, "1e300": longest, "99999": longest, "NaN": pause,
		"Mon, 02 Mar 2026 09:00:30 GMT": 30 * time.Second, "Mon, 02 Mar 2026 08:00:00 GMT": 0, "Tue, 03 Mar 2026 09:00:00 GMT": longest,
	} {
		if got := h.wait(header); got != want {
			t.Errorf("Retry-After %q is %s, want %s", header, got, want)
		}
	}
}

// Whoever asks as fast as he may stays below a hundred questions in any ten seconds.
func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	b := newBudget(now)
	var asked []time.Time
	for len(asked) < 1000 {
		switch quiet, wait := b.take(now); {
		case quiet > 0:
			t.Fatal("nobody asked for a pause")
		case wait > 0:
			now = now.Add(wait)
		default:
			asked = append(asked, now)
		}
	}
	for i := range asked {
		n := 0
		for _, at := range asked[i:] {
			if at.Sub(asked[i]) < 10*time.Second {
				n++
			}
		}
		if n > 100 {
			t.Fatalf("%d questions within ten seconds", n)
		}
	}
	if took := now.Sub(asked[0]); took > 130*time.Second {
		t.Errorf("a thousand questions took %s", took)
	}
	b.rest(now.Add(time.Minute))
	b.rest(now.Add(time.Second)) // a shorter pause takes nothing away
	if quiet, _ := b.take(now.Add(30 * time.Second)); quiet != 30*time.Second {
		t.Errorf("left alone for %s more", quiet)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for tries, most := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 60: slowest} {
		for range 20 {
			if d := backoff(tries); d < most/2 || d >= most {
				t.Errorf("try %d waits %s", tries, d)
			}
		}
	}
}
