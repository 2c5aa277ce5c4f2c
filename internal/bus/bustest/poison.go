package bustest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// onePartition makes every case with an order over all events readable.
func onePartition(s *Site) bus.Config {
	cfg := s.Config()
	cfg.Partitions = 1
	return cfg
}

func holds(events []*eventv1.Event, id string) bool {
	return slices.ContainsFunc(events, func(e *eventv1.Event) bool { return e.GetId() == id })
}

func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(x string) bool { return x == id })
}

func poison(t *testing.T, s *Site) {
	b := declared(t, onePartition(s))
	events, ids := batch(0, 200)
	publish(t, b, event.Ingest, events, 50)

	const bad = "137"
	r := newRecorder()
	calls := 0
	r.before = func(_ context.Context, _ int, es []*eventv1.Event) error {
		calls++ // one partition: one Apply at a time
		if calls%3 == 0 {
			return errors.New("the database is away") // passing failures in the middle change nothing
		}
		if holds(es, bad) {
			return bus.Permanent(errors.New("no such stage"))
		}
		return nil
	}
	stop := consume(t, b, event.Scoring, r)
	r.waitFor(t, without(ids, bad))
	r.wait(t, "the poison is in quarantine", func() bool { return len(r.quarantined) > 0 })
	lagged(t, b, "scoring-ingest-0")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r.checkOnce(t, without(ids, bad))
	r.checkOrder(t)
	if len(r.quarantined) != 1 {
		t.Fatalf("%d rows in quarantine, want 1", len(r.quarantined))
	}
	row := r.quarantined[0]
	var raw eventv1.Event
	if err := proto.Unmarshal(row.Raw, &raw); err != nil || !proto.Equal(&raw, events[137]) {
		t.Errorf("the raw bytes are not the event: %v", err)
	}
	if row.Kind != store.PoisonEvent || row.Stream != "LEADPACT_INGEST" || row.Source != "form" || row.EventID != bad || !strings.Contains(row.Reason, "no such stage") ||
		row.Attempts < 2 || row.Key != event.DerivedID("LEADPACT_INGEST", "form", bad, string(row.Raw)) || row.At.IsZero() {
		t.Errorf("the row is not the event's: stream %q source %q id %q reason %q attempts %d", row.Stream, row.Source, row.EventID, row.Reason, row.Attempts)
	}
}

func panicking(t *testing.T, s *Site) {
	b := declared(t, onePartition(s))
	events, ids := batch(0, 20)
	publish(t, b, event.Ingest, events, 20)

	const bad = "7"
	r := newRecorder()
	r.before = func(_ context.Context, _ int, es []*eventv1.Event) error {
		if holds(es, bad) {
			panic("index out of range")
		}
		return nil
	}
	consume(t, b, event.Scoring, r)
	r.waitFor(t, without(ids, bad))
	r.wait(t, "the poison is in quarantine", func() bool { return len(r.quarantined) == 1 && r.quarantined[0].EventID == bad })
	r.checkOrder(t)
}

func unreadable(t *testing.T, s *Site) {
	b := declared(t, onePartition(s))
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	future, err := proto.Marshal(&eventv1.Batch{Major: event.Major + 1, Events: first(batch(100, 103))})
	if err != nil {
		t.Fatal(err)
	}
	garbage := []byte("\xff\xff not protobuf")
	events, ids := batch(0, 20)
	publish(t, b, event.Ingest, events[:10], 10)
	for _, data := range [][]byte{future, garbage} {
		if _, err := js.Publish(t.Context(), "leadpact.ingest.0", data); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, b, event.Ingest, events[10:], 10)

	r := newRecorder()
	consume(t, b, event.Scoring, r)
	r.waitFor(t, ids)
	r.wait(t, "both messages are in quarantine", func() bool { return len(r.quarantined) >= 2 })
	lagged(t, b, "scoring-ingest-0")
	r.checkOnce(t, ids)
	r.checkOrder(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, want := range [][]byte{future, garbage} {
		if row := r.quarantined[i]; row.Kind != store.PoisonMessage || !bytes.Equal(row.Raw, want) || row.Reason == "" || row.EventID != "" || row.Attempts < 1 {
			t.Errorf("row %d: %d raw bytes, reason %q, event %q, %d attempts", i, len(row.Raw), row.Reason, row.EventID, row.Attempts)
		}
	}
	if !strings.Contains(r.quarantined[0].Reason, "major") {
		t.Errorf("the reason does not name the major: %q", r.quarantined[0].Reason)
	}
	if r.quarantined[0].Key == r.quarantined[1].Key {
		t.Error("two messages have one key")
	}
}

// lagged waits until one consumer has acknowledged everything.
func lagged(t testing.TB, b *bus.Bus, consumer string) {
	t.Helper()
	Eventually(t, consumer+" has acknowledged everything", func() error {
		lag, err := b.Lag(t.Context())
		if err == nil && lag[consumer] > 0 {
			err = errors.New("it is behind")
		}
		return err
	})
}
