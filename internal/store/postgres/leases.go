package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Acquire reads the clock first and writes with what it read: a caller that is held up in between takes a shorter lease, never one
// that another still has.
func (b *base) Acquire(ctx context.Context, name string, shard int, owner string, ttl time.Duration) (held bool, epoch int64, err error) {
	now, err := b.Now(ctx)
	if err != nil {
		return false, 0, err
	}
	err = b.pool.QueryRow(ctx, `
		INSERT INTO leases AS held (name, shard, owner, epoch, expires_at) VALUES ($1, $2, $3, 1, $5)
		ON CONFLICT (name, shard) DO UPDATE SET
			owner = excluded.owner,
			epoch = held.epoch + CASE WHEN held.owner = excluded.owner THEN 0 ELSE 1 END,
			expires_at = excluded.expires_at
		WHERE held.owner = excluded.owner OR held.expires_at <= $4
		RETURNING epoch`, name, shard, owner, micros(now), micros(now.Add(ttl))).Scan(&epoch)
	held = err == nil
	if errors.Is(err, pgx.ErrNoRows) {
		err = b.pool.QueryRow(ctx, `SELECT epoch FROM leases WHERE name = $1 AND shard = $2`, name, shard).Scan(&epoch)
	}
	return held, epoch, failed("take a lease", err)
}

// Release keeps the row, for its epoch.
func (b *base) Release(ctx context.Context, name string, shard int, owner string) error {
	_, err := exec(ctx, b.pool, "give a lease back", `UPDATE leases SET expires_at = $4 WHERE name = $1 AND shard = $2 AND owner = $3`,
		name, shard, owner, micros(time.Time{}))
	return err
}
