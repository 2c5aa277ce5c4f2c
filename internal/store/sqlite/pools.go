package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func poolFields(p *store.Pool) []any { return []any{&p.Name, &p.Version, &p.Balances} }

// LockPools returns the pools, made when missing. The transaction is the only writer: that is the lock.
func (t handoffTx) LockPools(ctx context.Context, names []string) ([]store.Pool, error) {
	const op = "lock pools"
	var pools []store.Pool
	for _, name := range sorted(names) {
		if _, err := t.exec(ctx, op, `INSERT INTO pools (name) VALUES (?) ON CONFLICT DO NOTHING`, name); err != nil {
			return nil, err
		}
		p, err := one(ctx, t, op, poolFields, `SELECT name, version, balances FROM pools WHERE name = ?`, name)
		if err != nil {
			return nil, err
		}
		pools = append(pools, p)
	}
	return pools, nil
}

// SavePools writes pools that LockPools returned.
func (t handoffTx) SavePools(ctx context.Context, pools []store.Pool) error {
	for _, p := range pools {
		if _, err := t.exec(ctx, "save pools", `UPDATE pools SET version = ?, balances = ? WHERE name = ?`, p.Version, blob(p.Balances), p.Name); err != nil {
			return err
		}
	}
	return nil
}
