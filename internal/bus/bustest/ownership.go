package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// takeOverWithin is the time until a killed owner's pin and deliveries lapse, five seconds, and what a busy machine adds.
const takeOverWithin = 15 * time.Second

// handOverWithin is below the time in which a pin or a delivery lapses: an owner that drains gives both back.
const handOverWithin = 4 * time.Second

// takeOver kills the owner in the middle of an Apply while its rival waits and while publishing goes on. Order, at the rival,
// must begin where the killed owner's last acknowledged event ended.
func takeOver(t *testing.T, s *Site) { killOwner(t, s, func() {}) }

// pinnedEarly takes the killed owner's pin away before its deliveries lapse, as a change of the server's leader does: the rival
// is sent what follows first.
func pinnedEarly(t *testing.T, s *Site) {
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	killOwner(t, s, func() {
		stream, err := js.Stream(t.Context(), "LEADPACT_INGEST")
		if err == nil {
			err = stream.UnpinConsumer(t.Context(), "scoring-ingest-0", "owner")
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func killOwner(t *testing.T, s *Site, killed func()) {
	cfg := onePartition(s)
	publisher := declared(t, cfg)
	ledger := newRecorder() // what both replicas committed

	entered := make(chan string, 16)
	var gate sync.Map // replica → closed: it may go on
	replica := func(name string) (*bus.Bus, bus.Handler) {
		return declared(t, cfg), gated{ledger, func(ctx context.Context, events []*eventv1.Event) error {
			if !holds(events, "150") {
				return nil
			}
			if _, waits := gate.LoadOrStore("taken", name); waits {
				return nil // the second to get here is the rival
			}
			entered <- name
			<-ctx.Done() // held until killed
			return ctx.Err()
		}}
	}
	buses := map[string]*bus.Bus{}
	for _, name := range []string{"a", "b"} {
		b, h := replica(name)
		buses[name] = b
		consume(t, b, event.Scoring, h)
	}
	events, ids := batch(0, 300)
	publish(t, publisher, event.Ingest, events[:200], 10)

	var owner string
	select {
	case owner = <-entered:
	case <-time.After(patience):
		t.Fatal("nobody came to event 150")
	}
	publish(t, publisher, event.Ingest, events[200:], 10)
	began := time.Now()
	kill(t, buses[owner])
	killed()
	ledger.waitFor(t, ids)
	if took := time.Since(began); took > takeOverWithin {
		t.Errorf("the take-over lasted %v, want at most %v", took, takeOverWithin)
	} else {
		t.Logf("the take-over lasted %v", took.Round(10*time.Millisecond))
	}
	ledger.checkOrder(t)
	ledger.checkOnce(t, ids) // the killed Apply did not commit, and all before it had time to be acknowledged
	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	if ledger.overlaps > 0 {
		t.Errorf("two replicas acted on one partition %d times", ledger.overlaps)
	}
}

// lostDelivery takes some deliveries off the wire, by a pull that bears the owner's pin and drops what it gets.
func lostDelivery(t *testing.T, s *Site) {
	b := declared(t, onePartition(s))
	r := newRecorder()
	consume(t, b, event.Scoring, r)
	events, ids := batch(0, 200)
	publish(t, b, event.Ingest, events[:10], 1)
	r.waitFor(t, ids[:10])

	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cons, err := js.Consumer(t.Context(), "LEADPACT_INGEST", "scoring-ingest-0")
	if err != nil {
		t.Fatal(err)
	}
	pin := cons.CachedInfo().PriorityGroups[0].PinnedClientID
	inbox := nc.NewInbox()
	stolen, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	pull := fmt.Sprintf(`{"batch":5,"expires":60000000000,"group":"owner","id":%q}`, pin)
	if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.LEADPACT_INGEST.scoring-ingest-0", inbox, []byte(pull)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, b, event.Ingest, events[10:], 1)
	if m, err := stolen.NextMsgWithContext(t.Context()); err != nil || len(m.Data) == 0 {
		t.Fatalf("nothing was taken off the wire: %v", err)
	}
	r.waitFor(t, ids)
	r.checkOnce(t, ids)
	r.checkOrder(t)
}

// gated asks pass before it lets the recorder apply.
type gated struct {
	*recorder
	pass func(ctx context.Context, events []*eventv1.Event) error
}

func (g gated) Apply(ctx context.Context, partition int, events []*eventv1.Event) error {
	if err := g.pass(ctx, events); err != nil {
		return err
	}
	return g.recorder.Apply(ctx, partition, events)
}

// drain stops consumers one after another while events flow; each event is applied once, because a drained owner acknowledges
// what it finished and gives back what it did not.
func drain(t *testing.T, s *Site) {
	cfg := s.Config()
	publisher := declared(t, cfg)
	ledger := newRecorder()
	busy := make(chan struct{}, 1)
	hold := make(chan struct{})
	r := gated{ledger, func(_ context.Context, events []*eventv1.Event) error {
		if holds(events, "0") {
			busy <- struct{}{}
			<-hold // longer than the stop that is asked for meanwhile
		}
		return nil
	}}
	events, ids := batch(0, 600)
	publish(t, publisher, event.Ingest, events[:300], 7)

	a := declared(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() { returned <- a.Consume(ctx, event.Scoring, r) }()
	select {
	case <-busy:
	case <-time.After(patience):
		t.Fatal("the batch did not come")
	}
	// More waits behind the batch in hand, so that there is something to give back.
	publish(t, publisher, event.Ingest, events[300:400], 7)
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	held := fmt.Sprintf("scoring-ingest-%d", event.Partition("lead-0", cfg.Partitions))
	Eventually(t, "the owner holds more than it applies", func() error {
		cons, err := js.Consumer(t.Context(), "LEADPACT_INGEST", held)
		if err == nil && cons.CachedInfo().NumPending > 0 {
			err = errors.New("not all is delivered")
		}
		return err
	})
	cancel()
	select {
	case err := <-returned:
		t.Fatalf("Consume returned in the middle of a batch: %v", err)
	default:
	}
	stopped := time.Now()
	close(hold)
	if err := <-returned; err != nil {
		t.Fatalf("Consume: %v", err)
	}
	ledger.mu.Lock()
	if !slices.Contains(ledger.applied[event.Partition("lead-0", cfg.Partitions)], "0") {
		t.Error("the batch in hand was not finished")
	}
	ledger.mu.Unlock()

	b := declared(t, cfg)
	consume(t, b, event.Scoring, ledger)
	publish(t, publisher, event.Ingest, events[400:], 7)
	ledger.waitFor(t, ids)
	if took := time.Since(stopped); took > handOverWithin {
		t.Errorf("the hand-over lasted %v, want at most %v", took, handOverWithin)
	} else {
		t.Logf("the hand-over lasted %v", took.Round(10*time.Millisecond))
	}
	ledger.checkOnce(t, ids)
	ledger.checkOrder(t)
}

// slowWork applies one batch for longer than a pin and an unrenewed delivery last; nobody else may get it meanwhile.
func slowWork(t *testing.T, s *Site) {
	cfg := onePartition(s)
	publisher := declared(t, cfg)
	ledger := newRecorder()
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	ledger.before = func(ctx context.Context, _ int, _ []*eventv1.Event) error {
		var err error
		once.Do(func() {
			work := time.NewTimer(7 * time.Second) // the work itself
			defer work.Stop()
			select {
			case <-work.C:
			case <-ctx.Done():
				err = fmt.Errorf("slow work was taken away: %w", ctx.Err())
			}
			cons, ask := js.Consumer(ctx, "LEADPACT_INGEST", "scoring-ingest-0")
			if ask != nil {
				t.Error(ask)
			} else if n := cons.CachedInfo().NumRedelivered; n > 0 {
				t.Errorf("%d messages were delivered again during slow work", n)
			}
		})
		return err
	}
	for range 2 {
		consume(t, declared(t, cfg), event.Scoring, ledger)
	}
	events, ids := batch(0, 50)
	publish(t, publisher, event.Ingest, events, 5)
	ledger.waitFor(t, ids)
	lagged(t, publisher, "scoring-ingest-0")
	ledger.checkOnce(t, ids)
	ledger.checkOrder(t)
	ledger.mu.Lock()
	defer ledger.mu.Unlock()
	if ledger.overlaps > 0 {
		t.Errorf("two replicas acted on one partition %d times", ledger.overlaps)
	}
}

func fullStream(t *testing.T, s *Site) {
	cfg := onePartition(s)
	cfg.MaxBytes = 128 << 10
	b := declared(t, cfg)
	var acked []string
	fill := func() error {
		for {
			if len(acked) > 100_000 {
				return errors.New("it never fills")
			}
			events, ids := batch(len(acked), len(acked)+20)
			packed, err := event.Pack(events, 1)
			if err != nil {
				return err
			}
			err = within(t, "a publish to a stream that fills", quickly, func() error {
				return b.Publish(t.Context(), event.Ingest, packed[0], ids[0])
			})
			if err != nil {
				return err
			}
			acked = append(acked, ids...)
		}
	}
	if err := fill(); !errors.Is(err, bus.ErrFull) {
		t.Fatalf("publish to a full stream: %v, want ErrFull", err)
	}
	if err := b.Ready(t.Context()); !errors.Is(err, bus.ErrFull) {
		t.Errorf("ready with a full stream: %v, want ErrFull", err)
	}
	scoring, compliance := newRecorder(), newRecorder()
	consume(t, b, event.Scoring, scoring)
	scoring.waitFor(t, acked)
	if err := fill(); !errors.Is(err, bus.ErrFull) {
		t.Errorf("publish while one role has not consumed: %v, want ErrFull", err)
	}
	consume(t, b, event.Compliance, compliance)
	compliance.waitFor(t, acked)

	events, ids := batch(len(acked), len(acked)+20)
	Eventually(t, "there is room again", func() error {
		packed, err := event.Pack(events, 1)
		if err != nil {
			return err
		}
		return b.Publish(t.Context(), event.Ingest, packed[0], ids[0])
	})
	acked = append(acked, ids...)
	for _, r := range []*recorder{scoring, compliance} {
		r.waitFor(t, acked)
		r.checkOnce(t, acked)
		r.checkOrder(t)
	}
	Eventually(t, "the bus is ready again", func() error { return b.Ready(t.Context()) })
}
