package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// compliance is compliance's store.
type compliance struct{ *base }

// complianceTx is one transaction of compliance.
type complianceTx struct{ outbox }

func (c *compliance) Update(ctx context.Context, f func(ctx context.Context, tx store.ComplianceTx) error) error {
	return c.update(ctx, func(ctx context.Context, tx *transaction) error { return f(ctx, &complianceTx{outbox{tx}}) })
}

// Activate holds the table's lock: of two that follow one version, the second finds another there.
func (c *compliance) Activate(ctx context.Context, row store.AgreementRow, after string, messages []store.Message) (fresh bool, err error) {
	var overtaken bool
	err = c.update(ctx, func(ctx context.Context, tx *transaction) error {
		fresh, overtaken = false, false
		if _, err := exec(ctx, tx, "lock the agreements", `LOCK TABLE agreements IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		hashes, err := collect(ctx, tx, "read the versions", pgx.RowTo[string], `SELECT hash FROM agreements ORDER BY active_from DESC, hash DESC`)
		if err != nil {
			return err
		}
		if slices.Contains(hashes, row.Hash) {
			return nil
		}
		if newest := append(hashes, "")[0]; newest != after {
			overtaken = true
			return nil
		}
		if fresh, err = saveAgreement(ctx, tx, row); err != nil {
			return err
		}
		return outbox{tx}.Enqueue(ctx, messages)
	})
	if err == nil && overtaken {
		err = fmt.Errorf("postgres: activate agreement %s: another version was activated: %w", row.Hash, store.ErrConflict)
	}
	return fresh && err == nil, err
}

// StartClocks keeps a clock that has ended ended.
func (t *complianceTx) StartClocks(ctx context.Context, clocks []store.PendingClock) error {
	// Of a clock that comes twice in one call the last is right, as it would be in two calls.
	last := make(map[string]time.Time, len(clocks))
	for _, c := range clocks {
		last[c.ID] = c.DueAt
	}
	ids := sortedSet(column(clocks, func(c store.PendingClock) string { return c.ID }))
	_, err := exec(ctx, t.tx, "start clocks", `
		INSERT INTO clocks (id, due_at, ended) SELECT id, due_at, false FROM unnest($1::text[], $2::bigint[]) AS new (id, due_at)
		ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at`,
		ids, column(ids, func(id string) int64 { return micros(last[id]) }))
	return err
}

// EndClocks remembers the end of a clock whose start was not told yet.
func (t *complianceTx) EndClocks(ctx context.Context, ids []string) error {
	_, err := exec(ctx, t.tx, "end clocks", `
		INSERT INTO clocks (id, ended) SELECT id, true FROM unnest($1::text[]) AS new (id)
		ON CONFLICT (id) DO UPDATE SET ended = true`, sortedSet(ids))
	return err
}

func (c *compliance) PendingClocks(ctx context.Context, dueBefore time.Time) (count int, err error) {
	err = c.pool.QueryRow(ctx, `SELECT count(*) FROM clocks WHERE NOT ended AND due_at < $1`, micros(dueBefore)).Scan(&count)
	return count, failed("count pending clocks", err)
}

// sortedShards returns the shards sorted, each once.
func sortedShards(shards []int) []int64 {
	sorted := column(shards, func(s int) int64 { return int64(s) })
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
