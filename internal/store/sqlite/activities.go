package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

const activityColumns = `id, lead, cycle, assignment, rep, kind, reason, occurred_at, recorded_at, outside, history, source`

func activityFields(a *store.Activity) []any {
	return []any{
		&a.ID, &a.Lead, &a.Cycle, &a.Assignment, &a.Rep, &a.Kind, &a.Reason, at(&a.OccurredAt), at(&a.RecordedAt), &a.Outside, &a.History, &a.Source,
	}
}

// InsertActivities stores those that are new.
func (t handoffTx) InsertActivities(ctx context.Context, rows []store.Activity) ([]bool, error) {
	fresh := make([]bool, len(rows))
	for i, a := range rows {
		n, err := t.exec(ctx, "insert activities",
			`INSERT INTO activities (`+activityColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			a.ID, a.Lead, a.Cycle, a.Assignment, a.Rep, a.Kind, a.Reason, micros(a.OccurredAt), micros(a.RecordedAt), a.Outside, a.History, a.Source)
		if err != nil {
			return nil, err
		}
		fresh[i] = n == 1
	}
	return fresh, nil
}

// Activities returns what was done in a handoff.
func (t handoffTx) Activities(ctx context.Context, key store.HandoffKey) ([]store.Activity, error) {
	return collect(ctx, t, "read activities", activityFields,
		`SELECT `+activityColumns+` FROM activities WHERE lead = ? AND cycle = ? ORDER BY occurred_at, id`, key.Lead, key.Cycle)
}
