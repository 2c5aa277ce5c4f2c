package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

// InsertActivities stores those that are new.
func (t handoffTx) InsertActivities(ctx context.Context, rows []store.Activity) ([]bool, error) {
	fresh := make([]bool, len(rows))
	for i, a := range rows {
		n, err := t.exec(ctx, "insert activities",
			`INSERT INTO activities (id, lead, cycle, assignment, rep, kind, reason, occurred_at, recorded_at, outside, history)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			a.ID, a.Lead, a.Cycle, a.Assignment, a.Rep, a.Kind, a.Reason, micros(a.OccurredAt), micros(a.RecordedAt), a.Outside, a.History)
		if err != nil {
			return nil, err
		}
		fresh[i] = n == 1
	}
	return fresh, nil
}
