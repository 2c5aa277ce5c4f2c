package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

// InsertBreaches stores breaches, one per clock.
func (t handoffTx) InsertBreaches(ctx context.Context, rows []store.Breach) error {
	for _, b := range rows {
		_, err := t.exec(ctx, "insert breaches",
			`INSERT INTO breaches (clock, assignment, lead, due_at, recorded_at) VALUES (?, ?, ?, ?, ?)`,
			b.Clock, b.Assignment, b.Lead, micros(b.DueAt), micros(b.RecordedAt))
		if err != nil {
			return err
		}
	}
	return nil
}
