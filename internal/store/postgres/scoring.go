package postgres

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

// scoring is scoring's store.
type scoring struct{ *base }

// scoringTx is one transaction of scoring.
type scoringTx struct{ outbox }

// page bounds what a walk over everything holds in memory, in leads or assignments.
const page = 500

func (s *scoring) Update(ctx context.Context, f func(ctx context.Context, tx store.ScoringTx) error) error {
	return s.update(ctx, func(ctx context.Context, tx *transaction) error { return f(ctx, &scoringTx{outbox{tx}}) })
}

// EachLead walks in pages by id, so that memory stays bounded however many leads there are.
func (s *scoring) EachLead(ctx context.Context, f func(lead store.Lead, identifiers []string, facts []store.FactRow) error) error {
	return s.snapshot(ctx, func(ctx context.Context, tx *transaction) error {
		var last *string
		for more := true; more; {
			leads, err := collect(ctx, tx, "read leads", scanLead,
				`SELECT `+leadColumns+` FROM leads WHERE ($1::text IS NULL OR id > $1) AND version > 0 ORDER BY id LIMIT $2`,
				last, page)
			if err != nil {
				return err
			}
			ids := column(leads, func(l store.Lead) string { return l.ID })
			identifiers, err := identifiersOf(ctx, tx, ids)
			if err != nil {
				return err
			}
			facts, err := factsOf(ctx, tx, ids)
			if err != nil {
				return err
			}
			for _, lead := range leads {
				if err := f(lead, identifiers[lead.ID], facts[lead.ID]); err != nil {
					return err
				}
				last = &lead.ID
			}
			more = len(leads) == page
		}
		return nil
	})
}
