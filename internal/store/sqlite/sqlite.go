// Package sqlite is the store in a file: one database per service, in WAL mode, every commit fsynced.
//
// SQLite has one writer. An engine has one writing connection, whose transactions begin IMMEDIATE, so what PostgreSQL does with
// row locks happens here by waiting for one's turn; and a pool of readers, each of which sees one committed state and never waits.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Options of an open store; the zero value opens for reading and writing, and migrates.
type Options struct {
	// Now is the store's clock; nil is the process's.
	Now func() time.Time
	// ReadOnly never creates or changes a file, not even one beside the database, and never migrates. It reads what is
	// committed, also while another process writes.
	ReadOnly bool
	// NoMigrate leaves the schema as it is; Ping says when it is not this program's.
	NoMigrate bool
}

// engine is what the three stores have in common.
type engine struct {
	path   string
	schema *goose.Provider
	write  *sql.DB // one connection; nil when read-only
	kept   statements
	read   *sql.DB
	lock   *fileLock
	fold   *checkpointer // nil when read-only
	now    func() time.Time
}

// open opens the database at path, in a folder that exists, with the schema of one service.
func open(ctx context.Context, path, service string, o Options) (*engine, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	e := &engine{path: path, now: o.Now}
	if e.now == nil {
		e.now = time.Now
	}
	if o.ReadOnly {
		err = e.openReadOnly()
	} else {
		err = e.openReadWrite()
	}
	if err == nil {
		e.schema, err = provider(service, e.read, e.write)
	}
	if err == nil && !o.ReadOnly && !o.NoMigrate {
		err = e.Migrate(ctx)
	}
	if err == nil {
		err = e.read.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), e.Close())
	}
	return e, nil
}

func (e *engine) openReadWrite() error {
	// The files hold what people told the company: nobody else on the machine reads them. SQLite gives the files beside the
	// database the database's own mode. A file that is there must not even be opened here: closing it would drop the locks
	// that SQLite holds on it elsewhere in this process.
	for _, path := range []string{e.path, e.path + "-lock"} {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	const durable = "&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=foreign_keys(on)&_pragma=journal_size_limit(67108864)"
	// Keys are hashes, so every row touches pages of its own: the writer keeps up to 16 MiB of them. It folds the log only when the
	// checkpointer could not.
	const ample = "&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(16000)"
	var err error
	e.write, err = sql.Open("sqlite", address(e.path, "_txlock=immediate&_pragma=busy_timeout(5000)"+durable+ample))
	if err != nil {
		return err
	}
	e.write.SetMaxOpenConns(1)
	e.read, err = sql.Open("sqlite", address(e.path, "_pragma=busy_timeout(5000)&_pragma=query_only(on)"))
	if err != nil {
		return err
	}
	readers := max(4, runtime.NumCPU())
	e.read.SetMaxOpenConns(readers)
	e.read.SetMaxIdleConns(readers)
	if e.lock, err = newFileLock(e.path + "-lock"); err != nil {
		return err
	}
	e.fold, err = newCheckpointer(e.path)
	return err
}

// openReadOnly picks the one way to read that leaves every file as it is. SQLite would make a -wal and a -shm beside a database
// that has none, so a database without an open log is read as immutable: all of it is in the main file then. One with a log is
// read through the index of the process that writes it, or that was killed writing it.
func (e *engine) openReadOnly() error {
	if _, err := os.Stat(e.path); err != nil {
		return err
	}
	mode := "immutable=1"
	switch log, err := os.Stat(e.path + "-wal"); {
	case err == nil && log.Size() > 0:
		mode = "readonly_shm=1"
		if _, err := os.Stat(e.path + "-shm"); err != nil {
			return fmt.Errorf("the log %s-wal has no index beside it: copy the -shm file too, or open the store for writing once: %w", e.path, err)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var err error
	e.read, err = sql.Open("sqlite", address(e.path, "mode=ro&"+mode+"&_pragma=busy_timeout(5000)&_pragma=query_only(on)"))
	return err
}

// address makes the driver's data source name; path is absolute.
func address(path, params string) string {
	path = filepath.ToSlash(path)
	if path[0] != '/' {
		path = "/" + path // a drive's letter
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: params}).String()
}

// Now is the process's clock: one process owns the file, so no two clocks can disagree.
func (e *engine) Now(context.Context) (time.Time, error) {
	return e.now().UTC().Truncate(time.Microsecond), nil
}

// Ping reads the schema's version.
func (e *engine) Ping(ctx context.Context) error {
	if err := e.checkSchema(ctx); err != nil {
		return fmt.Errorf("sqlite: ping %s: %w", e.path, err)
	}
	return nil
}

// Close waits for what runs and closes the files.
func (e *engine) Close() error {
	var errs []error
	if e.fold != nil {
		errs = append(errs, e.fold.close())
	}
	// The writer last: the last connection to leave folds the log into the database, and only a writing one can.
	for _, db := range []*sql.DB{e.read, e.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.close())
	}
	return errors.Join(errs...)
}
