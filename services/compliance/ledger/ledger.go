// Package ledger decides what an event means for the ledger: which shard, which line, which tallies, which clocks. It is pure.
package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Shards is how many chains the ledger has. It is fixed for the life of an installation: cursors hold one number per shard.
const Shards = 8

// Shard places an event: by its lead, and by its own id while nobody knows the lead yet. The same event always has one shard, so
// the shard's lock guards against the same event twice.
func Shard(e *eventv1.Event) int {
	if e.GetLead() != "" {
		return event.Partition(e.GetLead(), Shards)
	}
	return event.Partition(e.GetSource()+"\n"+ID(e), Shards)
}

// ID is the event's id as the ledger keeps it: ours as it is, an outside sender's as a digest, because he may have put anybody's
// name or address into it. Of a digest it is the digest itself, so a stored line has the id that it was stored under.
func ID(e *eventv1.Event) string {
	if e.GetLeadReceived() == nil || e.GetId() == "" || digested(e.GetId()) {
		return e.GetId()
	}
	return digestMark + event.DerivedID(e.GetSource(), e.GetId())
}

// digestMark begins an id that stands for an outside one.
const digestMark = "~"

func digested(id string) bool {
	hexadecimal, marked := strings.CutPrefix(id, digestMark)
	return marked && len(hexadecimal) == 32 && strings.Trim(hexadecimal, "0123456789abcdef") == ""
}

// Line is the entry of an event, without its place in the chain and without personal data. An error says what makes the event
// unfit for the ledger for good: no id, no source, no body that this program knows, or a text that a store cannot keep.
func Line(e *eventv1.Event) (store.Entry, error) {
	entry := store.Entry{
		Shard: Shard(e), Source: e.GetSource(), EventID: ID(e), Type: event.Type(e), Lead: e.GetLead(),
		OccurredAt: event.Time(e.GetOccurredAt()), RecordedAt: event.Time(e.GetRecordedAt()),
		History: e.GetMode() == eventv1.Mode_MODE_HISTORY,
	}
	switch {
	case entry.Source == "" || entry.EventID == "":
		return store.Entry{}, errors.New("event has no source or no id, and nothing else tells it from others")
	case entry.Type == "":
		return store.Entry{}, fmt.Errorf("event %q of %q has no body that this program knows", entry.EventID, entry.Source)
	case !plain(entry.Source) || !plain(e.GetId()) || !plain(entry.Lead) || !plain(clockOf(e).GetId()):
		return store.Entry{}, fmt.Errorf("event %q of %q carries an id that is no valid text", entry.EventID, entry.Source)
	}
	var err error
	if entry.Data, err = (proto.MarshalOptions{Deterministic: true}).Marshal(redact(e)); err != nil {
		return store.Entry{}, fmt.Errorf("write event %q of %q as a ledger line: %w", entry.EventID, entry.Source, err)
	}
	return entry, nil
}

// plain says whether both engines can keep s: PostgreSQL takes no NUL.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// clockOf is the clock that an event tells of, nil when it tells of none.
func clockOf(e *eventv1.Event) *eventv1.Clock {
	switch b := e.GetBody().(type) {
	case *eventv1.Event_ClockStarted:
		return b.ClockStarted.GetClock()
	case *eventv1.Event_ClockWarned:
		return b.ClockWarned.GetClock()
	case *eventv1.Event_ClockMet:
		return b.ClockMet.GetClock()
	case *eventv1.Event_ClockBreached:
		return b.ClockBreached.GetClock()
	case *eventv1.Event_ClockCancelled:
		return b.ClockCancelled.GetClock()
	case *eventv1.Event_ClockCorrected:
		return b.ClockCorrected.GetClock()
	}
	return nil
}

// Chain gives entry its number and its hash after head, and returns the new head.
func Chain(head store.Head, entry store.Entry) (store.Entry, store.Head) {
	entry.Seq = head.Seq + 1
	entry.Hash = Hash(head.Hash, entry)
	return entry, store.Head{Shard: head.Shard, Seq: entry.Seq, Hash: entry.Hash}
}

