package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var embedded embed.FS

// migrations are one service's, in the order of their numbers.
type migrations struct {
	service string
	files   fs.FS
	newest  int64
}

func migrationsOf(service string) (migrations, error) {
	files, err := fs.Sub(embedded, "migrations/"+service)
	if err != nil {
		return migrations{}, fmt.Errorf("postgres: read the migrations of %s: %w", service, err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		return migrations{}, fmt.Errorf("postgres: this program carries no migrations of %s: %w", service, err)
	}
	newest, err := goose.NumericComponent(names[len(names)-1])
	if err != nil {
		return migrations{}, fmt.Errorf("postgres: read the number of a migration of %s: %w", service, err)
	}
	return migrations{service, files, newest}, nil
}

// apply brings the schema up to this program's version; of several replicas that start together one works and the rest wait.
//
// The lock is held around all that goose does, not given to goose: it makes its table before it takes a lock of its own.
func (m migrations) apply(ctx context.Context, config *pgx.ConnConfig, schema string) (err error) {
	config = config.Copy()
	// Waiting for another replica's migration, and a migration of a large table, take as long as they take.
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	lock, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return failed("migrate schema "+schema, err)
	}
	// Closing the connection gives the lock back, and so does the death of this process.
	defer func() { _ = lock.Close(context.WithoutCancel(ctx)) }()
	if err := lockSchema(ctx, lock, schema); err != nil {
		return failed("migrate schema "+schema, err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, m.files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("postgres: prepare the migrations of %s: %w", m.service, err)
	}
	_, err = provider.Up(ctx)
	return failed("migrate schema "+schema, err)
}

// lockSchema takes the advisory lock under which a schema is made and migrated, waiting in the server, and makes the schema if it
// is missing: under the lock, because two that CREATE SCHEMA IF NOT EXISTS at one time can both find it missing.
func lockSchema(ctx context.Context, conn *pgx.Conn, schema string) error {
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('leadpact migrate ' || $1, 0))`, schema); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	name := pgx.Identifier{schema}.Sanitize()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, name).Scan(&there); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if there {
		return nil // an administrator may have made it for a role that may not
	}
	_, err := conn.Exec(ctx, `CREATE SCHEMA `+name)
	return err
}
