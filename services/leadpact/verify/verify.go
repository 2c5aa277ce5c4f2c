// Package verify checks, on the stores themselves, every promise that they can prove. It changes nothing.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/services/leadpact/app"
)

// Options say what to check.
type Options struct {
	Stores app.Stores
	// Accepted lists the events that were answered 202, "source<TAB>id" a line; nil for none.
	Accepted io.Reader
	// Doors are the addresses of running processes, asked for lag and queues until both are 0.
	Doors []string
	// Patience is how long lag may last, and how long a check that fails is tried again: what one store told may still be on its
	// way to another.
	Patience time.Duration
	Out      io.Writer
}

// invariant is one promise. check returns how much it looked at, and what breaks it, at most a few.
type invariant struct {
	name  string
	check func(ctx context.Context, v *verifier) (looked int, faults faults, err error)
}

// faults are examples of what breaks a promise, and their number.
type faults struct {
	count    int
	examples []string
}

const shown = 5

func (f *faults) add(format string, args ...any) {
	f.count++
	if len(f.examples) < shown {
		f.examples = append(f.examples, fmt.Sprintf(format, args...))
	}
}

// verifier is what the checks look at.
type verifier struct {
	scoring    store.Scoring
	handoff    store.Handoff
	compliance store.Compliance
	accepted   []store.FactKey
	agreements map[string]*agreement.Agreement
}

// invariants in the order of a lead's way.
func invariants() []invariant {
	return []invariant{
		{"accepted: every event answered 202 is a fact or in quarantine", acceptedKept},
		{"facts: what is known of each lead is the fold of its facts", knowledgeIsFold},
		{"stages: changes are numbered without a gap and follow each other", stagesFollow},
		{"versions: each decision was made under the version in force, and each promise is of the version that its handoff began under, or of one that took it over", versionsKept},
		{"owners: no lead has two live assignments, and none overlap", oneOwner},
		{"loads: what is written down of each rep is what he holds", loadsCounted},
		{"clocks: none is open behind an ended assignment, none is overdue", clocksResolved},
		{"breaches: none early, each once, each in the ledger", breachesTold},
		{"corrections: each of a breach, of a moment before it, once, and as handoff has it", correctionsTold},
		{"ledger: numbered without a gap, and chained", ledgerChained},
		{"tallies: equal to a recount of the ledger", talliesCount},
		{"outboxes: empty", outboxesEmpty},
	}
}

// ErrBroken: at least one promise is broken; the lines say which.
var ErrBroken = errors.New("verify: a promise is broken")

// Run prints a line for each promise and returns ErrBroken when one does not hold.
func Run(ctx context.Context, o Options) error {
	v := &verifier{scoring: o.Stores.Scoring, handoff: o.Stores.Handoff, compliance: o.Stores.Compliance}
	if v.scoring == nil || v.handoff == nil || v.compliance == nil {
		return errors.New("verify needs the stores of scoring, handoff and compliance")
	}
	var err error
	if v.accepted, err = readAccepted(o.Accepted); err != nil {
		return err
	}
	if v.agreements, err = versions(ctx, v.scoring); err != nil {
		return err
	}
	until := time.Now().Add(o.Patience)
	if len(o.Doors) > 0 {
		waited, errands, err := drained(ctx, o.Doors, o.Patience)
		if err != nil {
			_, _ = fmt.Fprintf(o.Out, "FAIL  drained: %v\n", err)
			return ErrBroken
		}
		left := ""
		if errands > 0 {
			left = fmt.Sprintf(" (%.0f still to be fetched from its sender)", errands)
		}
		_, _ = fmt.Fprintf(o.Out, "ok    drained: lag and outboxes are 0, after %s%s\n", waited.Round(time.Millisecond), left)
	}
	broken := false
	for _, inv := range invariants() {
		holds, err := v.try(ctx, inv, until, o.Out)
		if err != nil {
			return err
		}
		broken = broken || !holds
	}
	if broken {
		return ErrBroken
	}
	return nil
}

// try checks one promise until it holds or time is up, and prints its line. What cannot be read is a promise broken too.
func (v *verifier) try(ctx context.Context, inv invariant, until time.Time, out io.Writer) (bool, error) {
	for {
		looked, f, err := inv.check(ctx, v)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			f.add("it could not be checked: %v", err)
		}
		if f.count == 0 {
			_, _ = fmt.Fprintf(out, "ok    %s (%d)\n", inv.name, looked)
			return true, nil
		}
		if time.Now().After(until) {
			_, _ = fmt.Fprintf(out, "FAIL  %s (%d of %d)\n", inv.name, f.count, looked)
			for _, e := range f.examples {
				_, _ = fmt.Fprintf(out, "      %s\n", e)
			}
			return false, nil
		}
		t := time.NewTimer(500 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return false, ctx.Err()
		case <-t.C:
		}
	}
}

// versions compiles the stored versions of the agreement.
func versions(ctx context.Context, s store.Agreements) (map[string]*agreement.Agreement, error) {
	rows, err := s.ListAgreements(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the versions of the agreement: %w", err)
	}
	out := map[string]*agreement.Agreement{}
	for _, row := range rows {
		if a, faults := agreement.Parse("agreement", row.Text); len(faults) == 0 {
			out[row.Hash] = a
		}
	}
	return out, nil
}
