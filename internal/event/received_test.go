package event_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// What is written without reflection is what reflection writes.
func TestMarshalWritesWhatReflectionWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := &eventv1.Event{}
		fill(t, e.ProtoReflect(), "body")
		received := &eventv1.LeadReceived{}
		fill(t, received.ProtoReflect(), "")
		e.Body = &eventv1.Event_LeadReceived{LeadReceived: received}
		got, err := event.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%x, and by reflection %x", got, want)
		}
	})
}

// fill sets fields at random, every one that the message has: one that is added to the contract and not written is found.
func fill(t *rapid.T, m protoreflect.Message, but protoreflect.Name) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && (o.Name() == but || rapid.Bool().Draw(t, "other")) || rapid.IntRange(0, 3).Draw(t, "set") == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for j := range rapid.IntRange(0, 30).Draw(t, "entries") {
				v := m.NewField(f).Map().NewValue()
				fill(t, v.Message(), "")
				m.Mutable(f).Map().Set(protoreflect.ValueOfString(fmt.Sprint(rapid.String().Draw(t, "key"), j)).MapKey(), v)
			}
		case f.IsList():
			for range rapid.IntRange(0, 5).Draw(t, "items") {
				fill(t, m.Mutable(f).List().AppendMutable().Message(), "")
			}
		case f.Kind() == protoreflect.MessageKind:
			fill(t, m.Mutable(f).Message(), "")
		default:
			m.Set(f, scalar(t, f))
		}
	}
}

func scalar(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "text"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "number"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "flag"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "whole"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(0, 3).Draw(t, "enum")))
	default:
		t.Fatalf("no way to fill a %s", f.Kind())
		return protoreflect.Value{}
	}
}
