package store

import (
	"context"
	"time"
)

// Compliance is compliance's store: the versions of the agreement and the ledger.
//
// The ledger is numbered and chained per shard, under the shard's lock: a number that is visible has no unseen number below it.
type Compliance interface {
	Base
	// Update runs f in one transaction.
	Update(ctx context.Context, f func(ctx context.Context, tx ComplianceTx) error) error
	// Activate stores a version and queues the messages that tell it, in one transaction; false when it was stored already. ErrConflict
	// unless the version that ListAgreements lists last has the hash after, "" when there is none: what was checked against it holds.
	Activate(ctx context.Context, row AgreementRow, after string, messages []Message) (bool, error)
	// Acknowledge stores that a person knows a version, and returns when he said so first.
	Acknowledge(ctx context.Context, row Acknowledgement) (time.Time, error)
	// Acknowledgements returns those of a version, in order of person.
	Acknowledgements(ctx context.Context, hash string) ([]Acknowledgement, error)
	// Members returns the newest roster's; none before the first.
	Members(ctx context.Context) (Members, error)
	// Entries returns up to limit entries of a shard with Seq above after, of one type or of all (""), in order of Seq.
	Entries(ctx context.Context, shard int, after int64, typ string, limit int) ([]Entry, error)
	// Heads returns the head of every shard.
	Heads(ctx context.Context) ([]Head, error)
	// Tallies returns the tallies of a shard, or of all (-1) summed.
	Tallies(ctx context.Context, shard int) ([]Tally, error)
	// PendingClocks counts clocks that were told as started, never as ended, and were due before t.
	PendingClocks(ctx context.Context, dueBefore time.Time) (int, error)
}

// Acknowledgement is a person's word that he knows a version of the agreement.
type Acknowledgement struct {
	Hash   string
	Person string
	At     time.Time
}

// Members are the people of a roster.
type Members struct {
	// Roster is its number, which grows with each change.
	Roster int64
	// People are ids, sorted.
	People []string
}

// Entry is one line of the ledger. It holds ids only.
type Entry struct {
	Shard      int
	Seq        int64
	Source     string // with EventID: unique in the ledger
	EventID    string
	Type       string
	Lead       string
	OccurredAt time.Time
	RecordedAt time.Time
	History    bool
	// Data is the event without personal data, marshalled.
	Data []byte
	// Hash chains the entry to the one before: SHA-256 of the previous hash and this entry.
	Hash []byte
}

// Head is the end of a shard.
type Head struct {
	Shard int
	Seq   int64
	Hash  []byte
}

// Tally is one counter of the ledger: a metric's name and its labels. Counters never fall; gauges may.
type Tally struct {
	Shard int
	Name  string
	// Labels in the canonical form "a=1,b=2", sorted by name, values escaped.
	Labels string
	Value  float64
}

// PendingClock is a clock that was told as started and not yet as ended.
type PendingClock struct {
	ID    string
	DueAt time.Time
}

// ComplianceTx is one transaction of compliance.
type ComplianceTx interface {
	OutboxTx
	// LockShards returns the heads in sorted order, locked; a missing one is made, with Seq 0.
	LockShards(ctx context.Context, shards []int) ([]Head, error)
	SaveHeads(ctx context.Context, heads []Head) error
	// Known says which events are in the ledger.
	Known(ctx context.Context, keys []FactKey) (map[FactKey]bool, error)
	// Append stores entries; a second (source, event id) or (shard, seq) is ErrConflict.
	Append(ctx context.Context, entries []Entry) error
	// AddTallies adds Value to each tally.
	AddTallies(ctx context.Context, deltas []Tally) error
	// StartClocks and EndClocks keep the audit's list; they may come in either order and more than once.
	StartClocks(ctx context.Context, clocks []PendingClock) error
	EndClocks(ctx context.Context, ids []string) error
	// SaveMembers stores whom a roster names, unless those of a newer one are stored.
	SaveMembers(ctx context.Context, members Members) error
}
