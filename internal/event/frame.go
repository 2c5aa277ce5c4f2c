package event

import "google.golang.org/protobuf/encoding/protowire"

// Fields of Batch and Event, as event.proto numbers them.
const (
	batchMajor        = 1
	batchEvents       = 2
	eventLeadReceived = 16
	leadContentHash   = 9
)

// AppendFrame appends one event, given in wire form, as it stands in a Batch. Frames put one behind the other after AppendHead
// are a Batch in wire form, so that events which are marshalled once are packed as often as need be.
func AppendFrame(to, event []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, batchEvents, protowire.BytesType), event)
}

// AppendHead appends what a Batch begins with.
func AppendHead(to []byte) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, batchMajor, protowire.VarintType), Major)
}

// AppendContentHash appends its hash to a LeadReceived in wire form that lacks it.
func AppendContentHash(to, hash []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, leadContentHash, protowire.BytesType), hash)
}
