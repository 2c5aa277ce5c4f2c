package clocks

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/tools/bench/row"
)

func onPostgres(ctx context.Context, e *row.Env) (_ *stand, err error) {
	url, drop, err := e.Database(ctx)
	if err != nil {
		return nil, err
	}
	s := &stand{name: "PostgreSQL", url: url, closers: []func() error{drop}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	inner, err := postgres.OpenHandoff(ctx, url, postgres.Options{})
	if err != nil {
		return nil, err
	}
	s.store = &observed{Handoff: inner}
	s.closers = append(s.closers, inner.Close)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to fill the store: %w", err)
	}
	s.closers = append(s.closers, func() error { return conn.Close(context.WithoutCancel(ctx)) })
	begin := []string{
		`SET search_path = leadpact_handoff`, `SET work_mem = '64MB'`,
		`CREATE TEMP TABLE filling (lead text COLLATE "C", rep text COLLATE "C", shard bigint, due bigint)`,
	}
	for _, sql := range begin {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("prepare the filling: %w", err)
		}
	}
	s.stage = func(ctx context.Context, rows []filling) error {
		if _, err := conn.Exec(ctx, `TRUNCATE filling`); err != nil {
			return err
		}
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"filling"}, []string{"lead", "rep", "shard", "due"},
			pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
				return []any{rows[i].lead, rows[i].rep, int64(rows[i].shard), rows[i].due}, nil
			}))
		return err
	}
	s.execute = func(ctx context.Context, statements ...statement) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, st := range statements {
				if _, err := tx.Exec(ctx, st.sql, st.args...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.tidied = func(ctx context.Context) error {
		_, err := conn.Exec(ctx, `VACUUM ANALYZE`)
		return err
	}
	s.onDisk = func(ctx context.Context) error {
		_, err := conn.Exec(ctx, `CHECKPOINT`)
		return err
	}
	err = s.agree(ctx)
	return s, err
}
