// Package clock runs one promise: it says when somebody must look, warns, and decides whether the promise was kept. It is pure.
//
//	        counted enough, before due
//	open ───────────────────────────────▶ met
//	  │ ╲
//	  │  ╲ due has come: at due, whenever that is noticed
//	  │   ╲────────────────────────────▶ breached
//	  │ the promise falls away
//	  └────────────────────────────────▶ cancelled
//
// What is recorded as missed may have been kept all the same, and only be told late: Kept says so of the deeds themselves. The state
// stays, for it says what was known at due.
//
// A promise runs in [start, due). What is done at an instant before due keeps it; at due itself it is broken, as a calendar is
// closed at closing time. So every instant belongs to one side, and the order in which a response and the passing of time are
// looked at changes nothing.
package clock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// State is where a clock stands.
type State string

// The states; all but Open are final.
const (
	Open      State = "open"
	Met       State = "met"
	Breached  State = "breached"
	Cancelled State = "cancelled"
)

// Effect is what one step did that somebody must hear of.
type Effect int

// The effects.
const (
	Nothing Effect = iota
	// Warns: Warned has gone up.
	Warns
	// Keeps: the promise is met.
	Keeps
	// Breaks: the promise is missed, as of DueAt.
	Breaks
)

// Clock is one running promise.
type Clock struct {
	State            State
	StartedAt, DueAt time.Time
	// WakeAt is the next instant at which somebody must look: a warning's or the due time.
	WakeAt time.Time
	// Counted activities so far, of Needed.
	Counted, Needed int
	// Warned is the last percentage told; 0 when none was.
	Warned int
	// StoppedAt is when it was met, cancelled, or due and breached.
	StoppedAt time.Time
}

// Passed is the activity of Step that says only that time has gone by.
const Passed = ""

// Start begins a promise now. Errors: those of the calendar's Deadline.
func Start(promise agreement.Clock, hours *calendar.Calendar, now time.Time) (Clock, error) {
	due, err := hours.Deadline(now, promise.Within)
	if err != nil {
		return Clock{}, fmt.Errorf("start clock %q: %w", promise.Name, err)
	}
	c := Clock{State: Open, StartedAt: now, DueAt: due, Needed: max(promise.Count, 1)}
	c.WakeAt, err = wake(promise, hours, c)
	return c, err
}

// Step takes an activity of the given kind at that instant, or Passed. A closed clock stays as it is. Errors: those of the
// calendar's Deadline.
func Step(promise agreement.Clock, hours *calendar.Calendar, c Clock, did string, at time.Time) (Clock, Effect, error) {
	if c.State != Open {
		return c, Nothing, nil
	}
	if !at.Before(c.DueAt) {
		c.State, c.StoppedAt = Breached, c.DueAt
		return c, Breaks, nil
	}
	if did != Passed {
		if slices.Contains(promise.StopsOn, did) {
			c.Counted++
		}
		if c.Counted >= c.Needed || slices.Contains(promise.MetBy, did) {
			c.State, c.StoppedAt = Met, at
			return c, Keeps, nil
		}
		return c, Nothing, nil
	}
	return warn(promise, hours, c, at)
}

// Deed is an activity that counts for a promise, and when it was done.
type Deed struct {
	Kind string
	At   time.Time
}

// Kept says which of the deeds kept the promise, whatever the clock was told of them and when: they count in the order in which they
// were done, those in [StartedAt, DueAt). A lead is taken on once. Nothing depends on the order in which they are given; ok is false
// when they do not suffice.
func Kept(promise agreement.Clock, c Clock, deeds []Deed) (last Deed, ok bool) {
	deeds = slices.Clone(deeds)
	slices.SortFunc(deeds, func(a, b Deed) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind)) })
	counted, taken := 0, false
	for _, d := range deeds {
		if d.At.Before(c.StartedAt) || !d.At.Before(c.DueAt) || d.Kind == agreement.Accepted && taken {
			continue
		}
		taken = taken || d.Kind == agreement.Accepted
		if slices.Contains(promise.StopsOn, d.Kind) {
			counted++
		}
		if counted >= max(c.Needed, 1) || slices.Contains(promise.MetBy, d.Kind) {
			return d, true
		}
	}
	return Deed{}, false
}

// Cancel lets the promise fall away at that instant.
func (c Clock) Cancel(at time.Time) Clock {
	if c.State == Open {
		c.State, c.StoppedAt = Cancelled, at
	}
	return c
}

// Move computes the due time anew, because the hours have changed; moved says whether it differs. Changed hours make no promise
// fall due in the past: when the new due time is not after now, the old one stands. Errors: those of the calendar's Deadline.
func Move(promise agreement.Clock, hours *calendar.Calendar, c Clock, now time.Time) (after Clock, moved bool, err error) {
	if c.State != Open {
		return c, false, nil
	}
	due, err := hours.Deadline(c.StartedAt, promise.Within)
	if err != nil {
		return c, false, fmt.Errorf("move clock %q: %w", promise.Name, err)
	}
	if due.Equal(c.DueAt) || !due.After(now) || !now.Before(c.DueAt) {
		return c, false, nil
	}
	after = c
	after.DueAt = due
	after.WakeAt, err = wake(promise, hours, after)
	return after, true, err
}

// warn tells the highest percentage that has passed, if it was not told.
func warn(promise agreement.Clock, hours *calendar.Calendar, c Clock, now time.Time) (Clock, Effect, error) {
	effect := Nothing
	for _, percent := range promise.Warn {
		at, ok, err := warning(promise, hours, c, percent)
		if err != nil {
			return c, Nothing, err
		}
		if ok && percent > c.Warned && !at.After(now) {
			c.Warned, effect = percent, Warns
		}
	}
	var err error
	c.WakeAt, err = wake(promise, hours, c)
	return c, effect, err
}

// wake is the first instant that is still to be told: a warning's, also one that has passed, or the due time.
func wake(promise agreement.Clock, hours *calendar.Calendar, c Clock) (time.Time, error) {
	next := c.DueAt
	for _, percent := range promise.Warn {
		at, ok, err := warning(promise, hours, c, percent)
		if err != nil {
			return time.Time{}, err
		}
		if ok && percent > c.Warned && at.Before(next) {
			next = at
		}
	}
	return next, nil
}

// warning is the instant by which that share of the promised open time has passed. It is not ok when the hours have changed since
// the start and no longer hold it: the due time that was promised stands, and nobody is warned of it.
func warning(promise agreement.Clock, hours *calendar.Calendar, c Clock, percent int) (at time.Time, ok bool, err error) {
	part := promise.Within/100*time.Duration(percent) + promise.Within%100*time.Duration(percent)/100
	at, err = hours.Deadline(c.StartedAt, part)
	switch {
	case errors.Is(err, calendar.ErrHorizon):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("warn at %d %% of clock %q: %w", percent, promise.Name, err)
	}
	return at, true, nil
}
