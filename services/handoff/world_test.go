package handoff_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const document = `
title: Test
version: "1"
parties: {marketing: Mara, sales: Theo}
fields: {employees: number}
sources: {website: {format: json, verify: {bearer: env:TOKEN}}, crm: {format: json, verify: {bearer: env:CRM}, witness: true}}
grades: [{name: hot, when: lead.employees >= 100}, {name: cold}]
stages: [{name: lead}, {name: nurture, recycled: true}, {name: mql, when: score >= 50}, {name: won, when: did("won") >= 1, final: true}, {name: lost, when: did("lost") >= 1, final: true}]
handoff:
  at: mql
  routes: [{pool: big, when: lead.employees >= 1000}, {pool: sales}]
  unassigned: {within: 10m, calendar: always}
pools: {sales: {teams: [sales]}, big: {teams: [big]}}
clocks:
  - {name: response, grades: [hot], within: 5m, calendar: always, stops_on: [accepted, attempt], warn: [50, 80], on_breach: reassign}
  - {name: persistence, within: 1h, calendar: rep, count: 3, stops_on: [attempt], met_by: [reached]}
rejections: {duplicate: recycle, no_time: reassign}
`

const people = `
zone: Europe/Berlin
teams: {sales: {manager: mia}, big:, leads:}
reps:
  ann: {team: sales, capacity: 3}
  bob: {team: sales, capacity: 3}
  max: {team: big, capacity: 1}
  mia: {team: leads, capacity: 1}
`

// monday is 09:00 in Berlin.
var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// engines runs a test on each of the two, in a new store. What happens there without the test's doing happens because somebody
// was told: the next poll is an hour away.
func engines(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	polling(t, time.Hour, test)
}

func polling(t *testing.T, poll time.Duration, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) store.Handoff{"sqlite": onSQLite, "postgres": onPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, open(t), poll))
		})
	}
}

func onSQLite(t *testing.T) store.Handoff {
	s, err := sqlite.OpenHandoff(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlite.Options{})
	return opened(t, s, err)
}

func onPostgres(t *testing.T) store.Handoff {
	s, err := postgres.OpenHandoff(t.Context(), pgtest.Database(t), postgres.Options{})
	return opened(t, s, err)
}

func opened(t *testing.T, s store.Handoff, err error) store.Handoff {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clocked is a real store whose clock the test sets, and whose transactions it can hold back.
type clocked struct {
	store.Handoff
	mu   sync.Mutex
	now  time.Time
	gate func() // runs before each Update
	// looks counts how often waiting handoffs were read.
	looks atomic.Int64
	// updates counts the transactions, and before holds their number at the start of each look.
	updates atomic.Int64
	before  []int64
	// kept are the activities that were stored, in transactions that may not have been committed.
	kept []store.Activity
}

// keeping tells which activities a transaction stores.
type keeping struct {
	store.HandoffTx
	store *clocked
}

func (k keeping) InsertActivities(ctx context.Context, rows []store.Activity) ([]bool, error) {
	k.store.mu.Lock()
	k.store.kept = append(k.store.kept, rows...)
	k.store.mu.Unlock()
	return k.HandoffTx.InsertActivities(ctx, rows)
}

func (c *clocked) WaitingHandoffs(ctx context.Context, limit int) ([]store.HandoffKey, error) {
	keys, err := c.Handoff.WaitingHandoffs(ctx, limit)
	c.mu.Lock()
	c.before = append(c.before, c.updates.Load())
	c.mu.Unlock()
	c.looks.Add(1)
	return keys, err
}

func (c *clocked) Now(context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}

func (c *clocked) Update(ctx context.Context, f func(ctx context.Context, tx store.HandoffTx) error) error {
	c.updates.Add(1)
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	if gate != nil {
		gate()
	}
	return c.Handoff.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return f(ctx, keeping{HandoffTx: tx, store: c}) })
}

// world is a service over a real store, with a clock that the test moves.
type world struct {
	*handoff.Service
	t     *testing.T
	store *clocked
	logs  *lines
	hash  string
	names map[string]string // of versions, by their hashes
	mu    sync.Mutex
	told  []*eventv1.Event
	waker func(shard int, wakes ...store.Wake)
}

// lines is a log to read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// arm sends wake-ups to a timer; without one they go nowhere and the test fires by itself.
func (w *world) arm(to func(shard int, wakes ...store.Wake)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waker = to
}

func (w *world) armed(shard int, wakes ...store.Wake) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waker != nil {
		w.waker(shard, wakes...)
	}
}

