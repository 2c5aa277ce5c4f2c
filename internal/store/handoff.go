package store

import (
	"context"
	"time"
)

// Handoff is handoff's store: reps and pools, handoffs, assignments, activities, clocks, breaches and notices.
type Handoff interface {
	Base
	// Update runs f in one transaction.
	Update(ctx context.Context, f func(ctx context.Context, tx HandoffTx) error) error

	// LatestRoster returns the newest version, or ErrNotFound.
	LatestRoster(ctx context.Context) (RosterRow, error)
	// Roster returns a version, or ErrNotFound.
	Roster(ctx context.Context, version int64) (RosterRow, error)
	// ListRosters returns up to limit versions without their texts, the newest first.
	ListRosters(ctx context.Context, limit int) ([]RosterRow, error)

	// Inbox returns a rep's live assignments with their handoffs and clocks, the nearest deadline first.
	Inbox(ctx context.Context, rep string, limit int) ([]InboxRow, error)
	// HandoffOf returns the newest handoff of a lead, or ErrNotFound.
	HandoffOf(ctx context.Context, lead string) (HandoffRow, error)
	// WaitingHandoffs returns the handoffs without an owner, the longest waiting first.
	WaitingHandoffs(ctx context.Context, limit int) ([]HandoffKey, error)

	// WakesUntil returns the wake-up of every open clock of a shard with WakeAt before until, in order of (WakeAt, ID): at most
	// limit, those after the cursor given by the last row of the call before (the zero Wake starts at the beginning).
	WakesUntil(ctx context.Context, shard int, until time.Time, after Wake, limit int) ([]Wake, error)
	// OverdueClocks counts open clocks whose due time lies before t.
	OverdueClocks(ctx context.Context, t time.Time) (int, error)

	// DueNotices claims up to limit notices whose NextAt has come, hiding each from other claimants until now+lease.
	DueNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Notice, error)
	// SaveNotices writes the result of sending: State, Attempts, NextAt, LastError.
	SaveNotices(ctx context.Context, rows []Notice) error

	// EachAssignment calls f for every assignment in order of (lead, cycle, n), with its clocks. It reads one snapshot.
	EachAssignment(ctx context.Context, f func(a Assignment, clocks []ClockRow) error) error
	// RepLoads returns the stored number of live assignments of every rep, and the number recounted from the assignments.
	RepLoads(ctx context.Context) (stored, counted map[string]int, err error)
}

// RosterRow is one version of the roster.
type RosterRow struct {
	Version int64 // set by the store, growing
	Hash    string
	Text    []byte
	At      time.Time
	Actor   string
}

// HandoffKey names the one handoff of a lead's cycle.
type HandoffKey struct {
	Lead  string
	Cycle uint32
}

// A handoff's states.
const (
	HandoffWaiting  = "waiting"  // nobody was eligible; a clock of its own runs
	HandoffAssigned = "assigned" // a rep has it
	HandoffClosed   = "closed"   // it ended: Result says how
)

// HandoffRow is one handoff.
type HandoffRow struct {
	HandoffKey
	Version   int64
	State     string
	Result    string
	Pool      string
	Grade     string
	Channel   string
	Stage     string
	Agreement string
	History   bool
	// Assignments made so far.
	Assignments uint32
	// Excluded are the reps that had it and lost it or gave it back; they do not get it again.
	Excluded   []string
	ReceivedAt time.Time
	StartedAt  time.Time
	// WaitingSince orders those that wait.
	WaitingSince time.Time
	// Contact is the card, marshalled; empty once the handoff is closed. It stays while the lead waits, for the next rep.
	Contact []byte
	// Cause is the event that started it.
	Cause string
}

// Assignment is one lead in one rep's hands; EndedAt is zero while it lives, and at most one of a lead lives.
type Assignment struct {
	ID string
	HandoffKey
	N          uint32
	Version    int64
	Rep        string
	Team       string
	Pool       string
	StartedAt  time.Time
	AcceptedAt time.Time
	EndedAt    time.Time
	EndReason  string
	// What routing decided on: what changed in the pool since the pick before, and now and then its whole state, so that it can be
	// decided again.
	Decision []byte
}

