// Package lead says who a lead is and what is known of it: a fold over its facts. It is pure.
//
// The fold is commutative and associative, and idempotent because a fact has an id: any order, repetition and batching of the
// same facts gives the same Knowledge, to the byte. Five laws carry it, each stated and proved where it stands:
//
//   - a field is a maximum by Stamp (knowledge.go);
//   - the first touch, the last touch and the latest instant are a minimum and two maxima (knowledge.go);
//   - what a person allows is a maximum by Word (consent.go);
//   - deeds are a set, cut to its newest members (deeds.go);
//   - engagement is a sum of integers, cut to a window below its greatest index (engagement.go).
//
// Nothing in Knowledge depends on when a fact was recorded, on the order of arrival or on the clock of the machine; Settle, which
// looks at RecordedAt, is applied once at the border.
package lead

import (
	"cmp"
	"time"
)

// Kind sorts facts.
type Kind string

// The kinds of facts.
const (
	// Touch is an outside event that marketing's side reports.
	Touch Kind = "touch"
	// Outcome is an outside event that reports what sales did.
	Outcome Kind = "outcome"
	// Activity is what a person did at handoff's doors.
	Activity Kind = "activity"
)

// The names of outcomes and activities. An outcome is never Rejected: only who holds a lead can give it back.
const (
	Accepted  = "accepted"
	Rejected  = "rejected"
	Attempt   = "attempt"
	Reached   = "reached"
	Qualified = "qualified"
	Won       = "won"
	Lost      = "lost"
)

// IsDeed says whether name is one of the things that sales can do to a lead.
func IsDeed(name string) bool {
	switch name {
	case Accepted, Rejected, Attempt, Reached, Qualified, Won, Lost:
		return true
	}
	return false
}

// Fact is one event about a lead, for as long as the lead is kept.
type Fact struct {
	// Source and ID together are unique.
	Source string
	ID     string
	Kind   Kind
	// Name is the sender's word for a touch (form_submitted) or the kind of an outcome or activity (won, rejected).
	Name       string
	OccurredAt time.Time // µs, UTC
	RecordedAt time.Time
	History    bool
	Email      string
	ExternalID string
	FullName   string
	Phone      string
	Channel    string
	// By declared field: string, float64 or bool.
	Fields map[string]any
	// Confidence, 0..1, of the source in what it says of name, address, phone and fields; 0 is not said, and counts as 1.
	Confidence float64
	// Consents are what the person allowed or forbade with it.
	Consents []Consent
	Rep      string
	Reason   string
	Cycle    uint32 // of an activity
}

// Ahead is how far a sender's clock may run ahead of ours and still be believed.
const Ahead = 5 * time.Minute

// Settle returns f with its instants in UTC microseconds, and with an OccurredAt that is more than Ahead after RecordedAt put back
// to RecordedAt: nobody earns by dating an event into the future. Fold expects settled facts.
func Settle(f Fact) Fact {
	f.OccurredAt = f.OccurredAt.UTC().Truncate(time.Microsecond)
	f.RecordedAt = f.RecordedAt.UTC().Truncate(time.Microsecond)
	if f.OccurredAt.After(f.RecordedAt.Add(Ahead)) {
		f.OccurredAt = f.RecordedAt
	}
	return f
}

// Stamp orders what sources say of one thing: the greater stamp wins.
type Stamp struct {
	// Rank of the source, 0 the best.
	Rank int `json:"rank"`
	// Confidence of the source in its word, over 0 and below 1; 0 is full, as nearly all say.
	Confidence float64   `json:"confidence,omitempty"`
	OccurredAt time.Time `json:"at"`
	Source     string    `json:"source"`
	ID         string    `json:"id"`
}

// Compare returns +1 when s wins over o: by the better source, then the greater confidence, then the newer instant, then the greater
// source and id. Two facts never compare equal, because source and id are unique; so a maximum by Stamp has one winner in any order.
func (s Stamp) Compare(o Stamp) int {
	return cmp.Or(
		cmp.Compare(o.Rank, s.Rank),
		cmp.Compare(sure(s.Confidence), sure(o.Confidence)),
		s.OccurredAt.Compare(o.OccurredAt),
		cmp.Compare(s.Source, o.Source),
		cmp.Compare(s.ID, o.ID),
	)
}

// sure is how much a confidence counts.
func sure(confidence float64) float64 {
	if confidence == 0 {
		return 1
	}
	return confidence
}
