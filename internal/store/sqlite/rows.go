package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/store"
)

// queryer is a transaction or the pool of readers.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a query; fields gives the places of a row's columns.
func collect[T any](ctx context.Context, q queryer, op string, fields func(*T) []any, query string, args ...any) ([]T, error) {
	var out []T
	err := each(ctx, q, op, fields, func(row T) error {
		out = append(out, row)
		return nil
	}, query, args...)
	return out, err
}

// each calls f for the rows of a query one by one.
func each[T any](ctx context.Context, q queryer, op string, fields func(*T) []any, f func(T) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return wrap(ctx, op, err)
	}
	defer rows.Close()
	for rows.Next() {
		var row T
		if err := rows.Scan(fields(&row)...); err != nil {
			return wrap(ctx, op, err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return wrap(ctx, op, rows.Err())
}

// one reads a query's only row, or says that there is none.
func one[T any](ctx context.Context, q queryer, op string, fields func(*T) []any, query string, args ...any) (T, error) {
	rows, err := collect(ctx, q, op, fields, query, args...)
	if err != nil || len(rows) == 0 {
		var none T
		if err == nil {
			err = fmt.Errorf("sqlite: %s: %w", op, store.ErrNotFound)
		}
		return none, err
	}
	return rows[0], nil
}

// column is the fields of a query with one column.
func column[T any](v *T) []any { return []any{v} }

// snapshot runs f on one committed state.
func (e *engine) snapshot(ctx context.Context, op string, f func(q queryer) error) error {
	inner, err := e.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return wrap(ctx, op, err)
	}
	defer inner.Rollback()
	return f(&tx{inner: inner, stmts: map[string]*sql.Stmt{}})
}

// micros is an instant as it is stored; the zero time has a number of its own, below every other.
func micros(t time.Time) int64 { return t.UnixMicro() }

// at reads an instant into t; NULL is the zero time.
func at(t *time.Time) sql.Scanner { return instant{t} }

type instant struct{ t *time.Time }

func (i instant) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*i.t = time.Time{}
	case int64:
		*i.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("an instant is stored as %T, not as an integer", src)
	}
	return nil
}

// ended is an assignment's end as it is stored: NULL while it lives, so that the index of live ones can tell.
func ended(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

// blob is bytes as they are stored: none are empty, not NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// list is strings as they are stored: a JSON array.
type list struct{ of *[]string }

func (l list) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T, not as text", src)
	}
	return json.Unmarshal([]byte(s), l.of)
}

// listed refuses what JSON could not give back as it was.
func listed(of []string) (string, error) {
	for _, s := range of {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return "", errors.New("a key is no text: it is not valid UTF-8, or holds a NUL")
		}
	}
	b, err := json.Marshal(of)
	return string(b), err
}

// given is the set of keys that among looks for.
const given = `(SELECT value FROM json_each(?))`

// among reads the rows of many keys by one statement, whose last argument is given's: most keys of a batch are new, and a row that is
// looked for alone and not found costs as much as one that is.
func among[T any](ctx context.Context, t queryer, op string, fields func(*T) []any, query string, keys []string, before ...any) ([]T, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	set, err := listed(keys)
	if err != nil {
		return nil, wrap(ctx, op, err)
	}
	return collect(ctx, t, op, fields, query, append(before, set)...)
}

// sorted returns keys in byte order, each once.
func sorted[K interface{ ~string | ~int }](keys []K) []K {
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}
