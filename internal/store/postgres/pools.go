package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// LockPools makes what is missing and then locks, both in sorted order; see LockLeads.
func (t *handoffTx) LockPools(ctx context.Context, names []string) ([]store.Pool, error) {
	sorted := sortedSet(names)
	_, err := exec(ctx, t.tx, "make pools", `INSERT INTO pools (name) SELECT * FROM unnest($1::text[]) ON CONFLICT (name) DO NOTHING`, sorted)
	if err != nil {
		return nil, err
	}
	return collect(ctx, t.tx, "lock pools", func(row pgx.CollectableRow) (p store.Pool, err error) {
		return p, row.Scan(&p.Name, &p.Version, &p.Balances)
	}, `SELECT name, version, balances FROM pools WHERE name = ANY ($1) ORDER BY name FOR UPDATE`, sorted)
}

func (t *handoffTx) SavePools(ctx context.Context, pools []store.Pool) error {
	_, err := exec(ctx, t.tx, "save pools", `
		UPDATE pools SET version = new.version, balances = new.balances
		FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS new (name, version, balances) WHERE pools.name = new.name`,
		column(pools, func(p store.Pool) string { return p.Name }),
		column(pools, func(p store.Pool) int64 { return p.Version }),
		column(pools, func(p store.Pool) []byte { return filled(p.Balances) }))
	return err
}
