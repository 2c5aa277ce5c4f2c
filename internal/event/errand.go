package event

import eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"

// Errand gathers those of a source's events that something must be fetched for. The zero value has none.
type Errand struct {
	data []byte
	ids  []string
}

// Add takes an event up, given in wire form too, when something must be fetched for it.
func (x *Errand) Add(e *eventv1.Event, wire []byte) {
	if e.GetLeadReceived().GetFetch() == "" {
		return
	}
	if x.data == nil {
		x.data, x.ids = AppendHead(nil), []string{"errands"}
	}
	x.data, x.ids = AppendFrame(x.data, wire), append(x.ids, e.GetSource(), e.GetId())
}

// Message is the errand in wire form and its id, which follows from the events' ids; no data when there is nothing to fetch.
func (x *Errand) Message() (data []byte, id string) {
	if x.data == nil {
		return nil, ""
	}
	return x.data, DerivedID(x.ids...)
}
