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

// quarantineColumns are those that a list shows; a row of its own has raw and hook too.
const quarantineColumns = `key, kind, stream, source, event_id, agreement, reason, attempts, at, tried_at, size`

func quarantinedFields(q *store.Quarantined) []any {
	return []any{
		&q.Key, &q.Kind, &q.Stream, &q.Source, &q.EventID, &q.Agreement, &q.Reason, &q.Attempts, instant{&q.At}, instant{&q.TriedAt}, &q.Size,
	}
}

// quarantine stores a row; a key that is there already only counts one more attempt.
const quarantine = `
	INSERT INTO quarantine (key, kind, stream, source, event_id, raw, hook, agreement, reason, attempts, at, tried_at, size)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
	ON CONFLICT (key) DO UPDATE SET attempts = quarantine.attempts + 1`

func quarantineArguments(q store.Quarantined) []any {
	return []any{
		legible(q.Key), string(q.Kind), legible(q.Stream), legible(q.Source), legible(q.EventID), filled(q.Raw), filled(q.Hook), legible(q.Agreement),
		legible(q.Reason), q.Attempts, micros(q.At), unlessZero(q.TriedAt), len(q.Raw),
	}
}

// SaveQuarantined sends a statement for each row, in one round trip: poison is rare, and its key may come twice in a call.
func (b *base) SaveQuarantined(ctx context.Context, rows []store.Quarantined) error {
	if len(rows) == 0 {
		return nil
	}
	sorted := slices.SortedStableFunc(slices.Values(rows), func(x, y store.Quarantined) int { return cmp.Compare(x.Key, y.Key) })
	batch := &pgx.Batch{}
	for _, q := range sorted {
		batch.Queue(quarantine, quarantineArguments(q)...)
	}
	return b.update(ctx, func(ctx context.Context, tx *transaction) error {
		return failed("save to quarantine", tx.SendBatch(ctx, batch).Close())
	})
}

// Keep stores webhooks as long as their sources have room. They are rare enough for a statement each.
func (o outbox) Keep(ctx context.Context, rows []store.Quarantined, bound store.Bound) ([]bool, error) {
	const op = "keep a webhook"
	type room struct {
		rows  int
		bytes int64
	}
	used := map[string]room{}
	kept := make([]bool, len(rows))
	for i, q := range rows {
		known, err := exec(ctx, o.tx, op, `UPDATE quarantine SET attempts = attempts + 1 WHERE key = $1`, legible(q.Key))
		if err != nil {
			return nil, err
		}
		if known == 1 {
			kept[i] = true
			continue
		}
		u, counted := used[q.Source]
		if !counted {
			u, err = one(ctx, o.tx, op, func(row pgx.CollectableRow) (u room, err error) { return u, row.Scan(&u.rows, &u.bytes) },
				`SELECT count(*), coalesce(sum(size), 0)::bigint FROM quarantine WHERE source = $1 AND kind = $2 AND NOT dropped`,
				legible(q.Source), string(store.RefusedHook))
			if err != nil {
				return nil, err
			}
		}
		if u.rows < bound.Rows && u.bytes+int64(len(q.Raw)) <= bound.Bytes {
			if _, err := exec(ctx, o.tx, op, quarantine, quarantineArguments(q)...); err != nil {
				return nil, err
			}
			kept[i] = true
			u.rows, u.bytes = u.rows+1, u.bytes+int64(len(q.Raw))
		}
		used[q.Source] = u
	}
	return kept, nil
}

// Settle writes what became of a row.
func (o outbox) Settle(ctx context.Context, key string, s store.Settlement) (bool, error) {
	if s.Applied {
		n, err := exec(ctx, o.tx, "settle what was in quarantine", `DELETE FROM quarantine WHERE key = $1 AND NOT dropped`, legible(key))
		return n == 1, err
	}
	n, err := exec(ctx, o.tx, "settle what is in quarantine",
		`UPDATE quarantine SET attempts = attempts + 1, reason = $2, tried_at = $3, hook = coalesce($4, hook) WHERE key = $1 AND NOT dropped`,
		legible(key), legible(s.Reason), unlessZero(s.TriedAt), s.Hook)
	return n == 1, err
}

// SettleQuarantined is Settle in a transaction of its own.
func (b *base) SettleQuarantined(ctx context.Context, key string, s store.Settlement) (there bool, err error) {
	err = b.update(ctx, func(ctx context.Context, tx *transaction) error {
		there, err = outbox{tx}.Settle(ctx, key, s)
		return err
	})
	return there && err == nil, err
}

// DropQuarantined gives a row up.
func (b *base) DropQuarantined(ctx context.Context, key string) (there bool, err error) {
	err = b.update(ctx, func(ctx context.Context, tx *transaction) error {
		n, err := exec(ctx, tx, "drop from quarantine", `UPDATE quarantine SET dropped = true, raw = '', hook = '', size = 0 WHERE key = $1 AND NOT dropped`, legible(key))
		there = n == 1
		return err
	})
	return there && err == nil, err
}

// ListQuarantined returns rows, the oldest first.
func (b *base) ListQuarantined(ctx context.Context, s store.Search) ([]store.Quarantined, error) {
	return collect(ctx, b.pool, "list the quarantine", func(row pgx.CollectableRow) (q store.Quarantined, err error) {
		err = row.Scan(quarantinedFields(&q)...)
		return q, err
	}, `SELECT `+quarantineColumns+` FROM quarantine WHERE NOT dropped AND ($1 = '' OR source = $1) AND (at, key) > ($2, $3) ORDER BY at, key LIMIT $4`,
		legible(s.Source), micros(s.After.At), legible(s.After.Key), max(s.Limit, 0))
}

// Quarantined returns one row.
func (b *base) Quarantined(ctx context.Context, key string) (store.Quarantined, error) {
	return one(ctx, b.pool, "read from quarantine", func(row pgx.CollectableRow) (q store.Quarantined, err error) {
		err = row.Scan(append(quarantinedFields(&q), &q.Raw, &q.Hook)...)
		return q, err
	}, `SELECT `+quarantineColumns+`, raw, hook FROM quarantine WHERE key = $1 AND NOT dropped`, legible(key))
}

// CountQuarantined counts the rows of each kind.
func (b *base) CountQuarantined(ctx context.Context) (map[store.Kind]int, error) {
	type count struct {
		kind store.Kind
		rows int
	}
	counts, err := collect(ctx, b.pool, "count the quarantine", func(row pgx.CollectableRow) (c count, err error) {
		return c, row.Scan(&c.kind, &c.rows)
	}, `SELECT kind, count(*) FROM quarantine WHERE NOT dropped GROUP BY kind`)
	out := make(map[store.Kind]int, len(counts))
	for _, c := range counts {
		out[c.kind] = c.rows
	}
	return out, err
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