func newWorld(t *testing.T, s store.Handoff, poll time.Duration) *world {
	t.Helper()
	w := &world{t: t, store: &clocked{Handoff: s, now: monday}, logs: &lines{}, names: make(map[string]string)}
	var err error
	w.Service, err = handoff.New(handoff.Config{
		Store: w.store, Partitions: 2, Shards: 2, Arm: w.armed,
		Secret:  func(string) (string, error) { return secret, nil },
		Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, PlainHTTP: true,
		Schedule: []time.Duration{0, 0, 0, 0}, Poll: poll,
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(w.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.agree(document)
	w.people(people)
	return w
}

func (w *world) agree(text string) {
	w.t.Helper()
	a, faults := agreement.Parse("agreement.yaml", []byte(text))
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.hash = a.Hash
	w.names[a.Hash] = a.Version
	w.apply(&eventv1.Event{Id: a.Hash, Source: event.Compliance, Body: &eventv1.Event_AgreementActivated{
		AgreementActivated: &eventv1.AgreementActivated{Hash: a.Hash, Text: a.Text, ActiveFrom: event.Micros(w.now()), Actor: "admin"},
	}})
}

func (w *world) people(text string) {
	w.t.Helper()
	if _, err := w.TakeRoster(w.t.Context(), []byte(text), "admin"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) apply(events ...*eventv1.Event) {
	w.t.Helper()
	if err := w.Apply(w.t.Context(), 0, events); err != nil {
		w.t.Fatal(err)
	}
}

// kept is the stored activity of that kind on that lead.
func (w *world) kept(lead, kind string) store.Activity {
	w.t.Helper()
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, a := range w.store.kept {
		if a.Lead == lead && a.Kind == kind {
			return a
		}
	}
	w.t.Fatalf("no %s of lead %s was stored", kind, lead)
	return store.Activity{}
}

// runsWaiting lets RunWaiting run until the test ends it.
func (w *world) runsWaiting() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.RunWaiting(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

func (w *world) pass(d time.Duration) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.now = w.store.now.Add(d)
}

func (w *world) now() time.Time {
	now, _ := w.store.Now(context.Background())
	return now
}

// fire does what the timer does: it looks at everything whose moment has come, in order.
func (w *world) fire() {
	w.t.Helper()
	now := w.now()
	for shard := range 2 {
		wakes, err := w.store.WakesUntil(w.t.Context(), shard, now.Add(time.Microsecond), store.Wake{}, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		var ids []string
		for _, wake := range wakes {
			ids = append(ids, wake.ID)
		}
		if err := w.FireClocks(w.t.Context(), shard, ids, now); err != nil {
			w.t.Fatal(err)
		}
	}
}

// staged is a lead at the handoff point; 100 employees or more make it hot, 1000 send it to the big pool.
func (w *world) staged(lead string, employees float64) *eventv1.Event {
	grade := "cold"
	if employees >= 100 {
		grade = "hot"
	}
	return &eventv1.Event{
		Id: "staged-" + lead, Source: event.Scoring, Lead: lead, Mode: eventv1.Mode_MODE_LIVE, Agreement: w.hash,
		OccurredAt: event.Micros(w.now()), RecordedAt: event.Micros(w.now()),
		Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
			Cycle: 1, N: 1, From: "lead", To: "mql", Grade: grade, Channel: "search", Handoff: true,
			Contact: &eventv1.Contact{
				Name: "Lea", Email: "lea@example.com", Fields: map[string]*eventv1.Value{"employees": {Kind: &eventv1.Value_Number{Number: employees}}},
			},
		}},
	}
}

func (w *world) outcome(id, lead, kind, rep string, mode eventv1.Mode) *eventv1.Event {
	return &eventv1.Event{
		Id: id, Source: event.Scoring, Lead: lead, Mode: mode, Agreement: w.hash,
		OccurredAt: event.Micros(w.now()), RecordedAt: event.Micros(w.now()),
		Body: &eventv1.Event_LeadOutcome{LeadOutcome: &eventv1.LeadOutcome{Cycle: 1, Outcome: &eventv1.Outcome{Kind: kind, Rep: rep}}},
	}
}

// events drains the outbox and returns all that was ever told.
func (w *world) events() []*eventv1.Event {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		n, err := w.store.Relay(w.t.Context(), 100, func(_ context.Context, messages []store.Message) error {
			for _, m := range messages {
				batch, err := event.Unpack(m.Data)
				if err != nil {
					return err
				}
				w.told = append(w.told, batch...)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return w.told
		}
	}
}

// types are the events of one lead, by type.
func (w *world) types(lead string) []string {
	w.t.Helper()
	var out []string
	for _, e := range w.events() {
		if e.GetLead() == lead {
			out = append(out, event.Type(e))
		}
	}
	return out
}

func (w *world) count(typ string) int {
	w.t.Helper()
	n := 0
	for _, e := range w.events() {
		if event.Type(e) == typ {
			n++
		}
	}
	return n
}

// assignments are all of a lead, the first first.
func (w *world) assignments(lead string) []store.Assignment {
	w.t.Helper()
	var out []store.Assignment
	err := w.store.EachAssignment(w.t.Context(), func(a store.Assignment, _ []store.ClockRow) error {
		if a.Lead == lead {
			out = append(out, a)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// owner is who has the lead, or "".
func (w *world) owner(lead string) string {
	w.t.Helper()
	for _, a := range w.assignments(lead) {
		if a.EndedAt.IsZero() {
			return a.Rep
		}
	}
	return ""
}

func (w *world) handoff(lead string) store.HandoffRow {
	w.t.Helper()
	h, err := w.store.HandoffOf(w.t.Context(), lead)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// balanced demands that the stored loads are the counted ones and that nobody is above the bound.
func (w *world) balanced(capacity int) {
	w.t.Helper()
	stored, counted, err := w.store.RepLoads(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for rep, n := range stored {
		if n != counted[rep] || n > capacity {
			w.t.Errorf("%s: stored %d, counted %d, capacity %d", rep, n, counted[rep], capacity)
		}
	}
}

func (w *world) want(lead string, types ...string) {
	w.t.Helper()
	if got := w.types(lead); !slices.Equal(got, types) {
		w.t.Fatalf("lead %s told\n %v\nwant\n %v", lead, got, types)
	}
}

func as(t *testing.T, rep string) context.Context {
	return identity.With(t.Context(), identity.Person{ID: rep, Role: identity.Rep})
}

func other(rep string) string {
	if rep == "ann" {
		return "bob"
	}
	return "ann"
}

func leadName(i int) string { return fmt.Sprintf("lead%03d", i) }

func eventsOf(events ...*eventv1.Event) []*eventv1.Event { return events }

// until waits for what another goroutine brings about.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
