package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

func tallyFields(t *store.Tally) []any { return []any{&t.Shard, &t.Name, &t.Labels, &t.Value} }

// Tallies returns the tallies of a shard, or of all (-1) summed.
func (c compliance) Tallies(ctx context.Context, shard int) ([]store.Tally, error) {
	const op = "read tallies"
	if shard == -1 {
		return collect(ctx, c.read, op, tallyFields,
			`SELECT -1, name, labels, sum(value) FROM tallies GROUP BY name, labels ORDER BY name, labels`)
	}
	return collect(ctx, c.read, op, tallyFields,
		`SELECT shard, name, labels, value FROM tallies WHERE shard = ? ORDER BY name, labels`, shard)
}

// AddTallies adds to each tally.
func (t complianceTx) AddTallies(ctx context.Context, deltas []store.Tally) error {
	for _, d := range deltas {
		_, err := t.exec(ctx, "add to tallies",
			`INSERT INTO tallies (shard, name, labels, value) VALUES (?, ?, ?, ?)
			ON CONFLICT (shard, name, labels) DO UPDATE SET value = value + excluded.value`,
			d.Shard, d.Name, d.Labels, d.Value)
		if err != nil {
			return err
		}
	}
	return nil
}
