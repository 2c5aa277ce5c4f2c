package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func agreements(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	version := func(n int) *eventv1.Event {
		hash := fmt.Sprintf("hash-%d", n)
		return &eventv1.Event{
			Id: hash, Source: event.Compliance, OccurredAt: int64(n),
			Body: &eventv1.Event_AgreementActivated{AgreementActivated: &eventv1.AgreementActivated{Hash: hash, Text: []byte("pools:")}},
		}
	}
	if err := b.PublishAgreement(t.Context(), first(batch(0, 1))[0]); err == nil {
		t.Error("an event that is no agreement was taken")
	}
	for n := range 3 {
		if err := b.PublishAgreement(t.Context(), version(n)); err != nil {
			t.Fatal(err)
		}
	}
	watch := func(b *bus.Bus, until int) []string {
		t.Helper()
		enough := errors.New("enough")
		var got []string
		err := b.WatchAgreements(t.Context(), func(e *eventv1.Event) error {
			got = append(got, e.GetAgreementActivated().GetHash())
			if len(got) == 3 && until > 3 { // live ones follow those from the beginning
				for n := 3; n < until; n++ {
					if err := b.PublishAgreement(t.Context(), version(n)); err != nil {
						return err
					}
				}
			}
			if len(got) == until {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Errorf("watch ended with %v, want its function's error", err)
		}
		return got
	}
	want := []string{"hash-0", "hash-1", "hash-2", "hash-3", "hash-4"}
	if got := watch(b, 5); !slices.Equal(got, want) {
		t.Errorf("watched %v, want %v", got, want)
	}
	// Who comes later, with another connection, still learns all of them.
	if got := watch(declared(t, s.Config()), 5); !slices.Equal(got, want) {
		t.Errorf("watched %v later, want %v", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.WatchAgreements(ctx, func(*eventv1.Event) error { cancel(); return nil }); err != nil {
		t.Errorf("watch ended with %v when its context did", err)
	}
}

func tap(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	before, _ := batch(0, 20)
	publish(t, b, event.Handoff, before, 5)

	sources := []string{event.Ingest, event.Handoff}
	tapped, err := b.Attach(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	events, ids := batch(20, 220)
	publish(t, b, event.Ingest, events[:100], 3)
	publish(t, b, event.Handoff, events[100:], 3)

	// Everyone else is done before the referee begins to look.
	for _, role := range []string{event.Scoring, event.Compliance} {
		consume(t, b, role, newRecorder())
	}
	emptied(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	var mu sync.Mutex
	err = tapped.Run(ctx, func(producer string, partition int, es []*eventv1.Event, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range es {
			if want := event.Partition(e.GetLead(), b.Partitions()); partition != want || at.IsZero() || !slices.Contains(sources, producer) {
				t.Errorf("event %s: producer %q, partition %d, at %v", e.GetId(), producer, partition, at)
			}
			got = append(got, e.GetId())
		}
		if len(got) == len(ids) {
			cancel()
		}
	})
	if err != nil {
		t.Errorf("tap: %v", err)
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		t.Errorf("the tap saw %d events, want each of %d once and none from before", len(got), len(ids))
	}

	// It left: only the roles' consumers stand, and nothing that others acknowledge stays.
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the tap's own consumers are gone", func() error { // a cluster's server may learn of it a moment later
		stream, err := js.Stream(t.Context(), "LEADPACT_INGEST")
		if err != nil {
			return err
		}
		if got, want := stream.CachedInfo().State.Consumers, 2*b.Partitions(); got != want {
			return fmt.Errorf("%d consumers stand after the tap left, want %d", got, want)
		}
		return nil
	})
	more, _ := batch(220, 240)
	publish(t, b, event.Ingest, more, 5)
	emptied(t, b)
	Eventually(t, "the stream is empty", func() error {
		usage, err := b.Usage(t.Context())
		if err == nil && usage[event.Ingest].Bytes > 0 {
			err = errors.New("it still holds messages")
		}
		return err
	})
	if _, err := b.Attach(t.Context(), []string{"nobody"}); err == nil {
		t.Error("an unknown producer was tapped")
	}
}

func largeBatch(t *testing.T, s *Site) {
	b := declared(t, onePartition(s))
	events, ids := batch(0, 60)
	for _, e := range events {
		e.GetLeadActivity().Reason = strings.Repeat("x", 200<<10)
	}
	whole, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: events}) // 12 MB in one message, as no packing makes it
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), event.Scoring, event.Message{Data: whole}, "whole"); err != nil {
		t.Fatalf("publish: %v", err)
	}
	r := newRecorder()
	consume(t, b, event.Handoff, r)
	r.waitFor(t, ids)
	r.checkOnce(t, ids)
	r.checkOrder(t)

	one, _ := batch(60, 61)
	one[0].GetLeadActivity().Reason = strings.Repeat("x", 9<<20)
	packed, err := event.Pack(one, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), event.Scoring, packed[0], "large"); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("publish 9 MB in one event: %v, want ErrTooLarge", err)
	}
}
