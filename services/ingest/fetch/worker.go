package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

const (
	// slowly is how long a sender is left alone that refuses the token, or for whom there is none.
	slowly = 5 * time.Minute
	// slowest bounds the pauses between tries.
	slowest = 5 * time.Minute
	// unreadable answers are given up after so many tries; the thin event stands.
	givesUp = 8
	// held bounds the messages of one source that wait here for their turn. A backlog waits in the log, not in memory.
	held = 16
	// remembered bounds how many things are remembered as fetched while others of their message are not.
	remembered = 10_000
)

// Agreements knows the versions of the agreement.
type Agreements interface {
	// At returns the version in force at t; false before the first.
	At(t time.Time) (*agreement.Agreement, bool)
}

// Bus hands out messages and makes others durable.
type Bus interface {
	Errands(ctx context.Context, run func(ctx context.Context, data []byte, tries int) error) error
	Publish(ctx context.Context, producer string, m event.Message, id string) error
	Partitions() int
}

// Config is what a Worker needs; all but HubSpot must be set.
type Config struct {
	Agreements Agreements
	Bus        Bus
	// Secret resolves a reference such as "env:NAME"; its error never holds the value.
	Secret     func(ref string) (string, error)
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// HubSpot is another address than HubSpot's own, for tests.
	HubSpot string
}

// Worker fetches for all sources.
type Worker struct {
	cfg      Config
	fetchers map[string]Fetcher
	slowly   time.Duration
	results  *prometheus.CounterVec

	mu      sync.Mutex
	budgets map[string]*budget
	holding map[string]int  // messages, by source
	had     map[string]bool // things that were fetched
	odd     map[string]int  // answers that could not be used, by thing
}

// The results of a fetch, as the metric says them.
const (
	fetched  = "fetched"
	gone     = "gone"
	busy     = "busy"
	refused  = "refused"
	failed   = "failed"
	useless  = "unusable"
	tokenNot = "no_token"
)

// New checks cfg.
func New(cfg Config) (*Worker, error) {
	if cfg.Agreements == nil || cfg.Bus == nil || cfg.Secret == nil || cfg.Now == nil || cfg.Logger == nil || cfg.Registerer == nil {
		return nil, errors.New("fetch: a part of the configuration is missing")
	}
	w := &Worker{
		cfg: cfg, slowly: slowly, budgets: map[string]*budget{}, holding: map[string]int{}, had: map[string]bool{}, odd: map[string]int{},
		fetchers: map[string]Fetcher{HubSpotContact: newHubSpot(cfg.HubSpot, cfg.Now)},
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_ingest_fetches_total", Help: "What thin events leave out, asked for, by source and what came of it.",
		}, []string{"source", "result"}),
	}
	if err := cfg.Registerer.Register(w.results); err != nil {
		return nil, fmt.Errorf("register the fetcher's metrics: %w", err)
	}
	return w, nil
}

// Run fetches until ctx ends.
func (w *Worker) Run(ctx context.Context) error { return w.cfg.Bus.Errands(ctx, w.errand) }

// errand does one message. What was fetched is published although another thing of the message must wait.
func (w *Worker) errand(ctx context.Context, data []byte, tries int) error {
	events, err := event.Unpack(data)
	if err != nil {
		w.cfg.Logger.Error("an errand cannot be read, and is given up", "error", err)
		return nil
	}
	thin := w.thin(events)
	if len(thin) == 0 {
		return nil
	}
	release, ok := w.hold(thin[0].GetSource()) // a message is of one source
	if !ok {
		return bus.TryLater(backoff(tries), errors.New("enough of the source waits here"))
	}
	defer release()
	found := make([][]hook.Event, len(thin))
	errs := make([]error, len(thin))
	var all sync.WaitGroup // their source's pace bounds them
	for i, e := range thin {
		all.Go(func() { found[i], errs[i] = w.one(ctx, e, tries) })
	}
	all.Wait()
	if err := w.publish(ctx, thin, found); err != nil {
		return bus.TryLater(backoff(tries), err)
	}
	return soonest(errs)
}

// hold takes one of a source's places; false when none is left.
func (w *Worker) hold(source string) (release func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holding[source] >= held {
		return nil, false
	}
	w.holding[source]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.holding[source]--
	}, true
}

// thin are the events that something must be fetched for, once for each thing: the newest one's word is told.
func (w *Worker) thin(events []*eventv1.Event) []*eventv1.Event {
	var out []*eventv1.Event
	for _, e := range events {
		if lr := e.GetLeadReceived(); w.fetchers[lr.GetFetch()] != nil {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *eventv1.Event) int {
		return cmp.Or(cmp.Compare(thing(a), thing(b)), cmp.Compare(b.GetOccurredAt(), a.GetOccurredAt()), cmp.Compare(b.GetId(), a.GetId()))
	})
	out = slices.CompactFunc(out, func(a, b *eventv1.Event) bool { return thing(a) == thing(b) })
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(out, func(e *eventv1.Event) bool { return w.had[key(e)] })
}

func thing(e *eventv1.Event) string {
	return e.GetSource() + "\n" + e.GetLeadReceived().GetFetch() + "\n" + e.GetLeadReceived().GetExternalId()
}

func key(e *eventv1.Event) string { return e.GetSource() + "\n" + e.GetId() }

