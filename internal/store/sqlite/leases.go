package sqlite

import (
	"context"
	"time"
)

type lease struct {
	owner   string
	epoch   int64
	expires time.Time
}

func leaseFields(l *lease) []any { return []any{&l.owner, &l.epoch, at(&l.expires)} }

// Acquire takes or renews a lease.
func (e *engine) Acquire(ctx context.Context, name string, shard int, owner string, ttl time.Duration) (held bool, epoch int64, err error) {
	err = e.update(ctx, func(ctx context.Context, t *tx) error {
		var last lease // of nobody, when the lease is new
		found, err := collect(ctx, t, "read a lease", leaseFields,
			`SELECT owner, epoch, expires_at FROM leases WHERE name = ? AND shard = ?`, name, shard)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			last = found[0]
		}
		held, epoch = last.owner == owner && len(found) > 0, last.epoch
		if !held && t.now < micros(last.expires) {
			return nil
		}
		if !held {
			held, epoch = true, last.epoch+1
		}
		_, err = t.exec(ctx, "take a lease",
			`INSERT INTO leases (name, shard, owner, epoch, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (name, shard) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, expires_at = excluded.expires_at`,
			name, shard, owner, epoch, t.now+ttl.Microseconds())
		return err
	})
	if err != nil {
		return false, 0, err
	}
	return held, epoch, nil
}

// Release gives a lease back. The row stays: it remembers the epoch.
func (e *engine) Release(ctx context.Context, name string, shard int, owner string) error {
	return e.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "give a lease back", `UPDATE leases SET expires_at = ? WHERE name = ? AND shard = ? AND owner = ?`,
			micros(time.Time{}), name, shard, owner)
		return err
	})
}
