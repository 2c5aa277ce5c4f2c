package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// provider knows a service's migrations and runs them on the writing connection.
func provider(service string, read, write *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+service)
	if err != nil {
		return nil, err
	}
	db := write
	if db == nil {
		db = read // listed only: a read-only store is never migrated
	}
	return goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
}

// Migrate brings the schema to this program's version. Two processes may call it at once: the second waits for the first.
func (e *engine) Migrate(ctx context.Context) error {
	if e.write == nil {
		return errReadOnly
	}
	release, err := e.lock.wait(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer release()
	if _, err := e.schema.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// checkSchema takes a schema that is ahead: an upgrade migrates first and restarts after. It does without the provider, which
// would write a table of its own into a database that has none.
func (e *engine) checkSchema(ctx context.Context) error {
	sources := e.schema.ListSources()
	want := sources[len(sources)-1].Version
	var tables, have int64
	err := e.read.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&tables)
	if err == nil && tables > 0 {
		err = e.read.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	}
	if err == nil && have < want {
		err = fmt.Errorf("the schema is at version %d and this program needs %d: run `leadpact migrate`", have, want)
	}
	return err
}
