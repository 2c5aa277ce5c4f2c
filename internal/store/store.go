// Package store is the contract for everything that leadpact keeps, with two engines: postgres and sqlite.
//
// Each service owns one store: a schema of its own on PostgreSQL, a file of its own on SQLite. A write happens in Update: the
// function loads with locks, decides in pure code, saves, and puts what must be told into the outbox, all in one transaction.
// Rows are locked in one order everywhere: pools, then leads, then what reps hold, each sorted by key; so two replicas can never wait for
// each other in a circle.
//
// Instants are UTC and cut to microseconds. Strings compare by bytes on both engines. Every method returns ErrConflict (wrapped)
// when the transaction lost a race and may be tried again, and ErrNotFound where it says so; everything else is an engine's error.
// Update tries a conflict again by itself, a bounded number of times.
package store

import (
	"context"
	"errors"
	"time"
)

// ErrConflict: the transaction lost a race; nothing was written and it may be tried again.
var ErrConflict = errors.New("store: conflict")

// ErrNotFound: no such row.
var ErrNotFound = errors.New("store: not found")

// Base is what every service's store can do.
type Base interface {
	// Now is the time that decides firing: the database's clock on PostgreSQL, so that replicas agree, the process's on SQLite.
	Now(ctx context.Context) (time.Time, error)
	// Ping says whether the store answers and its schema is at this program's version.
	Ping(ctx context.Context) error
	Close() error

	Relay
	Agreements
	Quarantine
	Leases
}

// OutboxTx is the part of a transaction that queues messages.
type OutboxTx interface {
	// Enqueue adds messages to the outbox, in order.
	Enqueue(ctx context.Context, messages []Message) error
}

// Message is one packed batch of events for a partition of the service's own stream.
type Message struct {
	// ID is set by the store; it is stable, so a message that is published twice carries one id.
	ID        int64
	Partition int
	Data      []byte
}

// Relay moves what transactions queued.
type Relay interface {
	// Relay hands up to limit of the oldest queued messages, in the order they were queued for each lead, to publish, and
	// forgets those that publish accepted: all of them on nil, none on an error. At most one caller relays at a time, over all
	// replicas; a caller that finds another at work gets 0, nil. A message of a transaction that began earlier and commits later
	// is never passed over: what is queued is found by being there, not by its number.
	Relay(ctx context.Context, limit int, publish func(ctx context.Context, messages []Message) error) (int, error)
	// Queued counts what waits, with the time that the oldest was queued (zero when none).
	Queued(ctx context.Context) (count int, oldest time.Time, err error)
}

// AgreementRow is one activated version, in force from ActiveFrom on, which may lie ahead.
type AgreementRow struct {
	Hash       string
	ActiveFrom time.Time
	Text       []byte
	Actor      string
	// Signatures is the file of the signatures on it; empty when it bears none.
	Signatures []byte
}

// Agreements keeps every version that was activated.
type Agreements interface {
	// SaveAgreement stores a version; one that is there already stays as it is.
	SaveAgreement(ctx context.Context, row AgreementRow) error
	// ListAgreements returns all versions, the oldest first.
	ListAgreements(ctx context.Context) ([]AgreementRow, error)
	// CountAgreements counts them: for who asks often whether there is another.
	CountAgreements(ctx context.Context) (int, error)
}

// Leases gives shards of timed work one owner at a time, while NATS is away too. A lease is for order and speed: whoever lost it
// unknowingly is stopped by compare-and-set, not by the lease.
type Leases interface {
	// Acquire takes or renews the lease on (name, shard) for ttl from now by the store's clock. held is false while another
	// owner's lease lasts. The epoch grows by one whenever the owner changes.
	Acquire(ctx context.Context, name string, shard int, owner string, ttl time.Duration) (held bool, epoch int64, err error)
	// Release gives a lease back at once; one that is another's stays.
	Release(ctx context.Context, name string, shard int, owner string) error
}