// A clock's states.
const (
	ClockOpen      = "open"
	ClockMet       = "met"
	ClockBreached  = "breached"
	ClockCancelled = "cancelled"
)

// ClockRow is one promise. WakeAt is the next moment at which somebody must look: a warning or the due time.
type ClockRow struct {
	ID string
	HandoffKey
	Shard      int
	Assignment string // empty for a handoff that waits
	Rep        string
	Team       string
	Name       string
	Version    int64
	State      string
	StartedAt  time.Time
	DueAt      time.Time
	WakeAt     time.Time
	Within     time.Duration
	Calendar   string
	TZData     string
	// Counted activities so far, of Needed.
	Counted, Needed int
	// Warned is the last percentage told.
	Warned    int
	StoppedAt time.Time
	Agreement string
	// RespondedAt is when a promise that was recorded as missed had been kept after all, and Witness the source that said so: the
	// verdict turns, the breach stands beside it. Zero and empty until then. Where the person had withdrawn before it was due, Witness is
	// scoring, and RespondedAt when it fell away.
	RespondedAt time.Time
	Witness     string
}

// Promise is a clock, with what its handoff says of the lead.
type Promise struct {
	ClockRow
	// HandoffState, HandoffAgreement, Pool, Grade, Channel and Cause are the handoff's.
	HandoffState, HandoffAgreement, Pool, Grade, Channel, Cause string
}

// Fired is what became of promises that fell due, or came near it.
type Fired struct {
	Clocks   []ClockRow
	Breaches []Breach
	Notices  []Notice
	Messages []Message
}

// Wake is when a clock must be looked at.
type Wake struct {
	At time.Time
	ID string
}

// Activity is something that a person did, or that an outside system says a person did; unique by ID.
type Activity struct {
	ID string
	HandoffKey
	Assignment string
	Rep        string
	Kind       string
	Reason     string
	OccurredAt time.Time
	RecordedAt time.Time
	Outside    bool
	// Source is who told of it, as the agreement names the source; empty unless Outside.
	Source  string
	History bool
}

// Breach is a promise that was missed; unique by clock.
type Breach struct {
	Clock      string
	Assignment string
	Lead       string
	DueAt      time.Time
	RecordedAt time.Time
}

// A notice's states.
const (
	NoticePending = "pending"
	NoticeSent    = "sent"
	NoticeDead    = "dead" // given up; kept so that somebody can see it
)

// Notice is one thing to tell one endpoint. It holds ids only: the text is rendered when it is sent.
type Notice struct {
	// Key is stable: the receiver sees it as webhook-id, however often it is sent.
	Key        string
	Endpoint   string
	Type       string // lead.assigned, clock.warned, clock.breached, …
	Lead       string
	Cycle      uint32
	Assignment string
	Clock      string
	Rep        string
	CreatedAt  time.Time
	State      string
	Attempts   int
	NextAt     time.Time
	LastError  string
}

// Pool is a pool's rotation.
type Pool struct {
	Name    string
	Version int64
	// Balances is opaque here; routing's counters.
	Balances []byte
}

// RepLoad is how many live assignments a rep holds.
type RepLoad struct {
	Rep  string
	Live int
}

// LoadChange is how many live assignments more a rep holds, or fewer. Capacity bounds what one who gets more holds afterwards.
type LoadChange struct {
	Rep      string
	Delta    int
	Capacity int
}

// InboxRow is one live assignment with what belongs to it.
type InboxRow struct {
	Assignment Assignment
	Handoff    HandoffRow
	Clocks     []ClockRow
}

