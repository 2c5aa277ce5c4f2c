package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

// Tallies adds in the order of the shards, so that two calls give the same floating-point sum.
func (c *compliance) Tallies(ctx context.Context, shard int) ([]store.Tally, error) {
	scan := func(row pgx.CollectableRow) (t store.Tally, err error) {
		return t, row.Scan(&t.Shard, &t.Name, &t.Labels, &t.Value)
	}
	if shard < 0 {
		return collect(ctx, c.pool, "sum tallies", scan,
			`SELECT -1, name, labels, sum(value ORDER BY shard) FROM tallies GROUP BY name, labels ORDER BY name, labels`)
	}
	return collect(ctx, c.pool, "read tallies", scan,
		`SELECT shard, name, labels, value FROM tallies WHERE shard = $1 ORDER BY name, labels`, shard)
}

func (t *complianceTx) AddTallies(ctx context.Context, deltas []store.Tally) error {
	type key struct {
		shard        int
		name, labels string
	}
	keyOf := func(d store.Tally) key { return key{d.Shard, d.Name, d.Labels} }
	// One statement may write a row only once.
	sums := make(map[key]float64, len(deltas))
	for _, d := range deltas {
		sums[keyOf(d)] += d.Value
	}
	sorted := distinct(deltas, keyOf, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.name, b.name), cmp.Compare(a.labels, b.labels))
	})
	_, err := exec(ctx, t.tx, "add to tallies", `
		INSERT INTO tallies AS old (shard, name, labels, value)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::double precision[])
		ON CONFLICT (shard, name, labels) DO UPDATE SET value = old.value + excluded.value`,
		column(sorted, func(d store.Tally) int64 { return int64(d.Shard) }),
		column(sorted, func(d store.Tally) string { return d.Name }),
		column(sorted, func(d store.Tally) string { return d.Labels }),
		column(sorted, func(d store.Tally) float64 { return sums[keyOf(d)] }))
	return err
}
