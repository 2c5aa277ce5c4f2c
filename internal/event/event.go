// Package event names what the services say to each other: streams and subjects, event types, ids, and the packing of events
// into messages.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"time"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Major is the schema's major version that this program writes and reads.
const Major = 1

// A producer is the service whose events a stream carries; for events made inside it is the event's source too.
const (
	Ingest     = "ingest"
	Scoring    = "scoring"
	Handoff    = "handoff"
	Compliance = "compliance"
)

// Message is one Batch on its way to a partition of the producer's stream.
type Message struct {
	Partition int
	Data      []byte
}

// Partition places key, a lead's id or a first identifier, on one of n partitions.
func Partition(key string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return int(h.Sum32() % uint32(n))
}

// AgreementPartition marks a message for the agreement's own stream, which has no partitions.
const AgreementPartition = -1

// Pack puts events into at most one message per partition, by lead, keeping their order.
func Pack(events []*eventv1.Event, partitions int) ([]Message, error) {
	batches := make([]eventv1.Batch, partitions)
	for _, e := range events {
		b := &batches[Partition(e.GetLead(), partitions)]
		b.Events = append(b.Events, e)
	}
	var out []Message
	for p := range batches {
		if len(batches[p].Events) == 0 {
			continue
		}
		batches[p].Major = Major
		data, err := proto.Marshal(&batches[p])
		if err != nil {
			return nil, fmt.Errorf("pack %d events for partition %d: %w", len(batches[p].Events), p, err)
		}
		out = append(out, Message{Partition: p, Data: data})
	}
	return out, nil
}

// Unpack decodes one message. A major that is not ours, or bytes that are no Batch, is an error: the message is for quarantine.
func Unpack(data []byte) ([]*eventv1.Event, error) {
	var b eventv1.Batch
	if err := proto.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("message is no event batch: %w", err)
	}
	if b.GetMajor() != Major {
		return nil, fmt.Errorf("event batch has major %d, this program reads %d: upgrade it, then replay the quarantine", b.GetMajor(), Major)
	}
	return b.GetEvents(), nil
}

// DerivedID is the id of an event that follows from others: the same parts always give the same id, so work that is done
// twice says the same thing twice.
func DerivedID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Micros is the wire form of an instant.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the instant of a wire form, in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// Type is the event's name as people and metrics say it: "lead.received", "clock.breached"; "" when it has no body.
func Type(e *eventv1.Event) string {
	switch e.GetBody().(type) {
	case *eventv1.Event_LeadReceived:
		return "lead.received"
	case *eventv1.Event_LeadActivity:
		return "lead.activity"
	case *eventv1.Event_LeadStaged:
		return "lead.staged"
	case *eventv1.Event_LeadOutcome:
		return "lead.outcome"
	case *eventv1.Event_LeadMerged:
		return "lead.merged"
	case *eventv1.Event_LeadErased:
		return "lead.erased"
	case *eventv1.Event_HandoffStarted:
		return "handoff.started"
	case *eventv1.Event_HandoffWaiting:
		return "handoff.waiting"
	case *eventv1.Event_HandoffAssigned:
		return "handoff.assigned"
	case *eventv1.Event_HandoffReleased:
		return "handoff.released"
	case *eventv1.Event_HandoffClosed:
		return "handoff.closed"
	case *eventv1.Event_ClockStarted:
		return "clock.started"
	case *eventv1.Event_ClockWarned:
		return "clock.warned"
	case *eventv1.Event_ClockMet:
		return "clock.met"
	case *eventv1.Event_ClockBreached:
		return "clock.breached"
	case *eventv1.Event_ClockCancelled:
		return "clock.cancelled"
	case *eventv1.Event_AgreementActivated:
		return "agreement.activated"
	}
	return ""
}