// HandoffTx is one transaction of handoff. Lock pools first, then handoffs; add to loads last.
type HandoffTx interface {
	OutboxTx
	// SaveRoster stores a roster unless the newest one has its hash, and returns its version; 0 when it was not stored. Two that save at
	// once do it one after the other.
	SaveRoster(ctx context.Context, row RosterRow) (version int64, err error)
	// LockPools returns the pools in sorted order, locked; a missing one is made.
	LockPools(ctx context.Context, names []string) ([]Pool, error)
	SavePools(ctx context.Context, pools []Pool) error
	// Loads returns the reps' loads in sorted order; one of whom nothing is written down holds nothing. They are not locked: a pool may
	// have thousands of reps, of whom a transaction gives leads to a few. What others change meanwhile shows in AddLoads.
	Loads(ctx context.Context, reps []string) ([]RepLoad, error)
	// AddLoads adds to what reps hold, all or none, in whatever order they are given. ErrConflict when one who gets more would
	// hold more than he can.
	AddLoads(ctx context.Context, changes []LoadChange) error
	// InsertHandoffs stores those that are new by (lead, cycle); fresh[i] says whether rows[i] was.
	InsertHandoffs(ctx context.Context, rows []HandoffRow) (fresh []bool, err error)
	// LockHandoffs returns the newest handoff of each lead that has one, locked in sorted order.
	LockHandoffs(ctx context.Context, leads []string) ([]HandoffRow, error)
	// SaveHandoffs writes rows, each with Version one above what is stored; ErrConflict when it is not.
	SaveHandoffs(ctx context.Context, rows []HandoffRow) error

	// LiveAssignments returns the live assignment of each lead that has one.
	LiveAssignments(ctx context.Context, leads []string) (map[string]Assignment, error)
	// Assignments returns all of a handoff, in order of N.
	Assignments(ctx context.Context, key HandoffKey) ([]Assignment, error)
	// InsertAssignments: a second live assignment of a lead, or a second (lead, cycle, n), is ErrConflict.
	InsertAssignments(ctx context.Context, rows []Assignment) error
	// SaveAssignments writes AcceptedAt, EndedAt and EndReason; ErrConflict unless Version is one above what is stored.
	SaveAssignments(ctx context.Context, rows []Assignment) error

	InsertClocks(ctx context.Context, rows []ClockRow) error
	// OpenClocks returns the open clocks of the handoffs, in order of (DueAt, ID).
	OpenClocks(ctx context.Context, keys []HandoffKey) ([]ClockRow, error)
	// Clocks returns clocks by id, whatever their state, locked, in order of (DueAt, ID).
	Clocks(ctx context.Context, ids []string) ([]ClockRow, error)
	// SaveClocks compares and sets: a row is written only when the stored one is open and its Version one below. won[i] says
	// whether it was; a lost one is not an error. What a clock guards (HandoffKey, Shard, Assignment, Name) never changes.
	SaveClocks(ctx context.Context, rows []ClockRow) (won []bool, err error)
	// LockPromises returns those clocks of ids that are open, locked, in order of (DueAt, ID). It locks the clocks alone: whoever
	// holds the handoff and moves the clock too finds out by SaveClocks.
	LockPromises(ctx context.Context, ids []string) ([]Promise, error)
	// SaveFired writes all of it at once. Of a clock it writes Version, State, WakeAt, Warned and StoppedAt; ErrConflict unless every
	// one is open and in the version below. The rest is as with InsertBreaches, InsertNotices and Enqueue.
	SaveFired(ctx context.Context, fired Fired) error
	// MissedPromises returns the clocks of a handoff that are breached and that nothing has corrected, in order of (DueAt, ID). They are
	// not locked: CorrectClocks tells who was first.
	MissedPromises(ctx context.Context, key HandoffKey) ([]Promise, error)
	// CorrectClocks writes RespondedAt, Witness and Version, all or none; ErrConflict unless every row is breached, not corrected, and in
	// the version below.
	CorrectClocks(ctx context.Context, rows []ClockRow) error
	// InsertBreaches: a second breach of a clock is ErrConflict.
	InsertBreaches(ctx context.Context, rows []Breach) error

	// InsertActivities stores those that are new by ID; fresh[i] says whether rows[i] was.
	InsertActivities(ctx context.Context, rows []Activity) (fresh []bool, err error)
	// Activities returns what was done in a handoff, in order of (OccurredAt, ID).
	Activities(ctx context.Context, key HandoffKey) ([]Activity, error)
	// InsertNotices stores those that are new by Key.
	InsertNotices(ctx context.Context, rows []Notice) error
}
