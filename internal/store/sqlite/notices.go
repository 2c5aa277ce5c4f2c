package sqlite

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

const noticeColumns = `key, endpoint, type, lead, cycle, assignment, clock, rep, created_at, state, attempts, next_at, last_error`

func noticeFields(n *store.Notice) []any {
	return []any{
		&n.Key, &n.Endpoint, &n.Type, &n.Lead, &n.Cycle, &n.Assignment, &n.Clock, &n.Rep,
		at(&n.CreatedAt), &n.State, &n.Attempts, at(&n.NextAt), &n.LastError,
	}
}

// DueNotices claims notices: each is due again at now+lease, unless SaveNotices says otherwise by then.
func (h handoff) DueNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Notice, error) {
	var due []store.Notice
	err := h.update(ctx, func(ctx context.Context, t *tx) (err error) {
		due, err = collect(ctx, t, "claim notices", noticeFields,
			`SELECT `+noticeColumns+` FROM notices WHERE state = 'pending' AND next_at <= ? ORDER BY next_at, key LIMIT ?`, micros(now), limit)
		if err != nil {
			return err
		}
		for _, n := range due {
			if _, err := t.exec(ctx, "claim notices", `UPDATE notices SET next_at = ? WHERE key = ?`, micros(now.Add(lease)), n.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// SaveNotices writes the result of sending.
func (h handoff) SaveNotices(ctx context.Context, rows []store.Notice) error {
	return h.update(ctx, func(ctx context.Context, t *tx) error {
		for _, n := range rows {
			_, err := t.exec(ctx, "save notices", `UPDATE notices SET state = ?, attempts = ?, next_at = ?, last_error = ? WHERE key = ?`,
				n.State, n.Attempts, micros(n.NextAt), n.LastError, n.Key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// InsertNotices stores those that are new.
func (t handoffTx) InsertNotices(ctx context.Context, rows []store.Notice) error {
	for _, n := range rows {
		_, err := t.exec(ctx, "insert notices",
			`INSERT INTO notices (`+noticeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
			n.Key, n.Endpoint, n.Type, n.Lead, n.Cycle, n.Assignment, n.Clock, n.Rep,
			micros(n.CreatedAt), n.State, n.Attempts, micros(n.NextAt), n.LastError)
		if err != nil {
			return err
		}
	}
	return nil
}
