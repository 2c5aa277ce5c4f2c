package upsert

import (
	"context"
	"database/sql"
	"errors"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// rawSQLite is the least: a loop of two prepared statements in one transaction, with the product's settings of durability.
type rawSQLite struct {
	db           *sql.DB
	read, upsert *sql.Stmt
}

func openRawSQLite(ctx context.Context, path string) (*rawSQLite, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	r := &rawSQLite{db: db}
	_, err = db.ExecContext(ctx, `CREATE TABLE raw (
		id TEXT PRIMARY KEY, version INTEGER NOT NULL, stage TEXT NOT NULL, cycle INTEGER NOT NULL, staged INTEGER NOT NULL,
		staged_at INTEGER NOT NULL, agreement TEXT NOT NULL, knowledge BLOB NOT NULL, facts INTEGER NOT NULL, updated_at INTEGER NOT NULL
	) STRICT`)
	if err == nil {
		r.read, err = db.PrepareContext(ctx, `SELECT id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at FROM raw WHERE id = ?`)
	}
	if err == nil {
		r.upsert, err = db.PrepareContext(ctx, `INSERT INTO raw (id, version, stage, cycle, staged, staged_at, agreement, knowledge, facts, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, stage = excluded.stage, cycle = excluded.cycle, staged = excluded.staged,
				staged_at = excluded.staged_at, agreement = excluded.agreement, knowledge = excluded.knowledge, facts = excluded.facts,
				updated_at = excluded.updated_at`)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

func (r *rawSQLite) close() error { return errors.Join(r.read.Close(), r.upsert.Close(), r.db.Close()) }

func (r *rawSQLite) save(ctx context.Context, ids []string, version int64, profile []byte) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()                                       // after a commit it does nothing
	read, upsert := tx.StmtContext(ctx, r.read), tx.StmtContext(ctx, r.upsert) //nolint:sqlclosecheck // they end with the transaction
	facts := make([]int64, len(ids))
	var l rawRow
	for i, id := range ids {
		err := read.QueryRowContext(ctx, id).Scan(&l.id, &l.version, &l.stage, &l.cycle, &l.staged, &l.stagedAt, &l.agreement, &l.knowledge, &l.facts, &l.updatedAt)
		switch {
		case err == nil:
			facts[i] = l.facts
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
	}
	at := 1_780_000_000_000_000 + version
	for i, id := range ids {
		if _, err := upsert.ExecContext(ctx, id, version, "mql", 1, 2, at, agreement, profile, facts[i]+1, at); err != nil {
			return err
		}
	}
	return tx.Commit()
}
