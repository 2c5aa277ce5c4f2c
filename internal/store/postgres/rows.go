package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/leadpact/leadpact/internal/store"
)

// querier is what the pool and a transaction have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// collect runs a query and reads its rows.
func collect[R any](ctx context.Context, q querier, tried string, scan pgx.RowToFunc[R], sql string, args ...any) ([]R, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, kept(q, failed(tried, err))
	}
	found, err := pgx.CollectRows(rows, scan)
	return found, kept(q, failed(tried, err))
}

// one reads a query's only row, or says that there is none.
func one[R any](ctx context.Context, q querier, tried string, scan pgx.RowToFunc[R], sql string, args ...any) (R, error) {
	found, err := collect(ctx, q, tried, scan, sql, args...)
	if err == nil && len(found) == 0 {
		err = failed(tried, pgx.ErrNoRows)
	}
	if err != nil {
		var none R
		return none, err
	}
	return found[0], nil
}

// exec runs a statement and returns how many rows it wrote.
func exec(ctx context.Context, q querier, tried, sql string, args ...any) (int64, error) {
	tag, err := q.Exec(ctx, sql, args...)
	return tag.RowsAffected(), kept(q, failed(tried, err))
}

// save is exec for a batch that compares versions: it writes every row, or it lost a race.
func save(ctx context.Context, q querier, tried string, rows int, sql string, args ...any) error {
	n, err := exec(ctx, q, tried, sql, args...)
	if err == nil && n != int64(rows) {
		err = kept(q, fmt.Errorf("postgres: %s: %d of %d rows were at the version before: %w", tried, n, rows, store.ErrConflict))
	}
	return err
}

// column takes one field of every row: an array for unnest.
func column[R, V any](rows []R, field func(R) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = field(row)
	}
	return values
}

// distinct returns the rows sorted by key, of those with one key the first: rows go to the server in one order everywhere, so that
// two transactions that insert the same rows wait for each other in a line and not in a circle.
func distinct[R any, K comparable](rows []R, key func(R) K, compare func(a, b K) int) []R {
	seen := make(map[K]bool, len(rows))
	sorted := make([]R, 0, len(rows))
	for _, row := range rows {
		if k := key(row); !seen[k] {
			seen[k] = true
			sorted = append(sorted, row)
		}
	}
	slices.SortFunc(sorted, func(a, b R) int { return compare(key(a), key(b)) })
	return sorted
}

// sortedSet returns the keys sorted, each once.
func sortedSet(keys []string) []string {
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// among says for each row whether its key is in keys; of rows with one key only the first is.
func among[R any, K comparable](rows []R, key func(R) K, keys []K) []bool {
	left := make(map[K]bool, len(keys))
	for _, k := range keys {
		left[k] = true
	}
	found := make([]bool, len(rows))
	for i, row := range rows {
		k := key(row)
		found[i] = left[k]
		delete(left, k)
	}
	return found
}

// micros is how an instant is kept: whole microseconds, exact, the zero time included.
func micros(t time.Time) int64 { return t.UnixMicro() }

// unlessZero is an instant that is null while it has not come.
func unlessZero(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMicro())
}

// instant scans what micros and unlessZero wrote.
type instant struct{ *time.Time }

// ScanInt64 implements pgtype.Int64Scanner.
func (i instant) ScanInt64(v pgtype.Int8) error {
	*i.Time = time.Time{}
	if v.Valid {
		*i.Time = time.UnixMicro(v.Int64).UTC()
	}
	return nil
}

// filled: a nil slice would be sent as null.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
