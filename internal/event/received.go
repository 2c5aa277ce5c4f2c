package event

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Marshal writes an event in wire form, the same event always in the same bytes. A lead.received is written without reflection: it is
// written twice on the way of each lead, and its map of fields is what costs.
func Marshal(e *eventv1.Event) ([]byte, error) {
	received := e.GetLeadReceived()
	if received == nil {
		return proto.MarshalOptions{Deterministic: true}.Marshal(e)
	}
	return Seal(e, AppendReceived(make([]byte, 0, receivedRoom), received))
}

// receivedRoom is enough for most.
const receivedRoom = 512

// Seal writes an event whose body is a lead.received that is in wire form already.
func Seal(e *eventv1.Event, received []byte) ([]byte, error) {
	envelope := eventv1.Event{
		Id: e.GetId(), Source: e.GetSource(), Lead: e.GetLead(), OccurredAt: e.GetOccurredAt(), RecordedAt: e.GetRecordedAt(),
		Mode: e.GetMode(), Agreement: e.GetAgreement(), Cause: e.GetCause(),
	}
	room := len(received) + len(e.GetId()) + len(e.GetSource()) + len(e.GetLead()) + len(e.GetAgreement()) + len(e.GetCause()) + 64
	out, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 0, room), &envelope)
	if err != nil {
		return nil, err
	}
	return protowire.AppendBytes(protowire.AppendTag(out, eventLeadReceived, protowire.BytesType), received), nil
}

// AppendReceived appends the wire form of a lead.received, as deterministic marshalling writes it.
func AppendReceived(to []byte, r *eventv1.LeadReceived) []byte {
	const kind, email, externalID, name, phone, channel, fields, outcome, contentHash, confidence, consents, fetch = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	to = appendText(to, kind, r.GetKind())
	to = appendText(to, email, r.GetEmail())
	to = appendText(to, externalID, r.GetExternalId())
	to = appendText(to, name, r.GetName())
	to = appendText(to, phone, r.GetPhone())
	to = appendText(to, channel, r.GetChannel())
	var room [24]string
	names := slices.AppendSeq(room[:0], maps.Keys(r.GetFields()))
	slices.Sort(names)
	for _, n := range names {
		to = appendField(protowire.AppendTag(to, fields, protowire.BytesType), n, r.GetFields()[n])
	}
	if o := r.GetOutcome(); o != nil {
		size := sizeText(1, o.GetKind()) + sizeText(2, o.GetRep()) + sizeText(3, o.GetReason())
		to = protowire.AppendVarint(protowire.AppendTag(to, outcome, protowire.BytesType), uint64(size))
		to = appendText(appendText(appendText(to, 1, o.GetKind()), 2, o.GetRep()), 3, o.GetReason())
	}
	if len(r.GetContentHash()) > 0 {
		to = protowire.AppendBytes(protowire.AppendTag(to, contentHash, protowire.BytesType), r.GetContentHash())
	}
	if bits := math.Float64bits(r.GetConfidence()); bits != 0 {
		to = protowire.AppendFixed64(protowire.AppendTag(to, confidence, protowire.Fixed64Type), bits)
	}
	for _, c := range r.GetConsents() {
		to = appendConsent(protowire.AppendTag(to, consents, protowire.BytesType), c)
	}
	return appendText(to, fetch, r.GetFetch())
}

// appendConsent appends one consent, with its size.
func appendConsent(to []byte, c *eventv1.Consent) []byte {
	const purpose, granted = 1, 2
	size := sizeText(purpose, c.GetPurpose())
	if c.GetGranted() {
		size += protowire.SizeTag(granted) + 1
	}
	to = appendText(protowire.AppendVarint(to, uint64(size)), purpose, c.GetPurpose())
	if c.GetGranted() {
		to = protowire.AppendVarint(protowire.AppendTag(to, granted, protowire.VarintType), protowire.EncodeBool(true))
	}
	return to
}

// appendField appends one entry of the map of fields, with its size.
func appendField(to []byte, name string, v *eventv1.Value) []byte {
	const key, value, text, number, flag = 1, 2, 1, 2, 3
	size := 0
	switch k := v.GetKind().(type) {
	case *eventv1.Value_Text:
		size = protowire.SizeTag(text) + protowire.SizeBytes(len(k.Text))
	case *eventv1.Value_Number:
		size = protowire.SizeTag(number) + protowire.SizeFixed64()
	case *eventv1.Value_Flag:
		size = protowire.SizeTag(flag) + 1
	}
	whole := protowire.SizeTag(key) + protowire.SizeBytes(len(name)) + protowire.SizeTag(value) + protowire.SizeBytes(size)
	to = protowire.AppendVarint(to, uint64(whole))
	to = protowire.AppendString(protowire.AppendTag(to, key, protowire.BytesType), name)
	to = protowire.AppendVarint(protowire.AppendTag(to, value, protowire.BytesType), uint64(size))
	switch k := v.GetKind().(type) {
	case *eventv1.Value_Text:
		to = protowire.AppendString(protowire.AppendTag(to, text, protowire.BytesType), k.Text)
	case *eventv1.Value_Number:
		to = protowire.AppendFixed64(protowire.AppendTag(to, number, protowire.Fixed64Type), math.Float64bits(k.Number))
	case *eventv1.Value_Flag:
		to = protowire.AppendVarint(protowire.AppendTag(to, flag, protowire.VarintType), protowire.EncodeBool(k.Flag))
	}
	return to
}

func appendText(to []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return to
	}
	return protowire.AppendString(protowire.AppendTag(to, number, protowire.BytesType), text)
}

func sizeText(number protowire.Number, text string) int {
	if text == "" {
		return 0
	}
	return protowire.SizeTag(number) + protowire.SizeBytes(len(text))
}
