package bustest_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := bustest.Cluster(t)
	bustest.Exercise(t, func(t *testing.T) *bustest.Site { return cluster.Site(t) })
	t.Run("what is not proved durable is not ready", func(t *testing.T) {
		t.Parallel()
		unproven(t, cluster.Site(t).Config())
	})
}

func unproven(t *testing.T, cfg bus.Config) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	try := func(what string, change func(*bus.Config), ready bool) {
		t.Helper()
		cfg := cfg
		change(&cfg)
		b := openBus(t, cfg)
		if err := b.Declare(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := b.Ready(ctx); (err == nil) != ready {
			t.Errorf("%s: ready is %v, want %v", what, err, ready)
		}
	}
	try("all servers asked", func(*bus.Config) {}, true)
	try("no server asked", func(c *bus.Config) { c.MonitorURLs = nil }, false)
	try("one server not asked", func(c *bus.Config) { c.MonitorURLs = c.MonitorURLs[1:] }, false)
	try("one server asked three times", func(c *bus.Config) {
		u := c.MonitorURLs[0]
		c.MonitorURLs = []string{u, u, u}
	}, false)
	try("the risk accepted", func(c *bus.Config) { c.MonitorURLs, c.DurabilityUnproven = nil, true }, true)
}

// TestClusterKilled kills the leader of the stream, and later all servers at once, while one publisher and two replicas work. What
// was acknowledged must be applied, in order, and Consume must not return.
func TestClusterKilled(t *testing.T) {
	t.Parallel()
	cluster := bustest.Cluster(t)
	site := cluster.Site(t)
	cfg := site.Config()
	const n = 400
	l := &ledger{first: map[int][]int{}, seen: map[int]bool{}, acting: map[int]int{}, changed: make(chan struct{}, 1)}
	publisher := openBus(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := publisher.Declare(ctx); err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	consuming, stop := context.WithCancel(ctx)
	for range 2 {
		b := openBus(t, cfg)
		working.Go(func() {
			if err := b.Consume(consuming, event.Scoring, l); err != nil || consuming.Err() == nil {
				t.Errorf("Consume returned while servers were killed: %v", err)
			}
		})
	}
	killed := -1
	for i := range n {
		switch i {
		case n / 4:
			killed = cluster.Leader(t, site)
			cluster.Kill(t, killed)
		case n/4 + 50: // the other two have elected a leader and taken events
			cluster.Start(t, killed)
		case n / 2:
			bustest.Eventually(t, "the cluster is whole again", func() error { return publisher.Ready(ctx) })
			for s := range 3 {
				cluster.Kill(t, s)
			}
			for s := range 3 {
				cluster.Start(t, s)
			}
		}
		data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: []*eventv1.Event{{Id: strconv.Itoa(i), Source: "form"}}})
		if err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, "event "+strconv.Itoa(i)+" is acknowledged", func() error {
			began := time.Now()
			err := publisher.Publish(ctx, event.Ingest, event.Message{Partition: i % 2, Data: data}, "m"+strconv.Itoa(i))
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a publish took %v", took)
			}
			if err != nil && !errors.Is(err, bus.ErrUnavailable) {
				t.Errorf("publish: %v", err)
			}
			return err
		})
	}
	for l.count() < n {
		select {
		case <-l.changed:
		case <-ctx.Done():
			t.Fatalf("%d of %d acknowledged events were applied", l.count(), n)
		}
	}
	stop()
	working.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, ids := range l.first {
		for i := 1; i < len(ids); i++ {
			if ids[i] < ids[i-1] {
				t.Errorf("partition %d: event %d was applied after event %d", p, ids[i], ids[i-1])
			}
		}
	}
	if l.overlaps > 0 {
		t.Errorf("two replicas acted on one partition %d times", l.overlaps)
	}
	t.Logf("%d events applied again", l.again)
}

// ledger remembers the order in which events were first applied.
type ledger struct {
	changed chan struct{}

	mu       sync.Mutex
	first    map[int][]int
	seen     map[int]bool
	acting   map[int]int
	overlaps int
	again    int
}

func (l *ledger) Apply(_ context.Context, partition int, events []*eventv1.Event) error {
	l.mu.Lock()
	l.acting[partition]++
	if l.acting[partition] > 1 {
		l.overlaps++
	}
	l.mu.Unlock()
	commit := time.NewTimer(time.Millisecond) // what a transaction takes
	<-commit.C
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acting[partition]--
	for _, e := range events {
		id, err := strconv.Atoi(e.GetId())
		if err != nil {
			return bus.Permanent(err)
		}
		if l.seen[id] {
			l.again++
			continue
		}
		l.seen[id] = true
		l.first[partition] = append(l.first[partition], id)
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return nil
}

func (l *ledger) Quarantine(context.Context, []store.Quarantined) error {
	return errors.New("nothing here is poison")
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

func openBus(t *testing.T, cfg bus.Config) *bus.Bus {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := bus.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}
