package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leadpact/leadpact/internal/store"
)

// A transaction that lost a race is tried again this often, after pauses that grow from around firstPause by doubling.
const (
	attempts   = 8
	firstPause = 2 * time.Millisecond
)

// transaction is an open one. It remembers its first error: nothing commits after it, even when f went on in spite of it.
type transaction struct {
	pgx.Tx
	failed error
}

// kept lets a transaction remember an error, and returns it.
func kept(q querier, err error) error {
	if t, ok := q.(*transaction); ok && t.failed == nil {
		t.failed = err
	}
	return err
}

// update runs f in one transaction, again when it lost a race.
//
// Only a conflict is repeated here: the server said that nothing was written. An error of the connection at commit leaves it
// unknown, and only the caller's event ids make that safe to repeat.
func (b *base) update(ctx context.Context, f func(ctx context.Context, tx *transaction) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := b.once(ctx, f)
		if attempt == attempts || !errors.Is(err, store.ErrConflict) {
			return err
		}
		// Jitter, so that two that met do not meet again.
		jittered := pause/2 + rand.N(pause) //nolint:gosec // it keeps no secret
		if waitErr := sleep(ctx, jittered); waitErr != nil {
			return errors.Join(err, waitErr)
		}
		pause *= 2
	}
}

func (b *base) once(ctx context.Context, f func(ctx context.Context, tx *transaction) error) error {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	return b.within(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, f)
}

// snapshot runs f over one unchanging view of the store. f may take its time.
func (b *base) snapshot(ctx context.Context, f func(ctx context.Context, tx *transaction) error) error {
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return b.within(ctx, o, func(ctx context.Context, tx *transaction) error {
		if _, err := exec(ctx, tx, "read a snapshot", `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// within commits unless something failed.
func (b *base) within(ctx context.Context, o pgx.TxOptions, f func(ctx context.Context, tx *transaction) error) error {
	inner, err := b.pool.BeginTx(ctx, o)
	if err != nil {
		return failed("begin a transaction", err)
	}
	// After a commit this does nothing; when the connection is lost the server rolls back by itself.
	defer func() { _ = inner.Rollback(ctx) }()
	tx := &transaction{Tx: inner}
	if err := f(ctx, tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	return failed("commit", inner.Commit(ctx))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// failed says what was tried; nil stays nil. It is the one place where the server's words become the contract's: what lost a
// race is ErrConflict. The server's detail, which quotes values, is left out.
func failed(tried string, err error) error {
	var told *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
		return err // said already, nearer to the cause
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("postgres: %s: %w", tried, store.ErrNotFound)
	case errors.As(err, &told) && lostRace(told.Code):
		return fmt.Errorf("postgres: %s: %w: %w", tried, store.ErrConflict, err)
	}
	return fmt.Errorf("postgres: %s: %w", tried, err)
}

// lostRace: serialization failure, deadlock, unique violation.
func lostRace(code string) bool { return code == "40001" || code == "40P01" || code == "23505" }

// isUndefinedTable: the table, or the whole schema, is not there.
func isUndefinedTable(err error) bool {
	var told *pgconn.PgError
	return errors.As(err, &told) && (told.Code == "42P01" || told.Code == "3F000")
}
