// Package bustest is the suite that every way to run the bus passes, and the clusters that it runs on.
package bustest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// quickly is how soon the door must learn that a message was not taken: a second, and what a busy machine adds.
const quickly = 2 * time.Second

// Site is a place without streams where a bus can be opened.
type Site struct {
	// Config reaches the site as it stands now; cases change their copy.
	Config func() bus.Config
	// Connect is a plain connection that knows nothing of the bus.
	Connect func(t testing.TB) *nats.Conn
	// Restart ends the server that leads the streams as hard as the site can, and brings it back.
	Restart func(t testing.TB)
	// Stop takes NATS away for good.
	Stop func(t testing.TB)
}

// Exercise runs every case on a site of its own: first, one by one, those that stop servers, which other sites may share; then
// the others side by side.
func Exercise(t *testing.T, start func(t *testing.T) *Site) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *Site)
		stop bool
	}{
		{"each role gets each event once and in order", eachRoleOnce, false},
		{"nothing acknowledged is dropped while streams are being declared", nothingDroppedWhileDeclaring, false},
		{"declaring twice or with other partitions", declareAgain, false},
		{"a failed apply comes again and is not quarantined", failedApplyComesAgain, false},
		{"one poisoned event among 200", poison, false},
		{"a panicking handler", panicking, false},
		{"messages that cannot be read are quarantined whole", unreadable, false},
		{"a full stream refuses quickly and recovers by itself", fullStream, false},
		{"a killed owner's partitions are taken over", takeOver, false},
		{"a rival that is pinned early waits for what a killed owner held", pinnedEarly, false},
		{"a delivery that was lost on its way comes again in its order", lostDelivery, false},
		{"a draining owner hands over at once", drain, false},
		{"an owner keeps its partition through slow work", slowWork, false},
		{"a restart loses nothing that was acknowledged", restart, true},
		{"NATS is away", away, true},
		{"agreements are kept for ever", agreements, false},
		{"a tap sees everything and holds nothing back", tap, false},
		{"errands wait without holding up others", errands, false},
		{"a source that cannot be asked fills its own part", errandsOfOneSource, false},
		{"errands of an older stream are done", errandsDeclaredAgain, false},
		{"a batch larger than the server takes", largeBatch, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.stop {
				t.Parallel()
			}
			c.run(t, start(t))
		})
	}
}

// open opens a bus; the test's end closes it.
func open(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	b, err := bus.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.Close(ctx) // most cases closed it already, some by force
	})
	return b
}

// declared opens a bus and declares its streams.
func declared(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	b := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Declare(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

// kill ends a bus as a killed process does: without a word.
func kill(t testing.TB, b *bus.Bus) {
	t.Helper()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Close(over); err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB, what string, limit time.Duration, f func() error) error {
	t.Helper()
	began := time.Now()
	err := f()
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %v, want at most %v", what, took, limit)
	}
	return err
}

// emptied waits until every consumer has acknowledged everything.
func emptied(t testing.TB, b *bus.Bus) {
	t.Helper()
	Eventually(t, "nothing is left to consume", func() error {
		lag, err := b.Lag(t.Context())
		if err != nil {
			return err
		}
		for name, n := range lag {
			if n > 0 {
				return errors.New(name + " is behind")
			}
		}
		return nil
	})
}

func eachRoleOnce(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	if err := b.Ready(t.Context()); err != nil {
		t.Fatalf("not ready: %v", err)
	}
	recorders := map[string]*recorder{event.Scoring: newRecorder(), event.Handoff: newRecorder(), event.Compliance: newRecorder()}

	// Half before anyone consumes, half while they do.
	events, ids := batch(0, 1200)
	publish(t, b, event.Ingest, events[:600], 1)
	for role, r := range recorders {
		consume(t, b, role, r)
	}
	publish(t, b, event.Ingest, events[600:], 100)
	publish(t, b, event.Ingest, events[600:], 100) // the same ids at once again are stored once
	for _, role := range []string{event.Scoring, event.Compliance} {
		recorders[role].waitFor(t, ids)
		recorders[role].checkOnce(t, ids)
		recorders[role].checkOrder(t)
		recorders[role].checkNoQuarantine(t)
	}
	recorders[event.Handoff].checkOnce(t, nil)

	emptied(t, b)
	Eventually(t, "the stream is empty", func() error {
		usage, err := b.Usage(t.Context())
		if err == nil && usage[event.Ingest].Bytes != 0 {
			err = errors.New("the stream still holds messages that everyone acknowledged")
		}
		return err
	})
	for _, size := range recorders[event.Scoring].sizes {
		if size > 500 {
			t.Errorf("an Apply had %d events", size)
		}
	}
}

// failedApplyComesAgain fails more often than halving the batch would take to single out one event: were a passing error taken
// for a permanent one, something would be in quarantine.
func failedApplyComesAgain(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	events, ids := batch(0, 16)
	publish(t, b, event.Scoring, events, 16)

	const times = 6
	r := newRecorder()
	failures := map[int]int{}
	r.before = failFirst(failures, times)
	consume(t, b, event.Handoff, r)
	r.waitFor(t, ids)
	r.checkOnce(t, ids)
	r.checkOrder(t)
	r.checkNoQuarantine(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.applied {
		if failures[p] != times {
			t.Errorf("partition %d failed %d times, want %d", p, failures[p], times)
		}
	}
}

func restart(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	events, ids := batch(0, 200)
	publish(t, b, event.Ingest, events, 5)
	kill(t, b)
	s.Restart(t)

	b = declared(t, s.Config())
	r := newRecorder()
	consume(t, b, event.Scoring, r)
	r.waitFor(t, ids)
	r.checkOnce(t, ids)
	r.checkOrder(t)
}

func away(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	r := newRecorder()
	stop := consume(t, b, event.Scoring, r)
	events, ids := batch(0, 10)
	publish(t, b, event.Ingest, events, 10)
	r.waitFor(t, ids)

	s.Stop(t)
	packed, err := event.Pack(events, b.Partitions())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		err := within(t, "a publish while NATS is away", quickly, func() error {
			return b.Publish(t.Context(), event.Ingest, packed[0], "away")
		})
		if !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("publish %d while NATS is away: %v, want ErrUnavailable", i, err)
		}
	}
	probe, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := within(t, "asking for readiness", quickly, func() error { return b.Ready(probe) }); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("ready while NATS is away: %v, want ErrUnavailable", err)
	}
	if err := within(t, "stopping a consumer while NATS is away", 10*time.Second, stop); err != nil {
		t.Errorf("Consume: %v", err)
	}
	if err := b.Consume(t.Context(), "nobody", r); err == nil {
		t.Error("an unknown role was taken")
	}
}

// failFirst fails the first n Applies of each partition in passing; it counts them in failures.
func failFirst(failures map[int]int, n int) func(context.Context, int, []*eventv1.Event) error {
	var mu sync.Mutex
	return func(_ context.Context, p int, _ []*eventv1.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if failures[p] < n {
			failures[p]++
			return errors.New("the database is away")
		}
		return nil
	}
}
