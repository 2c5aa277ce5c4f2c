package sqlite

import (
	"context"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// quarantineColumns are those that a list shows; a row of its own has raw and hook too.
const quarantineColumns = `key, kind, stream, source, event_id, agreement, reason, attempts, at, tried_at, size`

func quarantinedFields(q *store.Quarantined) []any {
	return []any{&q.Key, &q.Kind, &q.Stream, &q.Source, &q.EventID, &q.Agreement, &q.Reason, &q.Attempts, at(&q.At), at(&q.TriedAt), &q.Size}
}

func wholeQuarantinedFields(q *store.Quarantined) []any {
	return append(quarantinedFields(q), &q.Raw, &q.Hook)
}

// SaveQuarantined stores rows.
func (e *engine) SaveQuarantined(ctx context.Context, rows []store.Quarantined) error {
	return e.update(ctx, func(ctx context.Context, t *tx) error {
		for _, q := range rows {
			known, err := t.countAttempt(ctx, q.Key)
			if err == nil && !known {
				err = t.quarantine(ctx, q)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// countAttempt counts that a row came again; false when there is none.
func (t *tx) countAttempt(ctx context.Context, key string) (bool, error) {
	n, err := t.exec(ctx, "quarantine", `UPDATE quarantine SET attempts = attempts + 1 WHERE key = ?`, key)
	return n == 1, err
}

func (t *tx) quarantine(ctx context.Context, q store.Quarantined) error {
	_, err := t.exec(ctx, "quarantine",
		`INSERT INTO quarantine (key, kind, stream, source, event_id, raw, hook, agreement, reason, attempts, at, tried_at, size)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		q.Key, q.Kind, q.Stream, q.Source, q.EventID, blob(q.Raw), blob(q.Hook), q.Agreement, q.Reason, q.Attempts, micros(q.At), ended(q.TriedAt), len(q.Raw))
	return err
}

// used is what a source has of its room. It reads the index quarantine_used alone: a row's later columns lie behind all of its raw bytes.
const used = `SELECT count(*), coalesce(sum(size), 0) FROM quarantine WHERE source = ? AND kind = ? AND NOT dropped`

// Keep stores webhooks as long as their sources have room.
func (t *tx) Keep(ctx context.Context, rows []store.Quarantined, bound store.Bound) ([]bool, error) {
	type room struct {
		rows  int
		bytes int64
	}
	rooms := map[string]room{}
	kept := make([]bool, len(rows))
	for i, q := range rows {
		known, err := t.countAttempt(ctx, q.Key)
		if err != nil {
			return nil, err
		}
		if known {
			kept[i] = true
			continue
		}
		u, counted := rooms[q.Source]
		if !counted {
			u, err = one(ctx, t, "count a source's quarantine", func(u *room) []any { return []any{&u.rows, &u.bytes} },
				used, q.Source, store.RefusedHook)
			if err != nil {
				return nil, err
			}
		}
		if u.rows < bound.Rows && u.bytes+int64(len(q.Raw)) <= bound.Bytes {
			if err := t.quarantine(ctx, q); err != nil {
				return nil, err
			}
			kept[i] = true
			u.rows, u.bytes = u.rows+1, u.bytes+int64(len(q.Raw))
		}
		rooms[q.Source] = u
	}
	return kept, nil
}

// Settle writes what became of a row.
func (t *tx) Settle(ctx context.Context, key string, s store.Settlement) (bool, error) {
	if s.Applied {
		n, err := t.exec(ctx, "settle what was in quarantine", `DELETE FROM quarantine WHERE key = ? AND NOT dropped`, key)
		return n == 1, err
	}
	var hook any // NULL unless there is another
	if s.Hook != nil {
		hook = s.Hook
	}
	n, err := t.exec(ctx, "settle what is in quarantine",
		`UPDATE quarantine SET attempts = attempts + 1, reason = ?, tried_at = ?, hook = coalesce(?, hook) WHERE key = ? AND NOT dropped`,
		s.Reason, ended(s.TriedAt), hook, key)
	return n == 1, err
}

// SettleQuarantined is Settle in a transaction of its own.
func (e *engine) SettleQuarantined(ctx context.Context, key string, s store.Settlement) (there bool, err error) {
	err = e.update(ctx, func(ctx context.Context, t *tx) error {
		there, err = t.Settle(ctx, key, s)
		return err
	})
	return there && err == nil, err
}

// DropQuarantined gives a row up.
func (e *engine) DropQuarantined(ctx context.Context, key string) (there bool, err error) {
	err = e.update(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "drop from quarantine", `UPDATE quarantine SET dropped = 1, raw = x'', hook = x'', size = 0 WHERE key = ? AND NOT dropped`, key)
		there = n == 1
		return err
	})
	return there && err == nil, err
}

// ListQuarantined returns rows, the oldest first.
func (e *engine) ListQuarantined(ctx context.Context, s store.Search) ([]store.Quarantined, error) {
	return collect(ctx, e.read, "list the quarantine", quarantinedFields,
		`SELECT `+quarantineColumns+` FROM quarantine WHERE NOT dropped AND (?1 = '' OR source = ?1) AND (at, key) > (?2, ?3) ORDER BY at, key LIMIT ?4`,
		s.Source, micros(s.After.At), s.After.Key, max(s.Limit, 0))
}

// Quarantined returns one row.
func (e *engine) Quarantined(ctx context.Context, key string) (store.Quarantined, error) {
	return one(ctx, e.read, "read from quarantine", wholeQuarantinedFields,
		`SELECT `+quarantineColumns+`, raw, hook FROM quarantine WHERE key = ? AND NOT dropped`, key)
}

// CountQuarantined counts the rows of each kind.
func (e *engine) CountQuarantined(ctx context.Context) (map[store.Kind]int, error) {
	type count struct {
		kind store.Kind
		rows int
	}
	counts, err := collect(ctx, e.read, "count the quarantine", func(c *count) []any { return []any{&c.kind, &c.rows} },
		`SELECT kind, count(*) FROM quarantine WHERE NOT dropped GROUP BY kind`)
	out := make(map[store.Kind]int, len(counts))
	for _, c := range counts {
		out[c.kind] = c.rows
	}
	return out, err
}

// ExpireQuarantined deletes the rows from before t.
func (e *engine) ExpireQuarantined(ctx context.Context, t time.Time) (int, error) {
	gone := 0
	err := e.update(ctx, func(ctx context.Context, tx *tx) error {
		n, err := tx.exec(ctx, "expire the quarantine", `DELETE FROM quarantine WHERE at < ?`, micros(t))
		gone = int(n)
		return err
	})
	return gone, err
}
