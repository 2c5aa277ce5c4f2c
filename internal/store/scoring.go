package store

import (
	"context"
	"time"
)

// Scoring is scoring's store: the facts, and what was made of them.
type Scoring interface {
	Base
	// Update runs f in one transaction.
	Update(ctx context.Context, f func(ctx context.Context, tx ScoringTx) error) error
	// FindLead returns the lead that an identifier names, or ErrNotFound.
	FindLead(ctx context.Context, identifier string) (string, error)
	// Lead returns one lead, or ErrNotFound.
	Lead(ctx context.Context, id string) (Lead, error)
	// LeadsAfter returns up to limit leads in order of id, those behind one id; "" is before all.
	LeadsAfter(ctx context.Context, id string, limit int) ([]Lead, error)
	// Transitions returns a lead's changes of stage, the oldest first.
	Transitions(ctx context.Context, lead string) ([]Transition, error)
	// EachLead calls f for every lead in order of id, with its facts in order of (source, id). It reads one snapshot.
	EachLead(ctx context.Context, f func(lead Lead, identifiers []string, facts []FactRow) error) error
	// HasFacts says which of the (source, id) pairs are stored or in quarantine.
	HasFacts(ctx context.Context, keys []FactKey) (map[FactKey]bool, error)
}

// FactKey names a fact.
type FactKey struct{ Source, ID string }

// FactRow is one fact as it is kept: the event's bytes, and what is needed to find it.
type FactRow struct {
	FactKey
	Lead        string
	OccurredAt  time.Time
	RecordedAt  time.Time
	ContentHash []byte
	// Data is the event, marshalled.
	Data []byte
}

// Lead is the cache of a lead's facts and the state of its stage.
type Lead struct {
	ID string
	// Version grows by one with every save; 0 is a row that was never saved.
	Version int64
	Stage   string
	Cycle   uint32
	// Staged counts the changes of stage in this cycle.
	Staged uint32
	// StagedAt is when the present stage was entered, in the event's time.
	StagedAt time.Time
	// Agreement is the version that Knowledge was folded under.
	Agreement string
	// Knowledge is opaque here.
	Knowledge []byte
	Facts     int64
	UpdatedAt time.Time
}

// Alias binds an identifier ("email:…", "source:id") to a lead.
type Alias struct {
	Identifier string
	Lead       string
}

// Transition is one stored change of stage, read back and never decided again.
type Transition struct {
	Lead      string
	Cycle     uint32
	N         uint32
	From, To  string
	At        time.Time
	Agreement string
	Cause     string
	// Data is the event that told it, marshalled: inputs, score and reasons.
	Data []byte
}

// ScoringTx is one transaction of scoring.
type ScoringTx interface {
	OutboxTx
	QuarantineTx
	// Resolve returns the lead of each identifier that has one.
	Resolve(ctx context.Context, identifiers []string) (map[string]string, error)
	// Bind stores identifiers that are new and returns the lead of each: an identifier that another transaction bound first
	// keeps that lead.
	Bind(ctx context.Context, aliases []Alias) (map[string]string, error)
	// InsertFacts stores those that are new by (source, id); fresh[i] says whether rows[i] was. Twice the same in one call: the
	// first is fresh.
	InsertFacts(ctx context.Context, rows []FactRow) (fresh []bool, err error)
	// FactHashes returns the content hash of each fact that is stored, those of this transaction included.
	FactHashes(ctx context.Context, keys []FactKey) (map[FactKey][]byte, error)
	// LockLeads returns the leads in sorted order, locked until the end; a missing one is made, with Version 0.
	LockLeads(ctx context.Context, ids []string) ([]Lead, error)
	// SaveLeads writes leads, each with Version one above what is stored; ErrConflict when it is not.
	SaveLeads(ctx context.Context, leads []Lead) error
	// Facts returns all facts of the leads, in order of (source, id).
	Facts(ctx context.Context, leads []string) (map[string][]FactRow, error)
	// InsertTransitions stores changes of stage; unique by (lead, cycle, n), a second is ErrConflict.
	InsertTransitions(ctx context.Context, rows []Transition) error
}
