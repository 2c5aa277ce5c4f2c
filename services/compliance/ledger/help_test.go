package ledger

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// bodies are the fields of an event of which each makes it another type.
func bodies() []protoreflect.FieldDescriptor {
	fields := (&eventv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	var out []protoreflect.FieldDescriptor
	for i := range fields.Len() {
		out = append(out, fields.Get(i))
	}
	return out
}

// filler decides what stands in a field. It is given the field's path within the event.
type filler interface {
	text(path string) string
	number(path string) int64
	flag(path string) bool
	// arm picks one of the n fields of a oneof.
	arm(path string, n int) int
}

// fill sets every field of an event that has this body: lists and maps get one entry, a oneof one of its fields.
func fill(body protoreflect.FieldDescriptor, f filler) *eventv1.Event {
	e := &eventv1.Event{}
	m := e.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.ContainingOneof() == nil {
			m.Set(field, value(m, field, string(field.Name()), f))
		}
	}
	inner := m.NewField(body)
	fillMessage(inner.Message(), "", f)
	m.Set(body, inner)
	return e
}

func fillMessage(m protoreflect.Message, path string, f filler) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if one := field.ContainingOneof(); one != nil {
			if one.Fields().Get(f.arm(path, one.Fields().Len())).Number() != field.Number() {
				continue
			}
		}
		m.Set(field, value(m, field, join(path, field), f))
	}
}

func join(path string, field protoreflect.FieldDescriptor) string {
	if path == "" {
		return "." + string(field.Name())
	}
	return path + "." + string(field.Name())
}

func value(m protoreflect.Message, field protoreflect.FieldDescriptor, path string, f filler) protoreflect.Value {
	switch {
	case field.IsMap():
		v := m.NewField(field)
		item := v.Map().NewValue()
		if field.MapValue().Message() != nil {
			fillMessage(item.Message(), path, f)
		} else {
			item = single(field.MapValue(), path, f)
		}
		v.Map().Set(protoreflect.ValueOfString(f.text(path+".key")).MapKey(), item)
		return v
	case field.IsList():
		v := m.NewField(field)
		if field.Message() != nil {
			item := v.List().NewElement()
			fillMessage(item.Message(), path, f)
			v.List().Append(item)
		} else {
			v.List().Append(single(field, path, f))
		}
		return v
	case field.Message() != nil:
		v := m.NewField(field)
		fillMessage(v.Message(), path, f)
		return v
	}
	return single(field, path, f)
}

func single(field protoreflect.FieldDescriptor, path string, f filler) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.text(path))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.text(path)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.flag(path))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(f.number(path))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(f.number(path)))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(f.number(path)))
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(int(uint64(f.number(path)) % uint64(values.Len()))).Number())
	default:
		panic(fmt.Sprintf("field %s is of a kind that the tests do not fill: %s", path, field.Kind()))
	}
}

// drawn fills by rapid's choice.
type drawn struct{ t *rapid.T }

func (d drawn) text(path string) string {
	if path == "id" || path == "source" || path == ".clock.id" {
		return rapid.StringMatching(`[a-z0-9/~]{1,8}`).Draw(d.t, path)
	}
	return rapid.SampledFrom([]string{"", "a", "b", "fünf, sechs", "x=y", "50%", "%2C"}).Draw(d.t, path)
}

func (d drawn) number(path string) int64 { return rapid.Int64Range(0, 1<<50).Draw(d.t, path) }
func (d drawn) flag(path string) bool    { return rapid.Bool().Draw(d.t, path) }
func (d drawn) arm(path string, n int) int {
	return rapid.IntRange(0, n-1).Draw(d.t, path+" arm")
}

// anyEvent draws an event of any type.
func anyEvent(t *rapid.T) *eventv1.Event {
	return fill(rapid.SampledFrom(bodies()).Draw(t, "body"), drawn{t})
}

// lineOf is Line of an event that it must not refuse.
func lineOf(t rapid.TB, e *eventv1.Event) store.Entry {
	t.Helper()
	line, err := Line(e)
	if err != nil {
		t.Fatal(err)
	}
	return line
}
