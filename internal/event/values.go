package event

import eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"

// Values are what an event says of fields, by their names: string, float64 or bool. A value of a kind that this program does not know
// is left out.
func Values(fields map[string]*eventv1.Value) map[string]any {
	out := make(map[string]any, len(fields))
	for name, v := range fields {
		switch kind := v.GetKind().(type) {
		case *eventv1.Value_Text:
			out[name] = kind.Text
		case *eventv1.Value_Number:
			out[name] = kind.Number
		case *eventv1.Value_Flag:
			out[name] = kind.Flag
		}
	}
	return out
}
