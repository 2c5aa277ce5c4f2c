package sqlite

import (
	"context"

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
