// Package fetch has what thin events leave out: a sender that tells no more than an id is asked for the rest, and what it answers becomes an
// event of its own.
//
//	lead.received, thin ──▶ asked ──▶ lead.received, whole: durable ──▶ the thin one's message is acknowledged
//	                          │
//	                          ├ 404, 410: nobody is there any more; done
//	                          ├ 429, 5xx, no answer: asked again, when the sender wants it
//	                          └ 401, 403: the token is wrong; asked again slowly
//
// A process that is killed on the way asks once more: what it then publishes has the same id.
package fetch

import (
	"context"
	"errors"
	"time"
)

// Fetcher asks one kind of sender.
type Fetcher interface {
	// Fetch returns a thing as JSON. Errors: ErrGone, ErrRefused, BusyError; any other passes too.
	Fetch(ctx context.Context, w Wanted) ([]byte, error)
	// Pace is how fast the sender lets itself be asked, for each source.
	Pace() Pace
}

// Pace bounds the questions about one source.
type Pace struct {
	// Rate is of questions a second, lasting; Burst of them may come at once.
	Rate, Burst float64
	// Concurrent questions.
	Concurrent int
}

// Wanted is one thing to be fetched.
type Wanted struct {
	// ID is the sender's.
	ID string
	// Token opens the sender's door; it is never written down.
	Token string
	// Properties of the thing that are of use.
	Properties []string
}

var (
	// ErrGone: the sender has no such thing any more.
	ErrGone = errors.New("the sender has it no more")
	// ErrRefused: the sender does not take the token.
	ErrRefused = errors.New("the sender refuses the token")
)

// BusyError says that the sender wants to be left alone for a while.
type BusyError struct{ For time.Duration }

func (b BusyError) Error() string { return "the sender asks for a pause of " + b.For.String() }
