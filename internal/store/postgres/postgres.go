// Package postgres is the store on PostgreSQL 14 or newer, one schema for each service.
//
// Transactions run at READ COMMITTED and lock what they will write, in sorted order. A batch is one statement, its rows sent as
// one array a column, so that a thousand rows cost one round trip and one fsync.
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leadpact/leadpact/internal/store"
)

// The default limits on waiting. A statement that takes longer than these has met a fault, and its caller repeats it.
const (
	connectTimeout   = 5 * time.Second
	statementTimeout = 30 * time.Second
)

// Options say how a store is opened; the zero value is right for a service.
type Options struct {
	// Schema replaces the service's own schema: leadpact_scoring, leadpact_handoff or leadpact_compliance.
	Schema string
	// NoMigrate leaves the schema as it is; Ping then says whether it is behind.
	NoMigrate bool
	// ReadOnly refuses every write and leaves the schema as it is. It may be pointed at a standby; all else may not.
	ReadOnly bool
	// ConnectTimeout and StatementTimeout replace the defaults of 5 and 30 seconds.
	ConnectTimeout, StatementTimeout time.Duration
}

// OpenScoring opens scoring's store in the database at url (postgres://user:password@host:port/database), migrating it first
// unless told not to. Pool settings are read from the URL (pool_max_conns and its kind).
func OpenScoring(ctx context.Context, url string, o Options) (store.Scoring, error) {
	b, err := open(ctx, url, "scoring", o)
	if err != nil {
		return nil, err
	}
	return &scoring{b}, nil
}

// OpenHandoff opens handoff's store; see OpenScoring.
func OpenHandoff(ctx context.Context, url string, o Options) (store.Handoff, error) {
	b, err := open(ctx, url, "handoff", o)
	if err != nil {
		return nil, err
	}
	return &handoff{b}, nil
}

// OpenCompliance opens compliance's store; see OpenScoring.
func OpenCompliance(ctx context.Context, url string, o Options) (store.Compliance, error) {
	b, err := open(ctx, url, "compliance", o)
	if err != nil {
		return nil, err
	}
	return &compliance{b}, nil
}

// base is what the three stores share.
type base struct {
	pool   *pgxpool.Pool
	schema string
	// version is the newest migration that this program carries.
	version int64
	// patience bounds a whole transaction on this side, for a server that is there and says nothing.
	patience time.Duration
}

func open(ctx context.Context, url, service string, o Options) (*base, error) {
	config, err := configure(url, service, &o)
	if err != nil {
		return nil, err
	}
	migrations, err := migrationsOf(service)
	if err != nil {
		return nil, err
	}
	if !o.NoMigrate && !o.ReadOnly {
		if err := migrations.apply(ctx, config.ConnConfig, o.Schema); err != nil {
			return nil, err
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failed("open the "+service+" store", err)
	}
	return &base{pool: pool, schema: o.Schema, version: migrations.newest, patience: 2 * o.StatementTimeout}, nil
}

// configure fills in o's defaults and turns it and the URL into a pool's configuration.
func configure(url, service string, o *Options) (*pgxpool.Config, error) {
	if o.Schema == "" {
		o.Schema = "leadpact_" + service
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = connectTimeout
	}
	if o.StatementTimeout <= 0 {
		o.StatementTimeout = statementTimeout
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: read the URL of the %s store (postgres://user:password@host:port/database): %w", service, err)
	}
	config.ConnConfig.ConnectTimeout = o.ConnectTimeout
	settings := config.ConnConfig.RuntimeParams
	settings["application_name"] = "leadpact " + service
	settings["search_path"] = pgx.Identifier{o.Schema}.Sanitize()
	settings["statement_timeout"] = milliseconds(o.StatementTimeout)
	// A replica that was stopped in mid-transaction must not hold its row locks for ever.
	settings["idle_in_transaction_session_timeout"] = milliseconds(2 * o.StatementTimeout)
	// A plan made while a table was empty would be kept until the first ANALYZE, scanning it whole; a plan for each batch
	// costs far less than the batch.
	settings["plan_cache_mode"] = "force_custom_plan"
	settings["jit"] = "off"
	settings["timezone"] = "UTC"
	if o.ReadOnly {
		settings["default_transaction_read_only"] = "on"
	} else {
		// After a failover the old primary may still answer, as a standby.
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Now asks the server's clock: the one clock that all replicas share.
func (b *base) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := b.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return time.Time{}, failed("ask for the time", err)
	}
	return now.UTC(), nil
}

// Ping: a schema that is ahead of this program is good, for an upgrade migrates first and restarts the replicas after.
func (b *base) Ping(ctx context.Context) error {
	var there int64
	err := b.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&there)
	if err != nil && !isUndefinedTable(err) {
		return failed("ping", err)
	}
	if there < b.version {
		return fmt.Errorf("postgres: schema %s is at version %d and this program needs %d: run `leadpact migrate`", b.schema, there, b.version)
	}
	return nil
}

func (b *base) Close() error {
	b.pool.Close()
	return nil
}