// one has one thing and maps it; none when there is nothing to tell.
func (w *Worker) one(ctx context.Context, e *eventv1.Event, tries int) (out []hook.Event, err error) {
	defer func() {
		if r := recover(); r != nil { // its words may quote what was fetched
			w.cfg.Logger.Error("mapping what was fetched panicked, and is given up", "source", e.GetSource(), "stack", string(debug.Stack()))
			w.count(e, useless)
			out, err = nil, nil
		}
	}()
	now := w.cfg.Now()
	agr, ok := w.cfg.Agreements.At(now)
	if !ok {
		return nil, bus.TryLater(w.slowly, errors.New("no agreement is in force"))
	}
	src, ok := agr.Source(e.GetSource())
	if !ok || src.Fetch == "" {
		return nil, nil // the agreement does not want it any more
	}
	b := w.budget(src.Name, w.fetchers[e.GetLeadReceived().GetFetch()].Pace(), now)
	if !b.enter(ctx) {
		return nil, ctx.Err()
	}
	defer b.leave()
	if err := b.turn(ctx, w.cfg.Now); err != nil {
		return nil, err
	}
	source := hook.New(agr, src)
	body, err := w.ask(ctx, b, source, e)
	if errors.Is(err, ErrGone) {
		w.count(e, gone)
		return nil, nil
	}
	if err == nil {
		var whole hook.Event
		if whole, err = source.Fetched(e, body, w.cfg.Now()); err == nil {
			w.count(e, fetched)
			return []hook.Event{whole}, nil
		}
		if w.strange(e) >= givesUp {
			w.count(e, useless)
			w.cfg.Logger.Error("what was fetched cannot be used, and is given up: the thin event stands", "source", src.Name, "error", err)
			return nil, nil
		}
	}
	var later bus.LaterError
	if ctx.Err() != nil || errors.As(err, &later) {
		return nil, err
	}
	w.count(e, failed)
	w.cfg.Logger.Warn("nothing was fetched; trying again", "source", src.Name, "tries", tries, "error", err)
	return nil, bus.TryLater(backoff(tries), err)
}

// ask asks the sender for a thing. When it wants to be left alone, or does not take the token, it is not asked at all for a while: bus.LaterError.
func (w *Worker) ask(ctx context.Context, b *budget, source *hook.Source, e *eventv1.Event) ([]byte, error) {
	rest := func(result string, d time.Duration, err error) error {
		w.count(e, result)
		b.rest(w.cfg.Now().Add(d))
		return bus.TryLater(d, err)
	}
	token, err := w.cfg.Secret(source.Fetch)
	if err != nil {
		w.cfg.Logger.Error("nothing is fetched for a source: its token cannot be had", "source", source.Name, "error", err)
		return nil, rest(tokenNot, w.slowly, err)
	}
	thin := e.GetLeadReceived()
	body, err := w.fetchers[thin.GetFetch()].Fetch(ctx, Wanted{ID: thin.GetExternalId(), Token: token, Properties: source.Asks()})
	var pause BusyError
	switch {
	case errors.Is(err, ErrRefused):
		w.cfg.Logger.Error("a source refuses the token that things are fetched with: give it another under fetch", "source", source.Name)
		return nil, rest(refused, w.slowly, err)
	case errors.As(err, &pause):
		return nil, rest(busy, pause.For, err)
	}
	return body, err
}

func (w *Worker) count(e *eventv1.Event, result string) {
	w.results.WithLabelValues(e.GetSource(), result).Inc()
}

// publish makes what was fetched durable, and remembers it.
func (w *Worker) publish(ctx context.Context, thin []*eventv1.Event, found [][]hook.Event) error {
	parts := map[int][]int{}
	for i, one := range found {
		for _, e := range one {
			p := event.Partition(e.Key, w.cfg.Bus.Partitions())
			parts[p] = append(parts[p], i)
		}
	}
	for p, places := range parts {
		data, id := event.AppendHead(nil), []string{"fetched"}
		for _, i := range places {
			data, id = event.AppendFrame(data, found[i][0].Wire), append(id, key(found[i][0].Event))
		}
		if err := w.cfg.Bus.Publish(ctx, event.Ingest, event.Message{Partition: p, Data: data}, event.DerivedID(id...)); err != nil {
			return err
		}
		w.mu.Lock()
		if len(w.had) > remembered {
			clear(w.had) // what is fetched again has the same id
		}
		for _, i := range places {
			w.had[key(thin[i])] = true
		}
		w.mu.Unlock()
	}
	return nil
}

// strange counts the answers about a thing that could not be used.
func (w *Worker) strange(e *eventv1.Event) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.odd) > remembered {
		clear(w.odd)
	}
	w.odd[key(e)]++
	return w.odd[key(e)]
}

func (w *Worker) budget(source string, pace Pace, now time.Time) *budget {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.budgets[source]
	if b == nil {
		b = newBudget(pace, now)
		w.budgets[source] = b
		for _, result := range []string{fetched, gone, busy, refused, failed, useless, tokenNot} {
			w.results.WithLabelValues(source, result)
		}
	}
	return b
}

// soonest is the error of those with the shortest pause: what must wait longer is told so again then.
func soonest(errs []error) error {
	var out error
	for _, err := range errs {
		var a, b bus.LaterError
		switch {
		case err == nil:
		case out == nil, errors.As(err, &a) && errors.As(out, &b) && a.After < b.After:
			out = err
		}
	}
	return out
}

// backoff doubles from a second, with half of it left to chance.
func backoff(tries int) time.Duration {
	d := min(time.Second<<min(tries-1, 20), slowest)
	return d/2 + rand.N(d/2) //nolint:gosec // spreads load, guards nothing
}
