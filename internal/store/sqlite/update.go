package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leadpact/leadpact/internal/store"
)

// attempts bounds how often Update runs a function that conflicts. There is no pause between them: writers take turns, so a
// conflict comes from what was read before the transaction began, and the next attempt reads again.
const attempts = 10

var (
	errReadOnly = errors.New("sqlite: the store was opened read-only")
	errNested   = errors.New("sqlite: a write inside Update would wait for itself for ever: use the transaction that Update gives")
)

// tx is one transaction: of the writer, or of a reader who wants one snapshot.
type tx struct {
	inner *sql.Tx
	stmts map[string]*sql.Stmt
	kept  *statements // the writer's
	fresh []string    // queries that kept does not have
	now   int64       // when it began, by the store's clock
	// failed is the first error. Nothing runs or commits after it, as on PostgreSQL, so that a function that goes on in spite
	// of a conflict leaves nothing behind.
	failed error
}

// inside marks the context of a transaction of e.
type inside struct{ e *engine }

// update runs f in one transaction, again while it conflicts.
func (e *engine) update(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	switch {
	case e.write == nil:
		return errReadOnly
	case ctx.Value(inside{e}) != nil:
		return errNested
	}
	for n := 1; ; n++ {
		err := e.attempt(ctx, f)
		if n == attempts || !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

func (e *engine) attempt(ctx context.Context, f func(ctx context.Context, t *tx) error) error {
	inner, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return wrap(ctx, "begin", err)
	}
	defer inner.Rollback() // after a commit it does nothing; else the error at hand matters more
	t := &tx{inner: inner, stmts: map[string]*sql.Stmt{}, kept: &e.kept, now: micros(e.now())}
	if err := f(context.WithValue(ctx, inside{e}, true), t); err != nil {
		return err
	}
	if t.failed != nil {
		return t.failed
	}
	err = wrap(ctx, "commit", inner.Commit())
	e.fold.wrote()
	e.kept.prepare(ctx, e.write, t.fresh)
	return err
}

// stmt prepares a query once per transaction: most of them run in loops.
func (t *tx) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if err := ctx.Err(); err != nil {
		return nil, t.fail(wrap(ctx, "run a statement", err))
	}
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.prepare(ctx, query)
	if err != nil {
		return nil, t.fail(err)
	}
	t.stmts[query] = s
	return s, nil
}

func (t *tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if t.kept == nil {
		return t.inner.PrepareContext(ctx, query)
	}
	if s := t.kept.get(query); s != nil {
		return t.inner.StmtContext(ctx, s), nil
	}
	t.fresh = append(t.fresh, query)
	return t.inner.PrepareContext(ctx, query)
}

// QueryContext makes a tx a queryer.
func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(ctx, query) //nolint:sqlclosecheck // it is closed with its transaction
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.brief(ctx), args...)
	return rows, t.fail(err)
}

// brief is the context of one statement of the writer. Its statements touch a row or some and are over sooner than the driver could
// set a watch on each; ctx is asked between them, and at the commit.
func (t *tx) brief(ctx context.Context) context.Context {
	if t.kept == nil {
		return ctx // of a snapshot, whose reading may take long
	}
	return context.WithoutCancel(ctx)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, op, query string, args ...any) (int64, error) {
	s, err := t.stmt(ctx, query) //nolint:sqlclosecheck // it is closed with its transaction
	if err != nil {
		return 0, wrap(ctx, op, err)
	}
	result, err := s.ExecContext(t.brief(ctx), args...)
	if err != nil {
		return 0, t.fail(wrap(ctx, op, err))
	}
	return result.RowsAffected()
}

// execOne is exec for a row that must be there in the version that the caller read.
func (t *tx) execOne(ctx context.Context, op, key, query string, args ...any) error {
	n, err := t.exec(ctx, op, query, args...)
	if err == nil && n == 0 {
		return t.fail(fmt.Errorf("sqlite: %s %s: not stored in the version before: %w", op, key, store.ErrConflict))
	}
	return err
}

func (t *tx) fail(err error) error {
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// wrap says what was tried, and tells a conflict from other errors.
func wrap(ctx context.Context, op string, err error) error {
	if err == nil || errors.Is(err, store.ErrConflict) {
		return err
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("sqlite: %s: %w: %w", op, cause, err)
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return fmt.Errorf("sqlite: %s: %w: %w", op, store.ErrConflict, err)
		}
		if isBusy(err) { // another process held the file for longer than busy_timeout
			return fmt.Errorf("sqlite: %s: %w: %w", op, store.ErrConflict, err)
		}
	}
	return fmt.Errorf("sqlite: %s: %w", op, err)
}
