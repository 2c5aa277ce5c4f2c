package store

import (
	"context"
	"time"
)

// Kind is what a quarantine keeps.
type Kind string

// The kinds.
const (
	// PoisonEvent is one event that failed alone and for good; Raw is the event, marshalled.
	PoisonEvent Kind = "event"
	// PoisonMessage is a message of the bus that is no batch of events.
	PoisonMessage Kind = "message"
	// RefusedHook is a webhook that proved its sender and could not be taken in; Raw is its body.
	RefusedHook Kind = "hook"
)

// Quarantined is one thing that could not be applied.
type Quarantined struct {
	// Key names it for ever: the same thing that comes again is the same row.
	Key     string
	Kind    Kind
	Stream  string
	Source  string // of the event or the webhook, when it could be read
	EventID string
	Raw     []byte
	// Hook is the event that brought a webhook, marshalled without its body: opaque here.
	Hook []byte
	// Agreement is the hash of the version that could not read a webhook.
	Agreement string
	Reason    string
	// Attempts counts how often it came, or was tried.
	Attempts int
	At       time.Time
	// TriedAt is when it was last tried again; zero before.
	TriedAt time.Time
	// Size is the length of Raw. The store sets it.
	Size int64
}

// Search says which rows of a quarantine are asked for.
type Search struct {
	Source string // "" is every source
	// After a row in order of (At, Key); the zero value begins with the oldest.
	After QuarantinePlace
	Limit int
}

// QuarantinePlace is a row's place in the order of arrival.
type QuarantinePlace struct {
	At  time.Time
	Key string
}

// Settlement is what became of a row that was tried again.
type Settlement struct {
	// Applied: the row goes. Else it stays with one attempt more, and the rest counts.
	Applied bool
	Reason  string
	TriedAt time.Time
	// Hook takes the place of the row's own, unless it is nil.
	Hook []byte
}

// Bound is how much of one source's webhooks a quarantine keeps at a time.
type Bound struct {
	Rows  int
	Bytes int64 // of Raw
}

// Quarantine keeps with its raw bytes what could not be applied. A row that was dropped keeps its key until it expires, so that it does
// not come back; nothing but SaveQuarantined, Keep and ExpireQuarantined, and HasFacts, knows of it any more.
type Quarantine interface {
	// SaveQuarantined stores rows; a key that is there already only counts one more attempt.
	SaveQuarantined(ctx context.Context, rows []Quarantined) error
	// ListQuarantined returns rows in order of (At, Key), the oldest first, without Raw and Hook.
	ListQuarantined(ctx context.Context, s Search) ([]Quarantined, error)
	// Quarantined returns one row, whole, or ErrNotFound.
	Quarantined(ctx context.Context, key string) (Quarantined, error)
	// CountQuarantined counts the rows of each kind that there is.
	CountQuarantined(ctx context.Context) (map[Kind]int, error)
	// SettleQuarantined is QuarantineTx.Settle in a transaction of its own.
	SettleQuarantined(ctx context.Context, key string, s Settlement) (bool, error)
	// DropQuarantined gives a row up: its bytes are gone. False when it was not there.
	DropQuarantined(ctx context.Context, key string) (bool, error)
	// ExpireQuarantined deletes the rows from before t, and returns how many: raw bytes may name a person, and live for a stated
	// time only.
	ExpireQuarantined(ctx context.Context, t time.Time) (int, error)
}

// QuarantineTx is the part of a transaction that keeps webhooks and settles rows. It comes after the locks of leads.
type QuarantineTx interface {
	// Keep stores webhooks in their order; a key that is there already only counts one more attempt. One for which a source has no
	// room left within bound is not stored; kept[i] is false then. Transactions side by side may each use the same room.
	Keep(ctx context.Context, rows []Quarantined, bound Bound) (kept []bool, err error)
	// Settle writes what became of a row; false when it was not there.
	Settle(ctx context.Context, key string, s Settlement) (bool, error)
}
