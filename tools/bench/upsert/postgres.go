package upsert

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// rawPostgres is the least: SELECT = ANY … FOR UPDATE, one unnest upsert, one transaction, one connection.
type rawPostgres struct{ c *pgx.Conn }

func openRawPostgres(ctx context.Context, url string) (*rawPostgres, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, `CREATE TABLE raw (
		id text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, stage text NOT NULL, cycle bigint NOT NULL, staged bigint NOT NULL,
		staged_at bigint NOT NULL, agreement text NOT NULL, knowledge bytea NOT NULL, facts bigint NOT NULL, updated_at bigint NOT NULL
	) WITH (fillfactor = 80)`)
	if err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return &rawPostgres{c}, nil
}

func (r *rawPostgres) close() error { return r.c.Close(context.Background()) }

type rawRow struct {
	id, stage, agreement                               string
	version, cycle, staged, stagedAt, facts, updatedAt int64
	knowledge                                          []byte
}

func (r *rawPostgres) save(ctx context.Context, ids []string, version int64, profile []byte) error {
	tx, err := r.c.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	rows, err := tx.Query(ctx, `SELECT id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at
		FROM raw WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, ids)
	if err != nil {
		return err
	}
	facts := make(map[string]int64, len(ids))
	var l rawRow
	for rows.Next() {
		if err := rows.Scan(&l.id, &l.version, &l.stage, &l.cycle, &l.staged, &l.stagedAt, &l.agreement, &l.knowledge, &l.facts, &l.updatedAt); err != nil {
			return err
		}
		facts[l.id] = l.facts
	}
	if err := rows.Err(); err != nil {
		return err
	}
	n := len(ids)
	versions, stages, cycles, staged, at := make([]int64, n), make([]string, n), make([]int64, n), make([]int64, n), make([]int64, n)
	agreements, profiles, counts := make([]string, n), make([][]byte, n), make([]int64, n)
	for i, id := range ids {
		versions[i], stages[i], cycles[i], staged[i], at[i] = version, "mql", 1, 2, 1_780_000_000_000_000+version
		agreements[i], profiles[i], counts[i] = agreement, profile, facts[id]+1
	}
	_, err = tx.Exec(ctx, `INSERT INTO raw (id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[], $9::bigint[], $10::bigint[])
		ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, stage = EXCLUDED.stage, cycle = EXCLUDED.cycle, staged = EXCLUDED.staged,
			staged_at = EXCLUDED.staged_at, agreement = EXCLUDED.agreement, knowledge = EXCLUDED.knowledge, facts = EXCLUDED.facts,
			updated_at = EXCLUDED.updated_at`,
		ids, versions, stages, cycles, staged, at, agreements, profiles, counts, at)
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}
