package sqlite

import (
	"context"
	"database/sql"
	"time"
)

const (
	// worthwhile is how many pages of the log are worth a checkpoint.
	worthwhile = 1000
	// checkpointPause is the shortest time between two looks at the log.
	checkpointPause = 50 * time.Millisecond
)

// checkpointer folds the log into the database while the writer goes on. Left to SQLite, a commit now and then would do it: whoever
// made that one, and all who wait behind him, would pay for a thousand others.
//
// What it folds may not be all, because the log grows meanwhile, and a log that is never folded whole never begins anew. So the
// writer still folds what is left when the log has reached 64 MiB.
type checkpointer struct {
	db   *sql.DB
	kick chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

func newCheckpointer(path string) (*checkpointer, error) {
	db, err := sql.Open("sqlite", address(path, "_pragma=busy_timeout(0)&_pragma=synchronous(full)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{db: db, kick: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go c.run(ctx)
	return c, nil
}

// wrote says that something was committed.
func (c *checkpointer) wrote() {
	select {
	case c.kick <- struct{}{}:
	default: // it will look anyway
	}
}

func (c *checkpointer) run(ctx context.Context) {
	defer close(c.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		}
		c.fold(ctx)
		pause.Reset(checkpointPause)
	}
}

// fold folds what the log holds, unless it is little. An error, as while another process holds the lock, is left to the next look.
func (c *checkpointer) fold(ctx context.Context) {
	for mode, least := "NOOP", worthwhile; ; mode, least = "PASSIVE", 1 {
		var busy, log, folded int
		err := c.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &folded)
		// A second pass finds what came during the first; when that is much again, the writer is too fast to catch up with.
		if err != nil || busy != 0 || log-folded < least || mode == "PASSIVE" && log-folded >= worthwhile {
			return
		}
	}
}

func (c *checkpointer) close() error {
	c.stop()
	<-c.done
	return c.db.Close()
}
