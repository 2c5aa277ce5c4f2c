package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileLock is held by one at a time over all stores on one database, in this process and others, and ends with its process.
//
// It is an empty database beside the real one, locked by SQLite's own means and never written. The real one's write lock cannot
// serve: the relay publishes while it holds this, and writers must not wait for the bus. Its journal is kept in memory, because there
// is nothing to recover and a file would be made and removed with every lock.
type fileLock struct {
	mu sync.Mutex // spares asking the file when this store itself holds it
	db *sql.DB
}

func newFileLock(path string) (*fileLock, error) {
	db, err := sql.Open("sqlite", address(path, "_txlock=exclusive&_pragma=busy_timeout(0)&_pragma=journal_mode(memory)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &fileLock{db: db}, nil
}

// try takes the lock unless another holds it.
func (l *fileLock) try(ctx context.Context) (release func(), held bool, err error) {
	if !l.mu.TryLock() {
		return nil, false, nil
	}
	// Whoever holds the lock ends it by release alone: not when ctx does, while publish may still be at work.
	tx, err := l.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		l.mu.Unlock()
		if isBusy(err) {
			return nil, false, nil
		}
		return nil, false, fmt.Errorf("take the lock beside the database: %w", err)
	}
	return func() {
		_ = tx.Rollback() // nothing was written; a lost connection has lost its lock
		l.mu.Unlock()
	}, true, nil
}

// wait takes the lock when its turn comes.
func (l *fileLock) wait(ctx context.Context) (release func(), err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		release, held, err := l.try(ctx)
		if held || err != nil {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (l *fileLock) close() error { return l.db.Close() }

func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
