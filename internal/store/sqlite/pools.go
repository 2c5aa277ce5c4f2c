package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func poolFields(p *store.Pool) []any { return []any{&p.Name, &p.Version, &p.Balances} }

// LockPools returns the pools, made when missing. The transaction is the only writer: that is the lock.
func (t handoffTx) LockPools(ctx context.Context, names []string) ([]store.Pool, error) {
	const op = "lock pools"
	names = sorted(names)
	stored, err := among(ctx, t, op, poolFields, `SELECT name, version, balances FROM pools WHERE name IN `+given+` ORDER BY name`, names)
	if err != nil {
		return nil, err
	}
	pools := make([]store.Pool, len(names))
	for i, name := range names {
		if len(stored) > 0 && stored[0].Name == name {
			pools[i], stored = stored[0], stored[1:]
			continue
		}
		pools[i].Name = name
		if _, err := t.exec(ctx, op, `INSERT INTO pools (name) VALUES (?)`, name); err != nil {
			return nil, err
		}
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
