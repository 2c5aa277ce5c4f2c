package clock

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// Term is what a later version of the agreement promises in a running clock's place.
type Term struct {
	// From is when the version came into force.
	From time.Time
	// Since is when its promise began to bind as it is now: From, or when its hours were changed after that.
	Since   time.Time
	Promise agreement.Clock
	Hours   *calendar.Calendar
}

// Turn is a clock as it goes on under a term, by the term's number.
type Turn struct {
	Term int
	Clock
}

// Govern takes a clock that runs under a promise through the terms of later versions, in the order in which they came into force. The
// last turn is how it runs now; without one it stays as it is. To look after each version or once at the end gives the same turns.
//
// A term takes over a clock that ran when it came into force, when it makes the same promise: to do the same, as often. The clock keeps
// its start and what was counted; the due time and the warnings are the term's. It stays as it is where it would have been due by
// Since, because nobody can keep a promise that was made after it fell due, and where the term's hours cannot hold the promise.
// Errors: those of the calendar's Deadline but its horizon.
func Govern(promise agreement.Clock, c Clock, terms []Term) ([]Turn, error) {
	var turns []Turn
	for i, t := range terms {
		if c.State != Open || !c.StartedAt.Before(t.From) || !c.DueAt.After(t.From) || !alike(promise, t.Promise) {
			continue
		}
		after, taken, err := t.take(c)
		if err != nil {
			return nil, err
		}
		if taken {
			turns = append(turns, Turn{i, after})
			promise, c = t.Promise, after
		}
	}
	return turns, nil
}

// alike says whether two promises are to do the same, as often.
func alike(a, b agreement.Clock) bool {
	same := func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	return max(a.Count, 1) == max(b.Count, 1) && same(a.StopsOn, b.StopsOn) && same(a.MetBy, b.MetBy)
}

// take computes the clock under the term.
func (t Term) take(c Clock) (after Clock, taken bool, err error) {
	due, err := t.Hours.Deadline(c.StartedAt, t.Promise.Within)
	switch {
	case errors.Is(err, calendar.ErrHorizon):
		return c, false, nil
	case err != nil:
		return c, false, fmt.Errorf("compute clock %q anew: %w", t.Promise.Name, err)
	case !due.After(t.Since):
		return c, false, nil
	}
	after = c
	after.DueAt, after.Warned = due, 0
	// Of the warnings that were told, those stay told that the term would have told by then too.
	for _, percent := range t.Promise.Warn {
		at, ok, err := warning(t.Promise, t.Hours, after, percent)
		if err != nil {
			return c, false, err
		}
		if ok && percent <= c.Warned && !at.After(t.Since) {
			after.Warned = percent
		}
	}
	after.WakeAt, err = wake(t.Promise, t.Hours, after)
	return after, err == nil, err
}
