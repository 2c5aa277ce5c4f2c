package sqlite

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func quarantinedFields(q *store.Quarantined) []any {
	return []any{&q.Key, &q.Stream, &q.Source, &q.EventID, &q.Raw, &q.Reason, &q.Attempts, at(&q.At)}
}

// SaveQuarantined stores rows.
func (e *engine) SaveQuarantined(ctx context.Context, rows []store.Quarantined) error {
	return e.update(ctx, func(ctx context.Context, t *tx) error {
		for _, q := range rows {
			_, err := t.exec(ctx, "quarantine",
				`INSERT INTO quarantine (key, stream, source, event_id, raw, reason, attempts, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (key) DO UPDATE SET attempts = attempts + 1`,
				q.Key, q.Stream, q.Source, q.EventID, blob(q.Raw), q.Reason, q.Attempts, micros(q.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ListQuarantined returns the oldest rows.
func (e *engine) ListQuarantined(ctx context.Context, limit int) ([]store.Quarantined, error) {
	return collect(ctx, e.read, "list the quarantine", quarantinedFields,
		`SELECT key, stream, source, event_id, raw, reason, attempts, at FROM quarantine ORDER BY at, key LIMIT ?`, limit)
}

// CountQuarantined counts the rows.
func (e *engine) CountQuarantined(ctx context.Context) (int, error) {
	return one(ctx, e.read, "count the quarantine", column[int], `SELECT count(*) FROM quarantine`)
}

// ExpireQuarantined deletes the rows from before t.
func (e *engine) ExpireQuarantined(ctx context.Context, t time.Time) (int, error) {
	gone := 0
	err := e.update(ctx, func(ctx context.Context, tx *tx) error {
		n, err := tx.exec(ctx, "expire the quarantine", `DELETE FROM quarantine WHERE at < ?`, micros(t))
		gone = int(n)
		return err
	})
	return gone, err
}
