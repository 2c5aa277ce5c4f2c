package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

type scoring struct{ *engine }

type scoringTx struct {
	*tx
	made map[string]bool // leads that were locked and are not stored
}

// OpenScoring opens scoring's store at path, and makes the file when there is none.
func OpenScoring(ctx context.Context, path string, o Options) (store.Scoring, error) {
	e, err := open(ctx, path, "scoring", o)
	if err != nil {
		return nil, err
	}
	return scoring{e}, nil
}

// Update runs f in one transaction.
func (s scoring) Update(ctx context.Context, f func(ctx context.Context, tx store.ScoringTx) error) error {
	return s.update(ctx, func(ctx context.Context, t *tx) error { return f(ctx, scoringTx{t, map[string]bool{}}) })
}

// EachLead calls f for every lead.
func (s scoring) EachLead(ctx context.Context, f func(lead store.Lead, identifiers []string, facts []store.FactRow) error) error {
	const op = "read every lead"
	return s.snapshot(ctx, op, func(q queryer) error {
		return each(ctx, q, op, leadFields, func(l store.Lead) error {
			identifiers, err := collect(ctx, q, op, column[string], `SELECT identifier FROM aliases WHERE lead = ? ORDER BY identifier`, l.ID)
			if err != nil {
				return err
			}
			facts, err := factsOf(ctx, q, l.ID)
			if err != nil {
				return err
			}
			return f(l, identifiers, facts)
		}, `SELECT `+leadColumns+` FROM leads ORDER BY id`)
	})
}
