package event_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestPackKeepsTheOrderOfALeadAndLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		partitions := rapid.IntRange(1, 9).Draw(t, "partitions")
		leads := rapid.SliceOf(rapid.StringMatching(`[a-d]`)).Draw(t, "leads")
		var events []*eventv1.Event
		for i, l := range leads {
			events = append(events, &eventv1.Event{Lead: l, OccurredAt: int64(i)})
		}
		messages, err := event.Pack(events, partitions)
		if err != nil {
			t.Fatal(err)
		}
		seen, last := 0, map[string]int64{}
		for _, m := range messages {
			unpacked, err := event.Unpack(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range unpacked {
				seen++
				if event.Partition(e.GetLead(), partitions) != m.Partition {
					t.Fatalf("lead %q in partition %d", e.GetLead(), m.Partition)
				}
				if before, ok := last[e.GetLead()]; ok && before >= e.GetOccurredAt() {
					t.Fatalf("lead %q: %d came after %d", e.GetLead(), e.GetOccurredAt(), before)
				}
				last[e.GetLead()] = e.GetOccurredAt()
			}
		}
		if seen != len(events) {
			t.Fatalf("%d events in, %d out", len(events), seen)
		}
	})
}

func TestUnpackRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	newer, err := proto.Marshal(&eventv1.Batch{Major: event.Major + 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"newer major": newer, "no major": {}, "garbage": {0xff, 0xff, 0xff}} {
		if _, err := event.Unpack(data); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestDerivedIDTellsPartsApart(t *testing.T) {
	t.Parallel()
	if event.DerivedID("ab", "c") == event.DerivedID("a", "bc") {
		t.Error("the border between parts does not count")
	}
	if first, again := event.DerivedID("a", "b"), event.DerivedID("a", "b"); first != again {
		t.Error("the same parts give another id")
	}
}

// Every body that the schema knows has a name; a new one without a name would vanish from metrics and the ledger.
func TestEveryBodyHasAType(t *testing.T) {
	t.Parallel()
	fields := (&eventv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	names := map[string]bool{}
	for i := range fields.Len() {
		f := fields.Get(i)
		var raw []byte
		raw = protowire.AppendTag(raw, f.Number(), protowire.BytesType)
		raw = protowire.AppendBytes(raw, nil)
		var e eventv1.Event
		if err := proto.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		name := event.Type(&e)
		if name == "" || names[name] {
			t.Errorf("%s has the type %q", f.Name(), name)
		}
		names[name] = true
	}
}
