package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const transitionColumns = `lead, cycle, n, from_stage, to_stage, at, agreement, cause, data`

func transitionFields(t *store.Transition) []any {
	return []any{&t.Lead, &t.Cycle, &t.N, &t.From, &t.To, at(&t.At), &t.Agreement, &t.Cause, &t.Data}
}

// Transitions returns a lead's changes of stage.
func (s scoring) Transitions(ctx context.Context, lead string) ([]store.Transition, error) {
	return collect(ctx, s.read, "read transitions", transitionFields,
		`SELECT `+transitionColumns+` FROM transitions WHERE lead = ? ORDER BY cycle, n`, lead)
}

// InsertTransitions stores changes of stage.
func (t scoringTx) InsertTransitions(ctx context.Context, rows []store.Transition) error {
	for _, r := range rows {
		_, err := t.exec(ctx, "insert transitions", `INSERT INTO transitions (`+transitionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Lead, r.Cycle, r.N, r.From, r.To, micros(r.At), r.Agreement, r.Cause, blob(r.Data))
		if err != nil {
			return err
		}
	}
	return nil
}
