package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store"
)

const entryColumns = `shard, seq, source, event_id, type, lead, occurred_at, recorded_at, history, data, hash`

func (c *compliance) Entries(ctx context.Context, shard int, after int64, typ string, limit int) ([]store.Entry, error) {
	scan := func(row pgx.CollectableRow) (e store.Entry, err error) {
		return e, row.Scan(&e.Shard, &e.Seq, &e.Source, &e.EventID, &e.Type, &e.Lead, instant{&e.OccurredAt}, instant{&e.RecordedAt},
			&e.History, &e.Data, &e.Hash)
	}
	if typ == "" {
		return collect(ctx, c.pool, "read entries", scan, `
			SELECT `+entryColumns+` FROM entries WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3`, shard, after, max(limit, 0))
	}
	return collect(ctx, c.pool, "read entries", scan, `
		SELECT `+entryColumns+` FROM entries WHERE shard = $1 AND seq > $2 AND type = $3 ORDER BY seq LIMIT $4`,
		shard, after, typ, max(limit, 0))
}

func (c *compliance) Heads(ctx context.Context) ([]store.Head, error) {
	return collect(ctx, c.pool, "read heads", scanHead, `SELECT shard, seq, hash FROM heads ORDER BY shard`)
}

// LockShards makes what is missing and then locks, both in sorted order; see LockLeads.
func (t *complianceTx) LockShards(ctx context.Context, shards []int) ([]store.Head, error) {
	sorted := sortedShards(shards)
	_, err := exec(ctx, t.tx, "make shards",
		`INSERT INTO heads (shard) SELECT * FROM unnest($1::bigint[]) ON CONFLICT (shard) DO NOTHING`, sorted)
	if err != nil {
		return nil, err
	}
	return collect(ctx, t.tx, "lock shards", scanHead, `SELECT shard, seq, hash FROM heads WHERE shard = ANY ($1) ORDER BY shard FOR UPDATE`,
		sorted)
}

func (t *complianceTx) SaveHeads(ctx context.Context, heads []store.Head) error {
	_, err := exec(ctx, t.tx, "save heads", `
		UPDATE heads h SET seq = new.seq, hash = new.hash
		FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS new (shard, seq, hash) WHERE h.shard = new.shard`,
		column(heads, func(h store.Head) int64 { return int64(h.Shard) }),
		column(heads, func(h store.Head) int64 { return h.Seq }),
		column(heads, func(h store.Head) []byte { return filled(h.Hash) }))
	return err
}

func (t *complianceTx) Known(ctx context.Context, keys []store.FactKey) (map[store.FactKey]bool, error) {
	found, err := collect(ctx, t.tx, "look for entries", scanFactKey, `
		SELECT source, event_id FROM entries WHERE (source, event_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
		column(keys, sourceOf), column(keys, idOf))
	return keySet(found), err
}

func (t *complianceTx) Append(ctx context.Context, entries []store.Entry) error {
	_, err := exec(ctx, t.tx, "append entries", `
		INSERT INTO entries (`+entryColumns+`)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
			$9::boolean[], $10::bytea[], $11::bytea[])`,
		column(entries, func(e store.Entry) int64 { return int64(e.Shard) }),
		column(entries, func(e store.Entry) int64 { return e.Seq }),
		column(entries, func(e store.Entry) string { return e.Source }),
		column(entries, func(e store.Entry) string { return e.EventID }),
		column(entries, func(e store.Entry) string { return e.Type }),
		column(entries, func(e store.Entry) string { return e.Lead }),
		column(entries, func(e store.Entry) int64 { return micros(e.OccurredAt) }),
		column(entries, func(e store.Entry) int64 { return micros(e.RecordedAt) }),
		column(entries, func(e store.Entry) bool { return e.History }),
		column(entries, func(e store.Entry) []byte { return filled(e.Data) }),
		column(entries, func(e store.Entry) []byte { return filled(e.Hash) }))
	return err
}

func scanHead(row pgx.CollectableRow) (h store.Head, err error) {
	return h, row.Scan(&h.Shard, &h.Seq, &h.Hash)
}
