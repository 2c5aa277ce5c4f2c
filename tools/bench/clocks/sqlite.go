package clocks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/tools/bench/row"
)

func onSQLite(ctx context.Context, e *row.Env) (_ *stand, err error) {
	dir, remove, err := e.Folder("clocks")
	if err != nil {
		return nil, err
	}
	s := &stand{name: "SQLite", closers: []func() error{remove}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	path := filepath.Join(dir, "handoff.db")
	inner, err := sqlite.OpenHandoff(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	s.store = &observed{Handoff: inner}
	s.closers = append(s.closers, inner.Close)
	// Only the filling does without fsync; the store's own connections are as the product opens them.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_pragma=cache_size(-400000)&_pragma=temp_store(memory)")
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, db.Close)
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TEMP TABLE filling (lead TEXT, rep TEXT, shard INTEGER, due INTEGER)`); err != nil {
		return nil, err
	}
	s.stage = func(ctx context.Context, rows []filling) error {
		return within(ctx, db, func(tx *sql.Tx) error { return stageSQLite(ctx, tx, rows) })
	}
	s.execute = func(ctx context.Context, statements ...statement) error {
		return within(ctx, db, func(tx *sql.Tx) error {
			for _, st := range statements {
				if _, err := tx.ExecContext(ctx, strings.ReplaceAll(st.sql, "$", "?"), st.args...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.tidied = func(context.Context) error { return nil }
	s.onDisk = func(ctx context.Context) error {
		if _, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			return err
		}
		// What was filled without fsync would else be what the first fsync of the product waits for.
		return synced(path)
	}
	err = s.agree(ctx)
	return s, err
}

// synced returns when a file is on disk.
func synced(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func within(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func stageSQLite(ctx context.Context, tx *sql.Tx, rows []filling) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM filling`); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO filling VALUES (?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }() // it goes with the transaction
	for _, r := range rows {
		if _, err := insert.ExecContext(ctx, r.lead, r.rep, r.shard, r.due); err != nil {
			return err
		}
	}
	return nil
}
