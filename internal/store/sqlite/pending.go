package sqlite

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// PendingClocks counts clocks that were told as started, never as ended, and are overdue.
func (c compliance) PendingClocks(ctx context.Context, dueBefore time.Time) (int, error) {
	return one(ctx, c.read, "count pending clocks", column[int],
		`SELECT count(*) FROM clocks WHERE ended = 0 AND due_at < ?`, micros(dueBefore))
}

// StartClocks keeps when clocks are due. A clock that is started again, with another due time, takes the new one.
func (t complianceTx) StartClocks(ctx context.Context, clocks []store.PendingClock) error {
	for _, c := range clocks {
		_, err := t.exec(ctx, "start clocks",
			`INSERT INTO clocks (id, due_at, ended) VALUES (?, ?, 0) ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at`,
			c.ID, micros(c.DueAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// EndClocks keeps that clocks ended, also before they are told as started.
func (t complianceTx) EndClocks(ctx context.Context, ids []string) error {
	for _, id := range ids {
		_, err := t.exec(ctx, "end clocks", `INSERT INTO clocks (id, ended) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET ended = 1`, id)
		if err != nil {
			return err
		}
	}
	return nil
}
