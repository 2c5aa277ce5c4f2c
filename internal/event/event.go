// Package event names what the services say to each other: streams and subjects, event types, ids, and the packing of events
// into messages.
package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
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
	h := uint32(2166136261) // FNV-1a
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % uint32(n))
}

// AgreementPartition marks a message for the agreement's own stream, which has no partitions.
const AgreementPartition = -1

// Largest is how many bytes of events Pack puts into one message at most, unless one event alone is larger: half of what a NATS
// server takes by default.
const Largest = 512 << 10

// Pack puts events into messages by lead, keeping the order of each partition: one message for a partition, or several when there
// is too much for one. Messages that follow each other are of growing partitions.
func Pack(events []*eventv1.Event, partitions int) ([]Message, error) {
	var (
		out  []Message
		open = make([]int, partitions) // a partition's last message in out, from 1
		wire []byte
		err  error
	)
	for _, e := range events {
		if wire, err = (proto.MarshalOptions{}).MarshalAppend(wire[:0], e); err != nil {
			return nil, fmt.Errorf("pack event %s: %w", e.GetId(), err)
		}
		p := Partition(e.GetLead(), partitions)
		if open[p] == 0 || len(out[open[p]-1].Data)+len(wire) > Largest {
			// Room for a fair share of what comes: growing by doubling copies everything once more.
			out = append(out, Message{Partition: p, Data: AppendHead(make([]byte, 0, min(Largest, (len(wire)+8)*(1+len(events)/partitions))))})
			open[p] = len(out)
		}
		m := &out[open[p]-1]
		m.Data = AppendFrame(m.Data, wire)
	}
	slices.SortStableFunc(out, func(a, b Message) int { return cmp.Compare(a.Partition, b.Partition) })
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
	var room [512]byte // enough for most, so that nothing is allocated
	text := room[:0]
	for _, p := range parts {
		text = strconv.AppendInt(text, int64(len(p)), 10)
		text = append(text, ':')
		text = append(text, p...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
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
	case *eventv1.Event_HookRefused:
		return "hook.refused"
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
	case *eventv1.Event_ClockCorrected:
		return "clock.corrected"
	case *eventv1.Event_AgreementActivated:
		return "agreement.activated"
	case *eventv1.Event_RosterChanged:
		return "roster.changed"
	}
	return ""
}