// Follow checks that entry is the one that was chained to head, and returns the head after it. Whoever follows a shard from the
// zero head and arrives at the stored one has seen every line, unchanged and in order.
func Follow(head store.Head, entry store.Entry) (store.Head, error) {
	switch {
	case entry.Shard != head.Shard:
		return head, fmt.Errorf("ledger shard %d: a line of shard %d stands in it", head.Shard, entry.Shard)
	case entry.Seq != head.Seq+1:
		return head, fmt.Errorf("ledger shard %d: line %d comes after line %d", head.Shard, entry.Seq, head.Seq)
	case !bytes.Equal(entry.Hash, Hash(head.Hash, entry)):
		return head, fmt.Errorf("ledger shard %d: line %d was changed, or the one before it", head.Shard, entry.Seq)
	}
	return store.Head{Shard: head.Shard, Seq: entry.Seq, Hash: entry.Hash}, nil
}

// Hash chains an entry to the hash before it: SHA-256 over both, each part with its length. It covers every column, not only the
// event: readers select by type and lead, so a line could be hidden by changing those.
func Hash(previous []byte, e store.Entry) []byte {
	h := sha256.New()
	part := func(b []byte) {
		_, _ = h.Write(number(int64(len(b)))) // a hash never fails
		_, _ = h.Write(b)
	}
	past := int64(0)
	if e.History {
		past = 1
	}
	part(previous)
	for _, n := range []int64{int64(e.Shard), e.Seq, event.Micros(e.OccurredAt), event.Micros(e.RecordedAt), past} {
		part(number(n))
	}
	for _, s := range []string{e.Source, e.EventID, e.Type, e.Lead} {
		part([]byte(s))
	}
	part(e.Data)
	return h.Sum(nil)
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// redact returns the event without what could name a person: of a received lead only what is listed here stays; a staged one
// loses its card; a refused webhook its bytes; a reason stays only where the agreement lists the reasons, elsewhere somebody typed it; an agreement loses its text.
func redact(e *eventv1.Event) *eventv1.Event {
	switch b := e.GetBody().(type) {
	case *eventv1.Event_LeadReceived:
		lr := b.LeadReceived
		return with(e, func(c *eventv1.Event) {
			c.Id = ID(e)
			c.Body = &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{
				Kind: lr.GetKind(), Channel: lr.GetChannel(), Outcome: withoutReason(lr.GetOutcome()),
			}}
		})
	case *eventv1.Event_LeadStaged:
		bare := proto.CloneOf(b.LeadStaged)
		bare.Contact = nil
		return with(e, func(c *eventv1.Event) { c.Body = &eventv1.Event_LeadStaged{LeadStaged: bare} })
	case *eventv1.Event_LeadOutcome:
		bare := proto.CloneOf(b.LeadOutcome)
		bare.Outcome = withoutReason(bare.GetOutcome())
		return with(e, func(c *eventv1.Event) { c.Body = &eventv1.Event_LeadOutcome{LeadOutcome: bare} })
	case *eventv1.Event_HookRefused: // how many events of it were refused is all that can be told
		return with(e, func(c *eventv1.Event) {
			c.Body = &eventv1.Event_HookRefused{HookRefused: &eventv1.HookRefused{Refused: b.HookRefused.GetRefused()}}
		})
	case *eventv1.Event_LeadActivity:
		bare := proto.CloneOf(b.LeadActivity)
		if bare.GetKind() != rejected {
			bare.Reason = ""
		}
		return with(e, func(c *eventv1.Event) { c.Body = &eventv1.Event_LeadActivity{LeadActivity: bare} })
	case *eventv1.Event_AgreementActivated: // its text names who answers for the parties; the hash names the text
		bare := proto.CloneOf(b.AgreementActivated)
		bare.Text, bare.Signatures = nil, nil
		return with(e, func(c *eventv1.Event) { c.Body = &eventv1.Event_AgreementActivated{AgreementActivated: bare} })
	}
	return e
}

// rejected is the one activity whose reasons the agreement lists.
const rejected = "rejected"

func withoutReason(o *eventv1.Outcome) *eventv1.Outcome {
	if o == nil {
		return nil
	}
	return &eventv1.Outcome{Kind: o.GetKind(), Rep: o.GetRep()}
}

// with copies the envelope and lets body put the rest in.
func with(e *eventv1.Event, body func(*eventv1.Event)) *eventv1.Event {
	c := &eventv1.Event{
		Id: e.GetId(), Source: e.GetSource(), Lead: e.GetLead(), OccurredAt: e.GetOccurredAt(), RecordedAt: e.GetRecordedAt(),
		Mode: e.GetMode(), Agreement: e.GetAgreement(), Cause: e.GetCause(),
	}
	body(c)
	return c
}
