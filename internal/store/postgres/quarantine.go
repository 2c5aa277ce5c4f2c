package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// SaveQuarantined sends a statement for each row, in one round trip: poison is rare, and its key may come twice in a call.
func (b *base) SaveQuarantined(ctx context.Context, rows []store.Quarantined) error {
	if len(rows) == 0 {
		return nil
	}
	sorted := slices.SortedStableFunc(slices.Values(rows), func(x, y store.Quarantined) int { return cmp.Compare(x.Key, y.Key) })
	batch := &pgx.Batch{}
	for _, q := range sorted {
		batch.Queue(`
			INSERT INTO quarantine (key, stream, source, event_id, raw, reason, attempts, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (key) DO UPDATE SET attempts = quarantine.attempts + 1`,
			legible(q.Key), legible(q.Stream), legible(q.Source), legible(q.EventID), filled(q.Raw), legible(q.Reason), q.Attempts, micros(q.At))
	}
	return b.update(ctx, func(ctx context.Context, tx *transaction) error {
		return failed("save to quarantine", tx.SendBatch(ctx, batch).Close())
	})
}

func (b *base) ListQuarantined(ctx context.Context, limit int) ([]store.Quarantined, error) {
	return collect(ctx, b.pool, "list the quarantine", func(row pgx.CollectableRow) (q store.Quarantined, err error) {
		return q, row.Scan(&q.Key, &q.Stream, &q.Source, &q.EventID, &q.Raw, &q.Reason, &q.Attempts, instant{&q.At})
	}, `SELECT key, stream, source, event_id, raw, reason, attempts, at FROM quarantine ORDER BY at, key LIMIT $1`, max(limit, 0))
}

// CountQuarantined counts the rows.
func (b *base) CountQuarantined(ctx context.Context) (count int, err error) {
	err = b.pool.QueryRow(ctx, `SELECT count(*) FROM quarantine`).Scan(&count)
	return count, failed("count the quarantine", err)
}

// ExpireQuarantined deletes the rows from before t.
func (b *base) ExpireQuarantined(ctx context.Context, t time.Time) (int, error) {
	gone := 0
	err := b.update(ctx, func(ctx context.Context, tx *transaction) error {
		n, err := exec(ctx, tx, "expire the quarantine", `DELETE FROM quarantine WHERE at < $1`, micros(t))
		gone = int(n)
		return err
	})
	return gone, err
}

// legible replaces what text cannot hold here, NUL and invalid UTF-8: the quarantine must take any poison, and Raw keeps the bytes.
func legible(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
